"""Opens the sensors, as the configuration describes them."""

from array import array

from . import load
from .sensors import Tmp36


def start(agent, config):
    """Give an agent its board and its sensors."""
    is_unix = config["board"] == "unix"
    port = load("hardware_unix" if is_unix else "hardware_board")
    agent.board = None if is_unix else port
    agent.sensors = sensors = []
    for setting in config.pop("sensors"):
        made = tmp36(setting) if setting["kind"] == "tmp36" else load("dht").dht(setting)
        suffix = "_%d" % (len(sensors) + 1) if sensors else ""
        made.format %= setting["name"], suffix
        made.name = setting["name"]
        made.fault = ""
        made.correct = None
        if setting["points"] or setting["offset_mc"]:
            made.correct = correct(setting["points"], setting["offset_mc"])
        port.wire(made, setting, config)
        sensors.append(made)


def tmp36(setting):
    """Return a Tmp36 that is not wired yet."""
    made = Tmp36()
    made.format = '"%s":%%s,"raw%s":%%d'
    made.convert = None
    if setting["formula"] != "tmp36":
        # As tutorials do (raw / 10): wrong away from 25 °C, see the README.
        made.convert = lambda uv, raw: raw * 100
    made.uvs = array("i", range(setting["samples"]))
    made.raws = array("H", made.uvs)
    return made


def correct(points, offset_mc):
    """Return what corrects milli-degrees.

    Args:
        points: [[measured, true], [measured, true]], or [].
        offset_mc: To add.
    """
    (m1, t1), (m2, t2) = points or ((0, 0), (1, 1))
    return lambda mc: t1 + (mc - m1) * (t2 - t1) // (m2 - m1) + offset_mc

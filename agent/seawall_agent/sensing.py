"""Opens a sensor as the configuration describes it."""

from array import array

from . import load


def begin(agent, config):
    """Give an agent its board and its sensors."""
    port = load("hardware_unix" if config["board"] == "unix" else "hardware_board")
    agent.board = port.board(config)
    agent.sensors = [
        sensor(index, setting, port, config) for index, setting in enumerate(config.pop("sensors"))
    ]


def sensor(index, setting, port, config):
    """Return the sensor number ``index`` (from 0).

    Args:
        setting: Of it, in the configuration.
        port: The hardware port's module.
        config: The whole configuration.
    """
    suffix = "_%d" % (index + 1) if index else ""
    name = setting["name"]
    if setting["kind"] == "tmp36":
        from .sensors import Tmp36

        made = Tmp36()
        made.text = '"%s":%%s,"raw%s":%%d' % (name, suffix)
        made.sample, made.top = port.adc(setting, config)
        made.convert = None
        if setting["formula"] == "tmp36-tutorial":
            from .calibration import tutorial_mc

            made.convert = tutorial_mc
        made.uvs = array("i", range(setting["samples"]))
        made.raws = array("H", made.uvs)
    else:
        from .dht import Dht

        made = Dht()
        made.text = '"%s":%%s,"humidity%s":%%s' % (name, suffix)
        made.data = port.dht(setting, config)
        made.kind = setting["kind"]
    made.name = name
    made.fault = ""
    made.correct = None
    if setting["points"] or setting["offset_mc"]:
        from .calibration import correction

        made.correct = correction(setting["points"], setting["offset_mc"])
    return made

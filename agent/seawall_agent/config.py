"""Reads config.json, and says which field is wrong."""

import io
import json

# Field, kind (i whole number, s text, l list, b boolean, else the choices), least and most (of
# a text or list: its length), default; "!" must be given. One text, for it is forgotten after use.
_FIELDS = """\
format i 1 1 !
device_id s 1 64 !
board unix|esp32|rp2|esp8266 0 0 !
profile seawall/1 0 0 !
interval_ms i 10 86400000 10000
first_boot i 1 4294967295 1
sensors l 1 8 !
broker.host s 1 253 !
broker.port i 1 65535 !
broker.server_name s 1 253 !
broker.ack puback|stored 0 0 "puback"
broker.keepalive_s i 1 65535 30
broker.timeout_s i 1 300 10
broker.settle_s i 1 3600 30
trust.mode ca|pin|ca+pin 0 0 !
trust.pins l 0 4 []
outbox.max_readings i 1 100000 500
outbox.sync b 0 1 true
clock.use_ntp b 0 1 false
clock.ntp l 0 8 []
wifi.ssid s 0 32 ""
wifi.password s 0 64 ""
sensors.kind tmp36|dht11|dht22 0 0 !
sensors.name s 1 32 !
sensors.pin s 1 16 !
sensors.formula tmp36|tmp36-tutorial 0 0 "tmp36"
sensors.samples i 1 64 16
sensors.offset_mc i -50000 50000 0
sensors.points l 0 2 []
sensors.full_scale_uv i 0 10000000 0
sensors.bits i 0 16 0
"""


def read(path="config.json"):
    """Return the configuration, with defaults for what may be left out.

    Raises:
        SystemExit: a field is missing, of another type, or out of range.
    """
    try:
        with open(path) as f:
            config = json.load(f)
    except OSError:
        raise SystemExit(path + ": cannot be read")
    except ValueError:
        raise SystemExit(path + ": not JSON")
    fields = io.StringIO(_FIELDS)
    while line := fields.readline():
        field, kind, low, high, default = line.split()
        section, _, name = field.rpartition(".")
        try:
            places = config
            if section:
                places = config[section] = config.get(section) or {}
            for place in places if isinstance(places, list) else (places,):
                _check(place, name, kind, int(low), int(high), default)
        except (TypeError, ValueError, KeyError, AttributeError):
            if kind in "isl":
                kind = {"i": "a number", "s": "a text", "l": "a list"}[kind]
                kind += " (%s to %s)" % (low, high)
            raise SystemExit("%s: %s: must be %s" % (path, field, kind))
    try:
        for sensor in config["sensors"]:
            if sensor["points"]:
                (m1, _), (m2, _) = sensor["points"]
                1 // (m1 - m2)
    except (TypeError, ValueError, ZeroDivisionError):
        raise SystemExit(path + ": sensors.points: must be two different [measured, true]")
    trust = config["trust"]
    for pin in trust["pins"] or [""] * (trust["mode"] != "ca"):
        if not isinstance(pin, str) or len(pin) != 64 or pin.strip("0123456789abcdef"):
            raise SystemExit(path + ": trust.pins: must be 64 lower-case hex digits")
    return config


def _check(place, name, kind, low, high, default):
    value = place.get(name)
    if value is None and default != "!":
        value = place[name] = json.loads(default)
    if kind == "i":
        kind = int
        size = value
    elif kind == "b":
        kind = bool
        size = 0
    elif kind in "sl":
        kind = str if kind == "s" else list
        size = len(value)
    elif value in kind.split("|"):
        return
    if type(value) is not kind or not low <= size <= high:
        raise ValueError

"""Reads config.json, and says which field is wrong."""

import io
import json

# Field, type (with least and most value or length) or choices (a text if neither), default ("!":
# must be given); a line with one word begins a section. One text, for it is forgotten after use.
_FIELDS = """\
format int 1 1 !
device_id !
board unix|esp32|rp2|esp8266 !
profile seawall/1 !
interval_ms int 10 86400000 10000
first_boot int 1 4294967295 1
sensors list 1 8 !
broker
host !
port int 1 65535 !
server_name !
ack puback|stored "puback"
keepalive_s int 1 65535 30
timeout_s int 1 300 10
settle_s int 1 3600 30
trust
mode ca|pin|ca+pin !
pins list 0 4 []
outbox
max_readings int 1 100000 500
clock
use_ntp bool 0 1 false
ntp list 0 8 []
wifi
ssid ""
password ""
sensors
kind tmp36|dht11|dht22 !
name !
pin !
formula tmp36|tmp36-tutorial "tmp36"
samples int 1 64 16
offset_mc int -50000 50000 0
points list 0 2 []
full_scale_uv int 0 10000000 0
bits int 0 16 0
"""


def read(path="config.json"):
    """Return the configuration, with defaults for what may be left out.

    Raises:
        SystemExit: a field is missing, of another type, or out of range.
    """
    name = "JSON"
    section = ""
    try:
        with open(path) as f:
            config = json.load(f)
        places = [config]
        fields = io.StringIO(_FIELDS)
        while line := fields.readline():
            name, *rule = line.split()
            if rule:
                for place in places:
                    _check(place, name, *rule)
            else:
                section = name + "."
                places = config[name] = config.get(name) or {}
                if name != "sensors":
                    places = [places]
        section = "trust."
        name = "pins"
        trust = config["trust"]
        trust[name] = pins = bytes.fromhex("".join(trust[name]))
        if len(pins) % 32 or not (pins or trust["mode"] == "ca"):
            raise ValueError("not 64 hex digits")
        section = "sensors."
        name = "points"
        for sensor in config["sensors"]:
            (m1, _), (m2, _) = sensor[name] or ((0, 0), (1, 1))
            1 // (m1 - m2)
    except Exception as error:
        raise SystemExit("%s: %s%s: %s" % (path, section, name, error))
    return config


def _check(place, name, *rule):
    *kind, default = rule
    value = place.get(name)
    if value is None:
        if default == "!":
            raise ValueError("missing")
        value = place[name] = json.loads(default)
    if len(kind) > 1:
        size = len(value) if kind[0] == "list" else value
        fits = type(value).__name__ == kind[0] and int(kind[1]) <= size <= int(kind[2])
    elif kind:
        fits = value in kind[0].split("|")
    else:
        fits = isinstance(value, str) and (value or default != "!")
    if not fits:
        raise ValueError("not " + (" ".join(kind) or "a text"))

"""Reads config.json, and says which field is wrong."""

import io
import json
from binascii import unhexlify

# Field, type (with least and most value or length) or choices, default ("!": must be given); a line with one word begins a section. All in one
# text, for it is forgotten after use.
_FIELDS = """\
format int 1 1 !
device_id str 1 64 !
board unix|esp32|rp2|esp8266 !
profile seawall/1 !
interval_ms int 10 86400000 10000
first_boot int 1 4294967295 1
sensors list 1 8 !
broker
host str 1 253 !
port int 1 65535 !
server_name str 1 253 !
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
ssid str 0 32 ""
password str 0 64 ""
sensors
kind tmp36|dht11|dht22 !
name str 1 32 !
pin str 1 16 !
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
    name = section = ""
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
        trust[name] = pins = unhexlify("".join(trust[name]))
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


def _check(place, name, kind, *limits):
    value = place.get(name)
    if value is None:
        if limits[-1] == "!":
            raise ValueError("missing")
        value = place[name] = json.loads(limits[-1])
    if len(limits) == 1:
        if value in kind.split("|"):
            return
    else:
        if type(value).__name__ == kind:
            size = len(value) if kind in "str list" else value
            if int(limits[0]) <= size <= int(limits[1]):
                return
        kind += " %s..%s" % limits[:2]
    raise ValueError("not " + kind)

"""Reads config.json, and says which field is wrong."""

import json


class ConfigError(Exception):
    """One line that names the field, or the file."""


_HEX = "0123456789abcdef"


def load(path="config.json"):
    """Return the configuration, with defaults for what may be left out.

    Raises:
        ConfigError: a field is missing, of another type, or out of range.
    """
    try:
        with open(path) as f:
            config = json.load(f)
    except OSError:
        raise ConfigError(path + " cannot be read")
    except ValueError:
        raise ConfigError(path + " is not JSON")
    if not isinstance(config, dict):
        raise ConfigError(path + " is not an object")
    _number(config, "", "format", 1, 1)
    _text(config, "", "device_id", 64)
    _choice(config, "", "board", ("unix", "esp32", "rp2", "esp8266"))
    _choice(config, "", "profile", ("seawall/1",))
    broker = _section(config, "broker")
    _text(broker, "broker.", "host", 253)
    _number(broker, "broker.", "port", 1, 65_535)
    broker.setdefault("server_name", broker["host"])
    _text(broker, "broker.", "server_name", 253)
    _choice(broker, "broker.", "ack", ("puback", "stored"), "puback")
    _number(broker, "broker.", "keepalive_s", 1, 65_535, 30)
    _number(broker, "broker.", "timeout_s", 1, 300, 10)
    _number(broker, "broker.", "stored_timeout_s", 1, 3600, 30)
    _check_trust(_section(config, "trust"))
    _check_sensors(config.get("sensors"))
    _number(config, "", "interval_ms", 10, 86_400_000, 10_000)
    _number(config, "", "first_boot", 1, 0xFFFFFFFF, 1)
    config.setdefault("outbox", {})
    _number(_section(config, "outbox"), "outbox.", "max_readings", 1, 100_000, 500)
    config["outbox"].setdefault("sync", True)
    config.setdefault("clock", {"use_ntp": config["board"] != "unix"})
    clock = _section(config, "clock")
    servers = clock.get("ntp", ["pool.ntp.org"])
    if not isinstance(servers, list) or not all(isinstance(s, str) for s in servers):
        raise ConfigError("clock.ntp: not a list of names")
    clock["ntp"] = servers if clock.get("use_ntp") else ()
    if wifi := config.setdefault("wifi", None):
        wifi = _section(config, "wifi")
        _text(wifi, "wifi.", "ssid", 32)
        _text(wifi, "wifi.", "password", 64)
    return config


def _section(config, name):
    value = config.get(name)
    if not isinstance(value, dict):
        raise ConfigError(name + ": missing" if value is None else name + ": not an object")
    return value


def _value(section, path, name, default):
    value = section.setdefault(name, default)
    if value is None:
        raise ConfigError(path + name + ": missing")
    return value


def _number(section, path, name, low, high, default=None):
    value = _value(section, path, name, default)
    if type(value) is not int or not low <= value <= high:
        raise ConfigError("%s%s: not a whole number from %d to %d" % (path, name, low, high))


def _text(section, path, name, longest):
    value = _value(section, path, name, None)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise ConfigError("%s%s: not a text of 1 to %d characters" % (path, name, longest))


def _choice(section, path, name, choices, default=None):
    if _value(section, path, name, default) not in choices:
        raise ConfigError("%s%s: not one of %s" % (path, name, ", ".join(choices)))


def _check_trust(trust):
    _choice(trust, "trust.", "mode", ("ca", "pin", "ca+pin"), "ca+pin")
    pins = trust.setdefault("pins", [])
    if not isinstance(pins, list) or (trust["mode"] != "ca" and not pins):
        raise ConfigError("trust.pins: missing")
    for pin in pins:
        if not isinstance(pin, str) or len(pin) != 64 or not all(c in _HEX for c in pin):
            raise ConfigError("trust.pins: not 64 lower-case hex digits")


def _check_sensors(sensors):
    if not isinstance(sensors, list) or not 0 < len(sensors) <= 8:
        raise ConfigError("sensors: not a list of 1 to 8 sensors")
    for index, sensor in enumerate(sensors):
        path = "sensors[%d]." % index
        if not isinstance(sensor, dict):
            raise ConfigError(path[:-1] + ": not an object")
        _choice(sensor, path, "kind", ("tmp36", "dht11", "dht22"))
        sensor.setdefault("name", "temp_%d" % (index + 1) if index else "temp")
        _text(sensor, path, "name", 32)
        _text(sensor, path, "pin", 16)
        _choice(sensor, path, "formula", ("tmp36", "tmp36-tutorial"), "tmp36")
        _number(sensor, path, "samples", 1, 64, 16)
        _number(sensor, path, "offset_mc", -50_000, 50_000, 0)
        if "full_scale_uv" in sensor:
            _number(sensor, path, "full_scale_uv", 1, 10_000_000)
        if "bits" in sensor:
            _number(sensor, path, "bits", 8, 16)
        _check_points(sensor.get("points"), path)


def _check_points(points, path):
    try:
        if points:
            (m1, t1), (m2, t2) = points
            if m1 == m2 or not all(type(x) is int for x in (m1, t1, m2, t2)):
                raise ValueError
    except (TypeError, ValueError):
        raise ConfigError(path + "points: not [[measured, true], [measured, true]]")

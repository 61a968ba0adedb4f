"""Names of fields that concern a person, and changes of seawall.toml that leave the rest alone."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.personal_fields import Kind, kind_of
from seawall.audit.state_files import is_database, is_key
from seawall.audit.state_settings import with_settings
from seawall.daemon.settings import render_settings
from seawall.model.installation import Settings


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user_email", Kind.IDENTITY),
        ("userEmail", Kind.IDENTITY),
        ("gps.lat", Kind.PLACE),
        ("Longitude", Kind.PLACE),
        ("heart-rate", Kind.BODY),
        ("wifi_ssid", Kind.NETWORK),
        ("room_occupancy", Kind.HABIT),
        ("pir", Kind.HABIT),
    ],
)
def test_what_concerns_a_person_is_told(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


_OF_MACHINES = (
    "temp raw humidity co2 platform flat lateral valve_position motor_position i2c_address "
    "door window heartbeat pressure_hpa battery_mv rssi uptime translation macro chip "
    "emailed_count_total pulse_count flow_rate soil_moisture lux"
)


@pytest.mark.parametrize("name", _OF_MACHINES.split())
def test_what_machines_say_is_left_alone(name: str) -> None:
    assert kind_of(name) is None


@given(st.text(max_size=60))
def test_any_name_has_an_answer(name: str) -> None:
    kind_of(name)


@pytest.mark.parametrize(
    ("path", "key", "database"),
    [
        ("pki/master.key", True, False),
        ("pki/server/current.key.pem", True, False),
        ("pki/devices/cellar/key.der", True, False),
        ("pki/devices/cellar/cert.der", False, False),
        ("pki/root.crt.pem", False, False),
        ("updates/keys/offline/root-1.pem", True, False),
        ("updates/keys/keys.json", False, False),
        ("run/seawall-audit-1/x.key.pem", True, False),
        ("seawall.db", False, True),
        ("seawall.db-wal", False, True),
        ("backup/2026", False, True),
        ("seawall.toml.bak", False, True),
        ("seawall.toml", False, False),
    ],
)
def test_what_is_secret_is_known_by_its_place(path: str, key: bool, database: bool) -> None:
    assert (is_key(path), is_database(path)) == (key, database)


_CHANGES = (("mqtt", "host", "127.0.0.1"), ("ingest", "batch_delay_ms", 7))


@pytest.mark.parametrize(
    "text",
    [
        "",
        'names = ["a"]',
        "[mqtt]\n",
        '[mqtt]\nhost = "::"  # here\nport = 1\n',
        '[ mqtt ] # devices\n# host = "x"\n  host="::"\n[web]\nhost = "::"\n',
        "[web]\nport = 8443",
        render_settings(Settings()),
    ],
)
def test_settings_change_and_the_rest_stays(text: str) -> None:
    before, after = tomllib.loads(text), tomllib.loads(with_settings(text, _CHANGES))
    assert after["mqtt"].pop("host") == "127.0.0.1"
    assert after["ingest"].pop("batch_delay_ms") == 7
    for section, name, _ in _CHANGES:
        before.setdefault(section, {}).pop(name, None)
    assert after == before
    kept = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert all(line in with_settings(text, _CHANGES).splitlines() for line in kept)

"""What Mosquitto is told, and what its log says, without running it."""

from __future__ import annotations

import base64
import hashlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.broker.drivers.mosquitto.configuration import (
    CONTROL_USER,
    render_access,
    render_configuration,
    render_passwords,
)
from seawall.broker.drivers.mosquitto.loglines import Connected, Oversize, level_of, read_line
from seawall.broker.policy import AccessPolicy
from seawall.errors import ConfigurationError, InvalidNameError
from seawall.model.installation import MqttSettings
from seawall.model.reading import Reason


def options(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def rules(text: str) -> dict[str, list[str]]:
    """Group an ACL file as Mosquitto reads it: by user, and patterns apart."""
    found: dict[str, list[str]] = {"pattern": []}
    user = ""
    for line in options(text):
        word, _, rest = line.partition(" ")
        if word == "user":
            user = rest
            found[user] = []
        elif word == "topic":
            found[user].append(rest)
        else:
            assert word == "pattern"
            found["pattern"].append(rest)
    return found


def test_the_device_listener_demands_certificates_and_binds_names_to_them() -> None:
    text = render_configuration(MqttSettings(host="0.0.0.0", port=0), 8883)
    devices, control = text.split("\nlistener 0 ")
    everywhere, device_listener = devices.split("\nlistener 8883 0.0.0.0\n")
    assert {"allow_anonymous false", "per_listener_settings false", "sys_interval 0"} <= set(
        options(everywhere)
    )
    assert {
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "tls_version tlsv1.2",
        "crlfile revoked.pem",
        "max_connections 10000",
    } <= set(options(device_listener))
    assert "use_username_as_clientid" not in control
    assert control.startswith("control.sock\n")


def test_only_forward_secret_aead_ciphers_are_offered() -> None:
    text = render_configuration(MqttSettings(), 8883)
    (line,) = [line for line in options(text) if line.startswith("ciphers ")]
    for name in line.removeprefix("ciphers ").split(":"):
        assert name.startswith("ECDHE-")
        assert "GCM" in name or "POLY1305" in name


def test_no_path_of_the_installation_stands_in_the_file() -> None:
    assert not [line for line in options(render_configuration(MqttSettings(), 1883)) if "/" in line]


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "::1", "broker.example.org", "localhost"])
def test_addresses_and_names_may_be_listened_on(host: str) -> None:
    assert f"listener 8883 {host}\n" in render_configuration(MqttSettings(host=host), 8883)


@pytest.mark.parametrize("host", ["", "a b", "0.0.0.0\nallow_anonymous true", "#", "a/b", "-a"])
def test_anything_else_as_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"mqtt\.host"):
        render_configuration(MqttSettings(host=host), 8883)


def test_the_access_file_gives_a_device_its_own_topics_only() -> None:
    policy = AccessPolicy({"a": "1"}, {"b": Reason.DISABLED_DEVICE, "c": Reason.REVOKED_DEVICE})
    assert rules(render_access(policy)) == {
        "@ingest": ["readwrite devices/#"],
        CONTROL_USER: ["readwrite devices/#"],
        "b": ["deny #"],
        "c": ["deny #"],
        "pattern": [
            "write devices/%u/readings",
            "write devices/%u/events",
            "write devices/%u/replies",
            "write devices/%u/status",
            "read devices/%u/commands",
        ],
    }


def test_the_length_of_the_access_file_does_not_grow_with_active_devices() -> None:
    many = AccessPolicy({f"d{number}": "1" for number in range(10_000)})
    assert render_access(many) == render_access(AccessPolicy())


@given(st.text(min_size=1, max_size=30))
def test_no_name_can_smuggle_a_rule_in(name: str) -> None:
    policy = AccessPolicy(refused={name: Reason.REVOKED_DEVICE})
    try:
        found = rules(render_access(policy))
    except InvalidNameError:
        return
    assert found[name] == ["deny #"]
    assert set(found) == {"@ingest", CONTROL_USER, "pattern", name}


def test_the_password_is_kept_as_a_salted_hash() -> None:
    line = render_passwords("secret", b"123456789012")
    name, _, entry = line.strip().partition(":")
    _, scheme, rounds, salt, digest = entry.split("$")
    assert (name, scheme) == (CONTROL_USER, "7")
    assert base64.b64decode(salt) == b"123456789012"
    expected = hashlib.pbkdf2_hmac("sha512", b"secret", b"123456789012", int(rounds))
    assert base64.b64decode(digest) == expected
    assert "secret" not in line


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "New client connected from 10.0.0.7:48044 as a-1 (p2, c1, k60, u'a-1').",
            Connected("a-1", "a-1", "10.0.0.7:48044"),
        ),
        (
            "New client connected from control.sock:0 as b (p4, c0, k30, u'@control').",
            Connected("b", "@control", "control.sock:0"),
        ),
        (
            "New client connected from ::1:5 as x (p2, c1, k60).",
            Connected("x", "", "::1:5"),
        ),
        ("Client a disconnected due to oversize packet.", Oversize("a", "")),
        ("Client a [1.2.3.4:5] disconnected: oversize packet.", Oversize("a", "1.2.3.4:5")),
        ("Client a disconnected.", None),
        ("New connection from 127.0.0.1:1 on port 8883.", None),
    ],
)
def test_log_lines_of_all_versions_are_read(line: str, found: Connected | Oversize | None) -> None:
    assert read_line(line) == found


@given(st.text())
def test_any_line_is_taken(line: str) -> None:
    read_line(line)
    assert level_of(line) in {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}


def test_levels_follow_what_mosquitto_calls_errors() -> None:
    assert level_of("Error: Address already in use") == logging.ERROR
    assert level_of("Warning: File x has world readable permissions") == logging.WARNING
    assert level_of("New connection from 1.2.3.4:5 on port 8883.") == logging.DEBUG
    assert level_of("mosquitto version 2.0.11 running") == logging.INFO

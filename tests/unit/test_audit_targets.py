"""Targets as people write them, and files recognised by their content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.recognition import UnrecognizedError, recognize_file
from seawall.audit.target import Access, FleetPolicy, TargetKind
from seawall.audit.target_text import parse_target
from seawall.errors import UsageError

MOSQUITTO = b"# a broker\nlistener 8883\nallow_anonymous false\nplugin_opt_x 1\n"
SDKCONFIG = b"#\n# Espressif\n#\nCONFIG_SECURE_BOOT=y\n# CONFIG_X is not set\n"
EFUSES = (
    b"EFUSE_NAME (Block) Description = [Meaningful Value]\nDIS_USB_JTAG (BLOCK0)  x = False R/W\n"
)
EFUSES_JSON = b'{"DIS_USB_JTAG": {"name": "DIS_USB_JTAG", "value": false}}'
INVENTORY_CSV = "﻿id;firmware;last seen\na;1.0;2026-01-01\n".encode()
INVENTORY_JSON = b'[{"id": "a", "firmware": "1.0"}]'


@pytest.mark.parametrize(
    ("text", "kind", "host", "port", "uses_tls", "name"),
    [
        ("mqtt://broker", TargetKind.MQTT, "broker", 1883, False, "mqtt://broker:1883"),
        ("mqtts://Broker.Example/", TargetKind.MQTT, "broker.example", 8883, True, None),
        ("MQTTS://b:18883", TargetKind.MQTT, "b", 18883, True, "mqtts://b:18883"),
        ("http://[::1]:80", TargetKind.API, "::1", 80, False, "http://[::1]:80"),
        ("https://a/v1/x", TargetKind.API, "a", 443, True, "https://a:443/v1/x"),
        ("tls://192.0.2.1:8443", TargetKind.TLS, "192.0.2.1", 8443, True, None),
        ("host://192.0.2.1", TargetKind.HOST, "192.0.2.1", 0, False, "host://192.0.2.1"),
    ],
)
def test_a_url_is_told_by_its_scheme(
    text: str, kind: TargetKind, host: str, port: int, uses_tls: bool, name: str | None
) -> None:
    target = parse_target(text)
    assert (target.kind, target.host, target.port, target.uses_tls) == (kind, host, port, uses_tls)
    assert name is None or target.name == name


def test_what_was_given_goes_along() -> None:
    access = Access(username="x", password="y")
    policy = FleetPolicy(silent_days=3)
    target = parse_target("https://a/v1", access, name="shop", policy=policy)
    assert (target.name, target.base_path) == ("shop", "/v1")
    assert target.access is access
    assert target.policy is policy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no target"),
        ("mqtt://a\nb", "is no target"),
        ("gopher://a", "no scheme is 'gopher'"),
        ("mqtt://", "no host name"),
        ("mqtt://a b", "no host name"),
        ("mqtt://-a", "no host name"),
        ("mqtt://a:99999", "out of range"),
        ("mqtt://a:x", "mqtt://a:x"),
        ("tls://a:0", "port 0"),
        ("mqtt://[::1", "mqtt://[::1"),
        ("mqtt://a/topic", "nothing follows the port"),
        ("https://a/?token=1", "leave out what follows"),
        ("host://a:80", "looks at all ports"),
        ("localhost:8883", "needs a scheme"),
        ("/nowhere/at/all", "No such file"),
    ],
)
def test_what_is_no_target_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_target(text)
    assert words in str(refused.value)


@pytest.mark.parametrize("text", ["mqtt://me:hunter2@host", "https://hunter2@host/x"])
def test_a_password_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_target(text)
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_a_token_in_a_query_is_not_repeated() -> None:
    with pytest.raises(UsageError) as refused:
        parse_target("https://host/x?token=hunter2")
    assert "hunter2" not in refused.value.message + refused.value.hint


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_usage_error(text: str) -> None:
    for scheme in ("", "mqtt://", "https://", "tls://", "host://"):
        try:
            target = parse_target(scheme + text)
        except UsageError:
            continue
        assert target.name
        assert 0 <= target.port <= 65_535


# Content


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("mosquitto.conf", MOSQUITTO, TargetKind.MOSQUITTO),
        ("mosquitto.conf", b"", TargetKind.MOSQUITTO),
        ("broker.txt", MOSQUITTO, TargetKind.MOSQUITTO),
        ("sdkconfig", SDKCONFIG, TargetKind.SDKCONFIG),
        ("sdkconfig.old", SDKCONFIG, TargetKind.SDKCONFIG),
        ("x", SDKCONFIG, TargetKind.SDKCONFIG),
        ("summary.txt", EFUSES, TargetKind.EFUSE),
        ("efuse.json", EFUSES_JSON, TargetKind.EFUSE),
        ("devices.csv", INVENTORY_CSV, TargetKind.INVENTORY),
        ("list", INVENTORY_CSV, TargetKind.INVENTORY),
        ("devices.json", INVENTORY_JSON, TargetKind.INVENTORY),
        ("devices.csv", b"", TargetKind.INVENTORY),
    ],
)
def test_a_file_is_told_by_its_content(name: str, content: bytes, kind: TargetKind) -> None:
    assert recognize_file(name, content) is kind


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mosquitto.conf", SDKCONFIG, "named like a Mosquitto configuration but holds an ESP-IDF"),
        ("sdkconfig", b"\x7fELF\0\0", "named like an ESP-IDF sdkconfig but holds binary data"),
        ("devices.csv", MOSQUITTO, "but holds a Mosquitto configuration"),
        ("x.conf", b"hello world\n", "holds nothing that the audit knows"),
        ("mosquitto.conf", b"<html>not found</html>", "but holds nothing"),
        ("x", b"\xff\xfe" + b"\xff" * 100, "no UTF-8 text"),
        ("x", b"", "holds nothing"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    name: str, content: bytes, words: str
) -> None:
    with pytest.raises(UnrecognizedError, match=words):
        recognize_file(name, content)


@given(name=st.sampled_from(["sdkconfig", "mosquitto.conf", "a.csv", "x"]), content=st.binary())
def test_any_content_is_recognised_or_refused(name: str, content: bytes) -> None:
    said = ""
    try:
        assert recognize_file(name, content) in set(TargetKind)
    except UnrecognizedError as error:
        said = str(error)
    assert not said or said.startswith(name)


def test_folders_are_firmware_or_a_state_directory(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("pass")
    assert parse_target(str(tmp_path)).kind is TargetKind.FIRMWARE
    (tmp_path / "seawall.toml").write_text("")
    target = parse_target(str(tmp_path))
    assert (target.kind, target.path) == (TargetKind.STATE, tmp_path)


def test_a_state_directory_is_known_among_very_many_files(tmp_path: Path) -> None:
    for number in range(3_000):
        (tmp_path / f"{number}").touch()
    assert parse_target(str(tmp_path)).kind is TargetKind.FIRMWARE
    (tmp_path / "seawall.toml").touch()
    assert parse_target(str(tmp_path)).kind is TargetKind.STATE


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mosquitto.conf")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        parse_target(str(tmp_path / "mosquitto.conf"))


def test_a_kind_that_is_said_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "export.dat"
    path.write_bytes(b"whatever")
    assert parse_target(str(path), kind=TargetKind.INVENTORY).kind is TargetKind.INVENTORY


def test_one_file_of_firmware_is_told_to_come_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import machine\n")
    with pytest.raises(UsageError) as refused:
        parse_target(str(tmp_path / "main.py"))
    assert "give the folder" in refused.value.hint

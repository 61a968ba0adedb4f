"""Sensors, the life of a device, and what a bundle holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.devices import bundle, lifecycle
from seawall.devices.bundle import Connection, Credentials, Wifi
from seawall.devices.firmware import agent_directory, agent_files, compile_module
from seawall.devices.lifecycle import NewDevice
from seawall.devices.proof import connect_packet
from seawall.devices.sensors import check_sensors, parse_sensor, sensor_configurations
from seawall.errors import (
    ConfigurationError,
    ConflictError,
    InvalidNameError,
    SeawallError,
    ServiceError,
    UsageError,
)
from seawall.model.device import Board, Device, DeviceStatus, Profile, Sensor, Trust
from seawall.wire import tmp36

DEVICE = Device(
    device_id="greenhouse-1",
    board=Board.UNIX,
    status=DeviceStatus.ACTIVE,
    profile=Profile.SEAWALL_1,
    trust=Trust.CA_AND_PIN,
    key_generation=1,
    certificate_serial="1a",
    certificate_sha256="00",
    certificate_not_after_ms=0,
    added_ms=1,
    changed_ms=1,
    sensors=(Sensor("tmp36", "0"),),
)
CONNECTION = Connection(
    "iot.example.org", 8883, "iot.example.org", "puback", ("aa" * 32, "bb" * 32)
)
CREDENTIALS = Credentials(b"ca", b"cert", b"key", b"h" * 32)


# Sensors


@pytest.mark.parametrize(
    "text", ["tmp36:0", "tmp36:A0", "tmp36-tutorial:34", "dht22:4", "dht11:D5"]
)
def test_sensors_are_kind_and_pin(text: str) -> None:
    sensor = parse_sensor(text)
    assert f"{sensor.kind}:{sensor.pin}" == text


@pytest.mark.parametrize(
    "text", ["", "tmp36", "tmp36:", "lm35:0", "tmp36:a b", "tmp36:../x", "tmp36:0:1", "TMP36:0"]
)
def test_sensors_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_sensor(text)


@given(st.text())
def test_any_text_is_a_sensor_or_a_usage_error(text: str) -> None:
    try:
        sensor = parse_sensor(text)
    except UsageError:
        return
    assert f"{sensor.kind}:{sensor.pin}" == text


def test_the_counts_of_each_board_become_degrees() -> None:
    boards = {
        Board.UNIX: tmp36.NODEMCU,
        Board.ESP8266: tmp36.NODEMCU,
        Board.RP2: tmp36.RP2,
    }
    for board, converter in boards.items():
        (configuration,) = sensor_configurations((Sensor("tmp36", "0"),), board)
        assert configuration["full_scale_uv"] == converter.full_scale_uv
        assert (1 << configuration["bits"]) - 1 == converter.top
        assert configuration["formula"] == "tmp36"


def test_several_sensors_have_names_of_their_own() -> None:
    sensors = (Sensor("tmp36", "34"), Sensor("dht22", "4"), Sensor("tmp36-tutorial", "35"))
    configurations = sensor_configurations(sensors, Board.ESP32)
    assert [each["name"] for each in configurations] == ["temp", "temp_2", "temp_3"]
    assert [each["kind"] for each in configurations] == ["tmp36", "dht22", "tmp36"]
    assert configurations[2]["formula"] == "tmp36-tutorial"


@pytest.mark.parametrize(
    ("sensors", "board"),
    [
        ((Sensor("tmp36", "4"), Sensor("dht22", "4")), Board.ESP32),
        ((Sensor("tmp36", "4"),), Board.ESP8266),
        (tuple(Sensor("dht22", str(n)) for n in range(9)), Board.ESP32),
    ],
)
def test_sensors_that_a_board_cannot_have(sensors: tuple[Sensor, ...], board: Board) -> None:
    with pytest.raises(UsageError):
        check_sensors(sensors, board)


# Life


def test_the_life_of_a_device() -> None:
    off = lifecycle.disabled(DEVICE, 5)
    assert (off.status, off.changed_ms) == (DeviceStatus.DISABLED, 5)
    assert lifecycle.enabled(off, 6).status is DeviceStatus.ACTIVE
    gone = DEVICE.with_status(DeviceStatus.REVOKED, 7)
    for change, device in (
        (lifecycle.enabled, DEVICE),
        (lifecycle.disabled, off),
        (lifecycle.enabled, gone),
        (lifecycle.disabled, gone),
    ):
        with pytest.raises(ConflictError):
            change(device, 8)


def test_a_board_that_cannot_verify_is_refused_and_labelled() -> None:
    with pytest.raises(UsageError) as caught:
        lifecycle.check_new_device(NewDevice("old", Board.ESP8266))
    assert caught.value.reference == "server-unauthenticated"
    assert "--accept-unauthenticated-server" in caught.value.hint
    lifecycle.check_new_device(NewDevice("old", Board.ESP8266, accept_unauthenticated_server=True))
    assert lifecycle.trust_label(replace(DEVICE, board=Board.ESP8266)) == "server unauthenticated"
    assert lifecycle.trust_label(DEVICE) == "ca+pin"


@pytest.mark.parametrize("device_id", ["a/b", "a#", "a+", "a\0", "", "@ingest", "x" * 65])
def test_hostile_ids_are_refused_before_any_key_is_made(device_id: str) -> None:
    with pytest.raises(InvalidNameError):
        lifecycle.check_new_device(NewDevice(device_id))


@pytest.mark.parametrize("interval_ms", [0, -1, 99, 86_400_001])
def test_intervals_out_of_range(interval_ms: int) -> None:
    with pytest.raises(UsageError):
        lifecycle.check_new_device(NewDevice("d", interval_ms=interval_ms))


# Bundle


def test_the_configuration_is_the_one_agreed_with_the_agent() -> None:
    assert bundle.bundle_configuration(DEVICE, CONNECTION, None) == {
        "format": 1,
        "device_id": "greenhouse-1",
        "board": "unix",
        "profile": "seawall/1",
        "broker": {
            "host": "iot.example.org",
            "port": 8883,
            "server_name": "iot.example.org",
            "ack": "puback",
            "keepalive_s": 30,
        },
        "trust": {"mode": "ca+pin", "pins": ["aa" * 32, "bb" * 32]},
        "sensors": [
            {
                "kind": "tmp36",
                "pin": "0",
                "name": "temp",
                "formula": "tmp36",
                "samples": 16,
                "full_scale_uv": 3_200_000,
                "bits": 10,
            }
        ],
        "interval_ms": 10_000,
        "outbox": {"max_readings": 500},
        "clock": {"ntp": ["pool.ntp.org"], "use_ntp": False},
        "wifi": None,
        "updates": None,
    }


def test_boards_set_their_clock_and_join_a_network() -> None:
    device = replace(DEVICE, board=Board.ESP32, trust=Trust.CA)
    configuration = bundle.bundle_configuration(device, CONNECTION, Wifi("Höme", "s3cret-s3cret"))
    assert configuration["clock"]["use_ntp"] is True
    assert configuration["wifi"] == {"ssid": "Höme", "password": "s3cret-s3cret"}
    assert configuration["trust"] == {"mode": "ca", "pins": []}


@pytest.mark.parametrize(
    ("ssid", "password"),
    [("", "12345678"), ("x" * 33, "12345678"), ("é" * 17, "12345678"), ("x", "short"), ("x", "")],
)
def test_networks_that_no_board_joins(ssid: str, password: str) -> None:
    with pytest.raises(ConfigurationError):
        bundle.check_wifi(Wifi(ssid, password))


def test_a_board_without_a_listener_gets_no_bundle() -> None:
    with pytest.raises(ConfigurationError) as caught:
        bundle.check_board(Board.ESP8266)
    assert caught.value.reference == "no-rsa-listener"


def _files(device: Device, agent: Mapping[str, bytes]) -> dict[str, bytes]:
    configuration = bundle.bundle_configuration(device, CONNECTION, None)
    return bundle.bundle_files(configuration, CREDENTIALS, bundle.agent_for(device, agent))


def test_a_bundle_holds_all_that_the_agent_reads_and_says_how_to_use_it() -> None:
    agent = agent_files(agent_directory())
    for board, start in ((Board.UNIX, "micropython -X heapsize"), (Board.RP2, "mpremote fs cp")):
        made = _files(replace(DEVICE, board=board), agent)
        wanted = {"config.json", "ca.der", "cert.der", "key.der", "hmac.key", "main.py"}
        assert wanted <= made.keys()
        assert json.loads(made["config.json"])["board"] == board.value
        assert start in made["README.txt"].decode()
        modules = {Path(name).stem for name in made}
        assert ("hardware_board" in modules) is (board is not Board.UNIX)
        if board is not Board.UNIX:
            assert not [name for name in modules if "unix" in name or "fake" in name]


def test_a_plain_device_is_not_given_an_agent_that_it_cannot_use() -> None:
    made = _files(replace(DEVICE, profile=Profile.PLAIN), {"main.py": b""})
    assert "main.py" not in made
    assert "mosquitto_sub" in made["README.txt"].decode()


# Firmware


def test_every_module_of_the_agent_is_bytecode_for_any_architecture() -> None:
    made = agent_files(agent_directory())
    modules = {
        name: data for name, data in made.items() if name not in {"main.py", "main_alone.py"}
    }
    assert "seawall_agent/app.mpy" in modules
    for name, data in modules.items():
        # Header: 'M', version 6, no native code (docs.micropython.org, "MicroPython .mpy files").
        assert data[:2] == b"M\x06", name
        assert data[2] >> 2 == 0, name
        assert b"/tmp" not in data, name
    source = agent_files(agent_directory(), keep_source=True)
    assert {Path(name).stem for name in source} == {Path(name).stem for name in made}
    assert all(name.endswith(".py") for name in source)


def test_the_agent_leans_on_no_assert() -> None:
    """Bytecode is compiled without them, so that sources and bytecode must not differ by one."""
    for name, data in agent_files(agent_directory(), keep_source=True).items():
        assert not any(line.strip().startswith(b"assert") for line in data.splitlines()), name


def test_a_module_that_does_not_compile_is_named() -> None:
    with pytest.raises(ServiceError, match=r"broken\.py") as caught:
        compile_module("broken.py", b"def (:\n")
    assert caught.value.reference == "compiler-failed"
    assert isinstance(caught.value, SeawallError)


def test_a_connect_packet_is_mqtt_3_1_1() -> None:
    packet = connect_packet("d" * 64)
    assert packet[:2] == bytes((0x10, len(packet) - 2))
    assert packet[2:10] == b"\x00\x04MQTT\x04\x02"
    assert packet.endswith(b"\x00\x40" + b"d" * 64)

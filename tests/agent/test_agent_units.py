"""The agent's parts, each by itself, under the real MicroPython: see the scripts in device/."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from device_script import put_script

from seawall.devices.firmware import agent_directory, agent_files

pytestmark = pytest.mark.system

AGENT = agent_directory()
NTP_EPOCH_S = 2_208_988_800
NTP_NOW_S = 3_000_000_000  # what the good server says: in the era that begins in 2036

Run = Callable[..., str]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as a bundle has it: .mpy."""
    folder = tmp_path_factory.mktemp("agent")
    for name, content in agent_files(AGENT).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def run(compiled: Path, program: Callable[[str], str], tmp_path: Path) -> Run:
    """Run a script of device/ under MicroPython; return what it printed."""
    micropython = program("micropython")

    def run(script: str, *arguments: str, heap: str = "64k", stdin: str = "") -> str:
        done = subprocess.run(
            [
                *(micropython, "-X", f"heapsize={heap}"),
                *(str(put_script(script, tmp_path)), str(compiled), *arguments),
            ],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=150,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    return run


def test_vectors_are_judged_as_by_the_server(run: Run, repository: Path) -> None:
    vectors = repository / "vectors"
    printed = run("vectors.py", str(vectors))
    for name in ("hmac.json", "envelope.json", "commands.json", "tmp36.json"):
        count = len(json.loads((vectors / name).read_text()))
        assert f"{name} {count}" in printed.splitlines()


def test_outbox_survives_a_cut_at_every_byte(run: Run) -> None:
    printed = run("outbox_cuts.py", heap="128k")
    assert printed.splitlines()[0].startswith("cuts ")
    assert "full 250" in printed


def test_state_survives_a_cut_at_every_byte(run: Run) -> None:
    assert run("state_cuts.py").strip() == "cuts 32"


def test_sensors(run: Run) -> None:
    assert run("sensing.py").strip() == "sensors"


@pytest.mark.parametrize("seed", [1, 2, 3, 39])  # in 39 garbage passes for a command
def test_packets_whole_cut_and_garbled(run: Run, seed: int) -> None:
    assert run("packets.py", str(seed), heap="256k").splitlines()[-1].startswith("packets ")


@pytest.fixture
def ntp_servers() -> Generator[tuple[int, int], None, None]:
    """Ports of an NTP server, and of one that answers, but not to the question."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))

    def serve(s: socket.socket, is_good: bool) -> None:
        while True:
            try:
                question, peer = s.recvfrom(100)
            except OSError:
                return
            if not question:
                return
            answer = bytearray(48)
            answer[0:2] = b"\x24\x02"
            answer[24:32] = question[40:48] if is_good else b"\0" * 8
            answer[40:44] = struct.pack(">I", (NTP_NOW_S + NTP_EPOCH_S) & 0xFFFFFFFF)
            s.sendto(answer, peer)

    threads = [
        threading.Thread(target=serve, args=(s, is_good), daemon=True)
        for s, is_good in zip(sockets, (True, False), strict=True)
    ]
    for thread in threads:
        thread.start()
    good, bad = (s.getsockname()[1] for s in sockets)
    yield good, bad
    for s in sockets:
        s.sendto(b"", s.getsockname())
    for thread in threads:
        thread.join(5)
    for s in sockets:
        s.close()


def test_clock(run: Run, ntp_servers: tuple[int, int]) -> None:
    good, bad = ntp_servers
    assert run("clock.py", str(good), str(bad)).splitlines()[-1] == "clock"


VALID: dict[str, Any] = {
    "format": 1,
    "device_id": "greenhouse-1",
    "board": "unix",
    "profile": "seawall/1",
    "broker": {"host": "localhost", "port": 8883, "server_name": "localhost"},
    "trust": {"mode": "ca+pin", "pins": ["0" * 64, "f" * 64]},
    "sensors": [{"kind": "tmp36", "pin": "0", "name": "temp"}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    configuration = json.loads(json.dumps(VALID))
    place: Any = configuration
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return configuration  # type: ignore[no-any-return]


# What is wrong, and how the line that says so begins.
WRONG: list[tuple[dict[str, Any], str]] = [
    (changed("format", 2), "format: not int 1 1"),
    (changed("device_id", ...), "device_id: missing"),
    (changed("device_id", ""), "device_id: not a text"),
    (changed("device_id", 7), "device_id: not a text"),
    (changed("board", "pdp11"), "board: not unix|esp32|rp2|esp8266"),
    (changed("profile", "plain"), "profile: not seawall/1"),
    (changed("interval_ms", 5), "interval_ms: not int 10 86400000"),
    (changed("interval_ms", "5000"), "interval_ms: not int 10 86400000"),
    (changed("interval_ms", 2.5), "interval_ms: not int 10 86400000"),
    (changed("broker", ...), "broker.host: missing"),
    (changed("broker", "x"), "broker.host: "),
    (changed("broker.port", 0), "broker.port: not int 1 65535"),
    (changed("broker.port", True), "broker.port: not int 1 65535"),
    (changed("broker.ack", "perhaps"), "broker.ack: not puback|stored"),
    (changed("broker.keepalive_s", 70_000), "broker.keepalive_s: not int 1 65535"),
    (changed("trust.mode", "none"), "trust.mode: not ca|pin|ca+pin"),
    (changed("trust.pins", []), "trust.pins: not 64 hex digits"),
    (changed("trust.pins", ["00"]), "trust.pins: not 64 hex digits"),
    (changed("trust.pins", ["x" * 64]), "trust.pins: "),
    (changed("trust.pins", ["0" * 64] * 5), "trust.pins: not list 0 4"),
    (changed("sensors", []), "sensors: not list 1 8"),
    (changed("sensors.0.kind", "bmp280"), "sensors.kind: not tmp36|dht11|dht22"),
    (changed("sensors.0.pin", 0), "sensors.pin: not a text"),
    (changed("sensors.0.samples", 65), "sensors.samples: not int 1 64"),
    (changed("sensors.0.points", [[1, 2]]), "sensors.points: "),
    (changed("sensors.0.points", [[1, 2], [1, 3]]), "sensors.points: "),
    (changed("outbox", {"max_readings": 0}), "outbox.max_readings: not int 1 100000"),
    (changed("clock", {"use_ntp": 1}), "clock.use_ntp: not bool 0 1"),
]
RIGHT = [
    VALID,
    changed("trust", {"mode": "ca"}),
    changed("trust.mode", "pin"),
    changed("sensors.0.points", [[0, 500], [100_000, 101_000]]),
    changed("wifi", {"ssid": "barn", "password": "correct horse"}),
    changed("clock", {"use_ntp": True, "ntp": ["192.0.2.1"]}),
]


def test_configuration_errors_name_the_field(run: Run) -> None:
    texts = [json.dumps(configuration) for configuration, _ in WRONG]
    texts += ["{", "[]", "null", ""]
    texts += [json.dumps(configuration) for configuration in RIGHT]
    answers = run("config.py", stdin="".join(text + "\n" for text in texts)).splitlines()
    assert len(answers) == len(texts)
    for answer, (_, expected) in zip(answers, WRONG, strict=False):
        assert answer.startswith(f"config.json: {expected}"), answer
    broken = answers[len(WRONG) : len(WRONG) + 4]
    assert all(answer.startswith("config.json: ") for answer in broken), broken
    assert answers[len(WRONG) + 4 :] == ["OK"] * len(RIGHT)


def test_slots_are_built_within_their_folder_and_within_flash(run: Run) -> None:
    assert run("building.py", heap="2m").splitlines() == ["built", "refused 17", "full", "good 3"]


def test_firmware_images_go_through_the_same_slots(run: Run) -> None:
    printed = run("partitions.py", heap="2m").splitlines()
    assert [line for line in printed if not line.startswith("seawall: ")] == [
        "written",
        "ValueError: new",
        "ValueError: new",
        "tried",
    ]
    reasons = [line.rpartition(" ")[2] for line in printed if "rolled back" in line]
    assert reasons == [
        *("crashed", "boot-loop", "crashed", "boot-loop", "no-connection"),
        *("boot-loop", "no-connection"),
    ]


def test_a_connection_that_fails_keeps_no_other_from_its_handshake(run: Run) -> None:
    assert run("dialing.py") == "None\n"

"""`seawall import --as-readings` and `seawall export --readings` as people call them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from seawall.testing.daemon_process import DaemonProcess, make_installation

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
SF = ROOT / "examples" / "data" / "sf-temps.csv"


class Done(NamedTuple):
    status: int
    out: str
    words: str


@pytest.fixture
def state(tmp_path: Path) -> Path:
    make_installation(tmp_path / "state").store.close()
    return tmp_path / "state"


Seawall = Callable[..., Done]


@pytest.fixture
def seawall(state: Path) -> Seawall:
    def call(*words: str, data: bytes = b"") -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "seawall", *words],
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
            env={**os.environ, "SEAWALL_STATE": str(state)},
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


def sf_import(*more: str) -> tuple[str, ...]:
    return (
        *("import", "--type", "csv", "--headerline", "--file", str(SF), "--as-readings"),
        *("--device", "sf", "--time-field", "date", "--metric", "temp:degF", *more),
    )


def test_a_year_of_san_francisco(seawall: Seawall) -> None:
    first = seawall(*sf_import())
    assert first.status == 0, first.words
    assert "8759 rows: 8759 readings new, 0 already there" in first.words
    assert "°F to °C" in first.words

    again = seawall(*sf_import())
    assert again.status == 0
    assert "8759 rows: 0 readings new, 8759 already there" in again.words

    readings = json.loads(seawall("readings", "sf", "--json").out)
    assert len(readings) == 8759
    assert readings[0]["ts"] == "2010-01-01T00:00:00.000Z"
    assert readings[0]["metrics"] == {"temp": 8.778}


def test_while_the_service_runs(seawall: Seawall, state: Path, tmp_path: Path) -> None:
    daemon = DaemonProcess(state, tmp_path / "log")
    daemon.start()
    try:
        daemon.wait_ready()
        assert "8759 readings new" in seawall(*sf_import()).words
        listed = json.loads(seawall("device", "list", "--json").out)
        assert [(each["device"], each["readings"]) for each in listed] == [("sf", 8759)]
    finally:
        assert daemon.stop() == 0, daemon.log()


def test_a_zone_with_summer_time(seawall: Seawall) -> None:
    done = seawall(*sf_import("--time-zone", "America/Los_Angeles", "--dry-run"))

    assert done.status == 1
    assert "refused: line 1732, column 'date': '2010/03/14 02:00:00' never was" in done.words
    assert "8759 rows: 8758 readings would be new" in done.words
    assert "device sf would be registered" in done.words
    assert done.out.splitlines()[:2] == [
        "time\tdevice\ttemp",
        "2010-01-01T08:00:00.000Z\tsf\t8.778",
    ]
    assert seawall("readings", "sf").status == 3


CSV = b"time,temp\n2026-05-01T12:00:00Z,21\n"


def test_an_unknown_device_is_registered_and_said_to_be(seawall: Seawall) -> None:
    words = ("import", "--type", "csv", "--headerline", "--as-readings", "--device", "attic")
    registered = [{"device": "attic", "status": "disabled"}]

    dry = seawall(*words, "--dry-run", "--json", data=CSV)
    told = json.loads(dry.out)
    assert (told["dry_run"], told["new"], told["registered"]) == (True, 1, registered)
    assert seawall("device", "show", "attic").status == 3

    first = seawall(*words, "--json", data=CSV)
    assert first.status == 0
    assert "device attic is new: registered, disabled" in first.words
    assert "'seawall device enable attic'" in first.words
    told = json.loads(first.out)
    assert (told["dry_run"], told["rows"], told["new"]) == (False, 1, 1)
    assert told["registered"] == registered
    assert told["first_readings"] == [
        {"ts": "2026-05-01T12:00:00.000Z", "device": "attic", "metrics": {"temp": 21.0}}
    ]

    again = seawall(*words, "--json", "--quiet", data=CSV)
    told = json.loads(again.out)
    assert (again.words, told["known"], told["registered"]) == ("", 1, [])

    taken = seawall("device", "add", "attic")
    assert taken.status == 4
    assert "there is a device attic already, which is disabled" in taken.words
    assert "'seawall device enable attic'" in taken.words
    assert "revoked" not in taken.words
    assert seawall("device", "enable", "attic").status == 0
    assert "choose another name" in seawall("device", "add", "attic").words


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (("--type", "csv", "--headerline"), CSV),
        (("--type", "csv", "--headerline", "--delimiter", ";"), CSV.replace(b",", b";")),
        (("--type", "tsv", "--headerline"), CSV.replace(b",", b"\t")),
        (("--type", "csv", "--fields", "time,temp"), CSV.partition(b"\n")[2]),
        (("--type", "csv", "--headerline"), b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n")),
        ((), b'{"time":{"$date":"2026-05-01T12:00:00Z"},"temp":{"$numberInt":"21"}}'),
        (("--jsonArray",), b'[{"ts":1777636800000,"temp":21}]'),
        (("--legacy",), b"{when: ISODate('2026-05-01T12:00:00Z'), temp: 21}"),
    ],
)
def test_inputs_of_all_kinds(seawall: Seawall, words: tuple[str, ...], data: bytes) -> None:
    done = seawall("import", *words, "--as-readings", "--device=a", "--quiet", data=data)
    assert (done.status, done.words) == (0, "")

    shown = seawall("export", "--readings", "--device", "a")
    assert shown.out == '{"time":"2026-05-01T12:00:00.000Z","device":"a","temp":21}\n'


def test_a_packed_file_and_a_new_folder(seawall: Seawall, tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV))
    place = tmp_path / "new" / "a.csv"

    words = ("import", "--type=csv", "--headerline", str(tmp_path / "a.csv.gz"))
    assert seawall(*words, "--as-readings", "--device", "a").status == 0
    done = seawall("export", "--readings", "--type", "csv", "--out", str(place))
    assert (done.status, done.out) == (0, "")
    assert place.read_text() == "time,device,temp\n2026-05-01T12:00:00.000Z,a,21\n"
    assert done.words.endswith("\texported 1 record\n")


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ((), 1, "--as-readings needs either --device or --device-field"),
        (("--device", "a", "--device-field", "b"), 1, "needs either --device or"),
        (("--device", "a", "--drop"), 1, "--drop is about MongoDB, and has no meaning with"),
        (("--device", "a", "-d", "x"), 1, "--db is about MongoDB"),
        (("--device", "a/b"), 2, "error: device id 'a/b' has '/'"),
        (("--device", "a", "--time-field", "x"), 2, "error: there is no column 'x'"),
        (("--device", "a", "--time-zone", "x"), 2, "error: there is no time zone 'x'"),
        (("--device", "a", "--time-format", "x"), 2, "error: time format 'x' is not understood"),
        (("--device", "a", "--metric", "temp:x"), 2, "error: unit 'x' is not known"),
        (("--device", "a", "--state", "/nowhere"), 3, "is no Seawall installation"),
        (("--device", "a", "--fields", "a"), 1, "incompatible options: --fields and --headerline"),
    ],
)
def test_lines_that_are_refused(
    seawall: Seawall, words: tuple[str, ...], status: int, text: str
) -> None:
    line = ("import", "--type", "csv", "--headerline", "--as-readings", *words)

    done = seawall(*line, data=CSV)

    assert text in done.words
    assert done.status == status


def test_a_missing_file_and_an_empty_one(seawall: Seawall, tmp_path: Path) -> None:
    line = ("import", "--type", "csv", "--headerline", "--as-readings", "--device", "a")

    missing = seawall(*line, str(tmp_path / "none.csv"))
    assert (missing.status, "none.csv" in missing.words) == (1, True)
    empty = seawall(*line)
    assert (empty.status, "there is no header line" in empty.words) == (1, True)


def test_a_broken_row_and_how_to_go_on(seawall: Seawall) -> None:
    data = CSV + b'2026-05-02,"x" y\n2026-05-03,23\n'
    line = ("import", "--type", "csv", "--headerline", "--as-readings", "--device", "a")

    broken = seawall(*line, data=data)
    assert broken.status == 1
    assert "1 rows: 1 readings new" in broken.words
    assert "line 3, column" in broken.words
    around = seawall(*line, "--skip-bad-rows", data=data)
    assert around.status == 1
    assert "3 rows: 1 readings new, 1 already there, 1 refused" in around.words


def test_interrupted(state: Path, wait_until: Callable[..., object]) -> None:
    words = ("import", "--type", "csv", "--headerline", "--as-readings", "--device", "a")
    with subprocess.Popen(
        [sys.executable, "-m", "seawall", *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SEAWALL_STATE": str(state)},
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(b"time,temp\n")
        for number in range(200_000):
            running.stdin.write(b"%d,%d\n" % (1_262_304_000 + number, number % 50))
        running.stdin.flush()
        assert running.stderr.readline().startswith(b"time: column 'time'")
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        said = running.stderr.read().decode()
        assert running.wait(30) == 130, said
    new = int(said.split(" readings new")[0].rsplit(" ", 1)[1])
    assert "interrupted" in said
    done = subprocess.run(
        [sys.executable, "-m", "seawall", "export", "--readings", "--device", "a"],
        capture_output=True,
        check=True,
        env={**os.environ, "SEAWALL_STATE": str(state)},
    )
    assert done.stdout.count(b"\n") == new > 0


def test_exports_that_are_refused(seawall: Seawall) -> None:
    assert seawall("export", "--readings", "--device", "nobody").status == 3
    assert seawall("export", "--readings", "--type", "tsv").status == 1
    assert seawall("export", "--readings", "--since", "soon").status == 2
    assert seawall("export", "--readings", "-q", "{}").status == 1
    empty = seawall("export", "--readings", "--jsonArray")
    assert (empty.status, empty.out) == (0, "[]\n")

"""`seawall readings` and `seawall refusals`, from the command line down to a store."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from seawall.cli.commands import readings as readings_module
from seawall.cli.commands import refusals as refusals_module
from seawall.cli.moments import iso_utc, parse_moment, parse_span
from seawall.cli.plots import plot, sparkline
from seawall.errors import InvalidNameError, NotFoundError, SeawallError, UsageError
from seawall.model.history import ReadingQuery
from seawall.model.reading import MAX_TS_MS, Batch, Reason, Refusal
from seawall.testing.memory_store import MemoryStore
from seawall.testing.store_contract import T0_MS, a_device, a_reading, a_refusal, an_event


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore()
    store.add_device(a_device("silent"), an_event("silent"))

    @contextmanager
    def opened(state: Path) -> Iterator[object]:
        yield SimpleNamespace(store=store, now_ms=lambda: T0_MS + 100_000)

    monkeypatch.setattr(readings_module, "opened", opened)
    monkeypatch.setattr(refusals_module, "opened", opened)
    return store


def readings(*args: str) -> Result:
    return CliRunner().invoke(readings_module.command, [*args, "--state", "x"])


def refusals(*args: str) -> Result:
    return CliRunner().invoke(refusals_module.command, [*args, "--state", "x"])


# -- readings


def test_readings_as_json(store: MemoryStore) -> None:
    kept = [a_reading("a", n) for n in range(30)] + [a_reading("b", 3)]
    store.append(Batch(kept))
    result = readings("--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    assert len(facts) == 31
    assert facts[0] == {
        "device_id": "a",
        "ts": "2025-11-21T21:06:56.000Z",
        "ts_ms": T0_MS,
        "boot": 1,
        "seq": 0,
        "received_ms": T0_MS + 7,
        "metrics": {"temp": 20.5, "raw": 700},
    }
    assert len(result.stdout.splitlines()) == 33, "one line each, and the brackets"


def test_readings_are_narrowed(store: MemoryStore) -> None:
    store.append(Batch([a_reading(d, n) for d in "ab" for n in range(100)]))
    store.append(Batch([a_reading("a", 100, body='{"hum":1}')]))

    def seqs(*args: str) -> list[int]:
        return [fact["seq"] for fact in json.loads(readings("a", "--json", *args).stdout)]

    assert seqs("--last", "2") == [99, 100]
    assert seqs("--since", "3s") == [97, 98, 99, 100]
    assert seqs("--since", "5s", "--until", "3s") == [95, 96]
    assert seqs("--metric", "hum") == [100]
    only = json.loads(readings("a", "--metric", "temp", "--last", "1", "--json").stdout)[0]
    assert only["metrics"] == {"temp": 29.5}


def test_no_readings_is_an_empty_array(store: MemoryStore) -> None:
    result = readings("silent", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert readings().stderr == "No readings.\n"


def test_readings_on_a_pipe_are_all_there(store: MemoryStore) -> None:
    store.append(Batch([a_reading("a", n) for n in range(50)]))
    lines = readings().stdout.splitlines()
    assert len(lines) == 51
    assert lines[-1].split("\t") == [
        "2025-11-21T21:07:45.000Z",
        "a",
        "1",
        "49",
        "temp=29.5 raw=749",
    ]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("nobody",), NotFoundError),
        (("a/b",), InvalidNameError),
        (("--metric", "sp ace"), InvalidNameError),
        (("--since", "yesterday"), UsageError),
        (("--since", "1h", "--until", "1h"), UsageError),
    ],
)
def test_bad_questions_are_answered_clearly(
    store: MemoryStore, args: tuple[str, ...], error: type[SeawallError]
) -> None:
    result = readings(*args)
    assert type(result.exception) is error
    assert result.exception.hint
    assert result.stdout == ""


def test_people_see_units_and_the_course(
    store: MemoryStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seawall.cli.commands.readings._can_draw", lambda: True)
    shown = [a_reading("a", n) for n in range(20)]
    readings_module._show(shown, ReadingQuery("a"))
    text = capsys.readouterr().out
    assert "29.5 °C" in text
    assert "⠀" in text, "the course, with empty places"
    assert any(bar in text for bar in "▁█")


# -- refusals


def test_refusals_as_json(store: MemoryStore) -> None:
    store.append(Batch([], [], [a_refusal(), a_refusal(None, Reason.TOO_LARGE)]))
    facts = json.loads(refusals("--json").stdout)
    assert facts[0] == {
        "id": 1,
        "at": "2025-11-21T21:06:56.000Z",
        "at_ms": T0_MS,
        "reason": "replay",
        "device_id": "a",
        "topic": "devices/a/readings",
        "detail": "why",
        "payload": "\ufffd{",
        "payload_bytes": 70,
        "peer": "h:1",
    }
    assert [
        fact["id"] for fact in json.loads(refusals("--json", "--reason", "too-large").stdout)
    ] == [2]
    assert [fact["id"] for fact in json.loads(refusals("a", "--json").stdout)] == [1]
    assert json.loads(refusals("stranger", "--json").stdout) == []


def test_what_strangers_sent_steers_no_terminal(store: MemoryStore) -> None:
    nasty = "\x1b]0;owned\x07\u202e[red]\r\n"
    store.append(
        Batch(
            [], [], [Refusal(T0_MS, Reason.MALFORMED, None, nasty, nasty, nasty.encode(), 9, nasty)]
        )
    )
    result = refusals()
    assert not set("\x1b\x07\u202e\r") & set(result.stdout)
    assert len(result.stdout.splitlines()) == 2
    assert "1 malformed" in result.stderr


def test_following_goes_on_with_new_ones(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(Batch([], [], [a_refusal()]))
    waits = itertools.count()

    def wait(_: float) -> None:
        if next(waits) == 2:
            raise KeyboardInterrupt
        store.append(Batch([], [], [a_refusal(reason=Reason.MALFORMED), a_refusal("b")]))

    monkeypatch.setattr("seawall.cli.commands.refusals.time.sleep", wait)
    result = refusals("a", "--follow", "--json")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [1, 2, 4]


# -- moments and plots


def test_moments() -> None:
    now_ms = T0_MS
    assert parse_moment("15m", now_ms) == now_ms - 900_000
    assert parse_moment("2h", now_ms) == now_ms - 7_200_000
    assert parse_moment("1.5d", now_ms) == now_ms - 129_600_000
    assert parse_moment("99999w", now_ms) == 0
    assert parse_moment("2026-05-01", now_ms) == 1_777_593_600_000
    assert parse_moment("2026-05-01T02:00+02:00", now_ms) == 1_777_593_600_000
    assert parse_moment("2026-05-01T00:00:00.123Z", now_ms) == 1_777_593_600_123
    assert parse_moment("1777593600123", now_ms) == 1_777_593_600_123


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "5",
        "m",
        "-5m",
        "5M",
        "2026-13-01",
        "1969-12-31",
        "2100-01-02",
        "9" * 13,
        "1" * 400,
    ],
)
def test_bad_moments(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_moment(text, T0_MS)
    assert caught.value.reference == "bad-moment"


@given(st.integers(0, MAX_TS_MS - 1))
def test_a_printed_moment_can_be_typed(at_ms: int) -> None:
    assert parse_moment(iso_utc(at_ms), T0_MS) == at_ms


@given(st.text())
def test_any_text_is_a_moment_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert 0 <= parse_moment(text, T0_MS) <= MAX_TS_MS


VALUES = st.floats(-1e300, 1e300)


@given(st.lists(VALUES, max_size=200), st.integers(0, 50))
def test_sparklines_fit(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == min(len(values), width)


@given(
    st.lists(st.tuples(st.integers(0, MAX_TS_MS), VALUES), min_size=1, max_size=100),
    st.integers(20, 100),
    st.integers(2, 10),
)
def test_plots_fit(points: list[tuple[int, float]], width: int, height: int) -> None:
    lines = plot(sorted(points), width, height)
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}


def test_a_gap_stays_empty() -> None:
    points = [(n, 1.0) for n in range(10)] + [(n, 1.0) for n in range(90, 100)]
    assert any("\u2800" * 25 in line.strip("\u2800 1") for line in plot(points, 42, 4))


# -- lengths of time


@pytest.mark.parametrize(
    ("text", "span_ms"),
    [("500ms", 500), ("5s", 5000), ("1.5m", 90_000), ("2h", 7_200_000), ("1d", 86_400_000)],
)
def test_lengths_of_time(text: str, span_ms: int) -> None:
    assert parse_span(text) == span_ms


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5s\n", "1e3s", "nan", "5S", "٣s"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_span(text)
    assert caught.value.reference == "bad-span"

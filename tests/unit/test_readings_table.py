"""Tables of old measurements: what is guessed, converted, read as which moment, refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import SeawallError
from seawall.model.reading import MAX_TS_MS, MIN_TS_MS, Reading
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.options import InputOptions
from seawall.transfer.readings import times
from seawall.transfer.readings.failures import (
    CellError,
    ColumnError,
    MetricError,
    NothingMeasuredError,
    TimeFormatError,
    TimeZoneError,
)
from seawall.transfer.readings.identity import PER_MILLISECOND, is_imported, numbered
from seawall.transfer.readings.mapping import NewReading, RefusedRow, Row, Wanted, understand
from seawall.transfer.readings.metrics import made_name, metric_of
from seawall.transfer.readings.rows import Table
from seawall.transfer.readings.units import converted, number_of, split_header, unit_of
from seawall.transfer.readings.zones import zone_of
from seawall.wire.payload import parse_body


def ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


# Cells


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *(("21", 21), ("-21.5", -21.5), (" 1e3 ", 1000.0), (".5", 0.5), ("+7", 7), (21.5, 21.5)),
        *(("", None), ("NaN", None), ("n/a", None), ("-", None), (None, None)),
        *(("9007199254740993", 9007199254740992.0), (float("nan"), None), ("007", 7)),
    ],
)
def test_numbers(cell: Any, number: float | None) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize("cell", ["x", "1,5", "1_000", "0x10", "1e999", "inf", True, [1], "٣"])
def test_cells_that_are_no_numbers(cell: Any) -> None:
    with pytest.raises(CellError):
        number_of(cell)


@pytest.mark.parametrize(
    ("cell", "unit", "stored"),
    [
        ("47.8", "degF", 8.778),
        ("32", "degF", 0.0),
        ("-40", "F", -40.0),
        ("69.88083514", "degF", 21.04490841),
        ("273.15", "K", 0.0),
        ("750", "mV", 25.0),
        ("735", "mV", 23.5),
        ("21.5", "degC", 21.5),
        ("55", "%", 55),
        ("1e2", "degF", 37.778),
    ],
)
def test_units_are_converted(cell: str, unit: str, stored: float) -> None:
    number = number_of(cell)
    assert number is not None
    assert converted(number, cell, unit_of(unit)) == stored


@pytest.mark.parametrize(
    ("cell", "unit"), [("99", "mV"), ("1751", "mV"), ("-1", "K"), ("-460", "degF"), ("-274", "C")]
)
def test_what_cannot_be_is_refused(cell: str, unit: str) -> None:
    with pytest.raises(CellError, match="cannot be in"):
        converted(float(cell), cell, unit_of(unit))


def test_units_in_headers() -> None:
    assert split_header("Temp (°F)") == ("Temp", unit_of("degF"))
    assert split_header("temp [K]") == ("temp", unit_of("K"))
    assert split_header("Temp °C") == ("Temp", unit_of("degC"))
    assert split_header("Temp (roof)") == ("Temp (roof)", None)
    assert made_name("Luft-Temp. (°C)") == "Luft-Temp._C"
    assert made_name("°") is None
    assert made_name("ts") is None
    assert made_name("2nd") is None


COLUMNS = ["time", "temp", "a:b", "x=y", "Temp (°F)", "°"]


@pytest.mark.parametrize(
    ("text", "column", "name", "unit"),
    [
        ("temp", "temp", "temp", None),
        ("temp:degF", "temp", "temp", "°F"),
        ("temp=t", "temp", "t", None),
        ("temp=t:mV", "temp", "t", "mV"),
        ("a:b", "a:b", "a_b", None),
        ("a:b=ab:K", "a:b", "ab", "K"),
        ("x=y=z", "x=y", "z", None),
        ("Temp (°F)", "Temp (°F)", "Temp", "°F"),
        ("Temp (°F)=temp:degC", "Temp (°F)", "temp", "°C"),
    ],
)
def test_metrics_as_typed(text: str, column: str, name: str, unit: str | None) -> None:
    metric = metric_of(text, COLUMNS)
    assert (metric.column, metric.name) == (column, name)
    assert (metric.unit.name if metric.unit else None) == unit


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("nope", ColumnError),
        ("nope=temp", ColumnError),
        ("temp:furlong", MetricError),
        ("temp=1x", MetricError),
        ("temp=seq", MetricError),
        ("°", MetricError),
    ],
)
def test_metrics_that_do_not_fit(text: str, kind: type[SeawallError]) -> None:
    with pytest.raises(kind) as caught:
        metric_of(text, COLUMNS)
    assert caught.value.hint or kind is MetricError


# Times


@pytest.mark.parametrize(
    ("samples", "name", "moment"),
    [
        (["2010/01/01 00:00:00"], "ymd", "2010-01-01T00:00"),
        (["2010-01-02T03:04:05.678Z"], "ymd", "2010-01-02T03:04:05.678"),
        (["2010-01-02 03:04+0530"], "ymd", "2010-01-01T21:34"),
        (["2010-01-02"], "ymd", "2010-01-02T00:00"),
        (["2010.1.2 3:04 pm"], "ymd", "2010-01-02T15:04"),
        (["31.12.2010 13:30", "01.02.2010 00:00"], "dmy", "2010-12-31T13:30"),
        (["31/12/10"], "dmy", "2010-12-31T00:00"),
        (["12/31/2010 1:30 PM", "1/2/2010 12:00 AM"], "mdy", "2010-12-31T13:30"),
        (["31 Dec 2010 13:30"], "names", "2010-12-31T13:30"),
        (["Dec 31, 2010"], "names", "2010-12-31T00:00"),
        (["2-January-2010"], "names", "2010-01-02T00:00"),
        (["1262304000"], "unix", "2010-01-01T00:00"),
        ([1262304000.5], "unix", "2010-01-01T00:00:00.5"),
        (["1262304000500"], "unix-ms", "2010-01-01T00:00:00.5"),
        (["40179.5"], "spreadsheet", "2010-01-01T12:00"),
        ([datetime(2010, 1, 1, tzinfo=UTC)], None, "2010-01-01T00:00"),
    ],
)
def test_formats_are_told_from_samples(samples: list[Any], name: str | None, moment: str) -> None:
    form = times.guess_format(samples, "t")
    assert name in (None, form.name)
    assert form.read(samples[0]).ms == ms(moment)


def test_day_and_month_are_not_guessed() -> None:
    with pytest.raises(TimeFormatError, match="dmy or mdy") as caught:
        times.guess_format(["01/02/2010", "03/04/2010"], "t")
    assert "--time-format dmy" in caught.value.hint


@pytest.mark.parametrize("samples", [["yesterday"], [], ["31/12/2010", "12/31/2010"], ["5"]])
def test_what_cannot_be_told(samples: list[str]) -> None:
    with pytest.raises(TimeFormatError, match="cannot be told"):
        times.guess_format(samples, "t")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d.%m.%y %H:%M", "31.12.10 13:30"),
        ("02.01.06 15:04", "31.12.10 13:30"),
        ("dd/MM/yyyy HH:mm", "31/12/2010 13:30"),
        ("%Y%m%d%H%M%z", "201012311530+0200"),
        ("2006-01-02T15:04Z07:00", "2010-12-31T15:30+02:00"),
        ("dmy", "31-12-2010 13.30"),
    ],
)
def test_formats_as_typed(form: str, text: str) -> None:
    wall = times.time_format(form).read(text)
    assert wall.ms == ms("2010-12-31T13:30")
    assert wall.is_utc == ("z" in form or "Z07" in form)


@pytest.mark.parametrize("form", ["nonsense", "%Q", "15:04", "2006-01-02 15:04 MST"])
def test_formats_that_are_none(form: str) -> None:
    with pytest.raises(TimeFormatError):
        times.time_format(form)


@pytest.mark.parametrize(
    "text", ["2010-13-01", "2010-02-30", "2010-01-01 25:00", "2010-01-01 13:00 PM", "", "x"]
)
def test_times_that_never_were(text: str) -> None:
    with pytest.raises(CellError):
        times.FORMATS["ymd"].read(text)


@given(st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans())
def test_no_cell_is_unexpected(cell: Any) -> None:
    for form in [*times.FORMATS.values(), times.time_format("%Y"), times.time_format("2006")]:
        try:
            form.read(cell)
        except CellError:
            continue
    with contextlib.suppress(CellError):
        number_of(cell)


# Zones


@pytest.mark.parametrize(
    ("name", "wall", "moments"),
    [
        ("America/Los_Angeles", "2010-01-01T00:00", ["2010-01-01T08:00"]),
        ("America/Los_Angeles", "2010-03-14T02:30", []),
        ("America/Los_Angeles", "2010-11-07T01:30", ["2010-11-07T08:30", "2010-11-07T09:30"]),
        ("Europe/Berlin", "2026-03-29T02:00", []),
        ("Europe/Berlin", "2026-03-29T03:00", ["2026-03-29T01:00"]),
        ("Europe/Berlin", "2026-10-25T02:00", ["2026-10-25T00:00", "2026-10-25T01:00"]),
        ("Australia/Lord_Howe", "2026-04-05T01:45", ["2026-04-04T14:45", "2026-04-04T15:15"]),
        ("+05:30", "2026-01-01T05:30", ["2026-01-01T00:00"]),
        ("UTC", "2026-01-01T00:00", ["2026-01-01T00:00"]),
    ],
)
def test_clocks_that_are_put_forward_and_back(name: str, wall: str, moments: list[str]) -> None:
    assert [*zone_of(name).moments(ms(wall))] == [ms(each) for each in moments]


@given(
    st.integers(MIN_TS_MS, MAX_TS_MS - 1),
    st.sampled_from(["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Tehran"]),
)
def test_every_moment_is_among_those_that_its_clock_shows(at_ms: int, name: str) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    shown = moment.astimezone(ZoneInfo(name)).replace(tzinfo=UTC)
    wall_ms = (shown - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert at_ms in zone_of(name).moments(wall_ms)


def test_a_zone_that_is_none() -> None:
    with pytest.raises(TimeZoneError) as caught:
        zone_of("berlin")
    assert "Europe/Berlin" in caught.value.hint
    with pytest.raises(TimeZoneError):
        zone_of("../../etc/passwd")


# Rows


def rows_of(text: str, **options: Any) -> tuple[list[Row], Table]:
    asked = InputOptions(**{"type": "csv", "headerline": True, **options})
    table = Table([iter([text.encode()])], asked)
    return list(table.rows()), table


def test_rows_know_their_lines() -> None:
    rows, table = rows_of('\n\nt,a\n1,2\n\n"x\ny",3\r\n\n4,5,,\n6\n7,8,z\n9,""')
    places = [(row.place, row.cells.get("t")) for row in rows[:5]]

    assert table.columns == ["t", "a"]
    assert places == [
        *(("line 4", "1"), ("line 6", "x\ny"), ("line 9", "4"), ("line 10", "6")),
        ("line 11", "7"),
    ]
    assert [row.surplus for row in rows[:5]] == ["", "", "", "", "z"]


def test_a_broken_row_ends_the_table_behind_those_before() -> None:
    table = Table([iter([b't,a\n1,2\n3,"x" y\n'])], InputOptions(type="csv", headerline=True))
    rows = table.rows()

    assert next(rows).cells == {"t": "1", "a": "2"}
    with pytest.raises(TransferFailedError, match="line 3, column 5"):
        next(rows)


@given(
    st.lists(
        st.lists(st.text("ab\n\"',\r\té", max_size=4), min_size=2, max_size=2),
        max_size=8,
    ),
    st.integers(1, 20),
)
def test_chunks_and_lines_make_no_difference(cells: list[list[str]], size: int) -> None:
    text = "t,a\n" + "".join(
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in cells
    )
    raw = text.encode()
    asked = InputOptions(type="csv", headerline=True)
    whole = [row.cells for row in Table([iter([raw])], asked).rows()]
    pieces = iter([raw[at : at + size] for at in range(0, len(raw), size)])

    assert [row.cells for row in Table([pieces], asked).rows()] == whole
    assert len(whole) == len(cells)


def test_documents_are_rows_with_dotted_columns() -> None:
    text = '{"t":{"$date":"2010-01-01T00:00:00Z"},"m":{"temp":{"$numberDouble":"1.5"}}}\n{"u":1}'
    rows, table = rows_of(text, type="json", headerline=False)

    assert table.columns == ["t", "m.temp", "u"]
    assert rows[0].cells == {"t": datetime(2010, 1, 1, tzinfo=UTC), "m.temp": 1.5}
    assert [row.place for row in rows] == ["document 1", "document 2"]


def test_two_columns_of_one_name() -> None:
    with pytest.raises(TransferFailedError, match="two columns are called 'a'"):
        rows_of("a,a\n1,2\n")


# Mapping


def mapped(text: str, **wanted: Any) -> tuple[list[NewReading | RefusedRow | None], list[str]]:
    rows, table = rows_of(text)
    mapping = understand(Wanted(**{"device": "d", **wanted}), table.columns, rows)
    return [mapping.reading(row) for row in rows], mapping.notes


def test_everything_is_guessed_and_said() -> None:
    readings, notes = mapped("Date,Temp (°F),note,hum\n2010/01/01,32,x,55\n2010/01/02,NaN,,\n")

    assert readings == [NewReading("d", ms("2010-01-01"), {"Temp": 0.0, "hum": 55}), None]
    assert "format ymd" in notes[0] and "guessed" in notes[0]  # noqa: PT018
    assert notes[1].startswith("zone: UTC (guessed")
    assert "converted from °F to °C" in notes[2]
    assert notes[3] == "metric: hum from column 'hum'"


def test_date_and_time_of_day_in_two_columns() -> None:
    readings, _ = mapped("d,clock,v\n31.12.2010,13:30,1\n", time_field="d,clock")

    assert readings == [NewReading("d", ms("2010-12-31T13:30"), {"v": 1})]


def test_rows_that_are_refused_say_where_and_why() -> None:
    text = "time,v\n2010-01-01,1\n2010-01-02,oops\nnever,3\n1999-01-01,4\n2010-01-03,5,6\n"
    readings, _ = mapped(text, time_format="ymd", metrics=("v",))

    assert [str(each) for each in readings if isinstance(each, RefusedRow)] == [
        "line 3, column 'v': 'oops' is no number",
        "line 4, column 'time': 'never' is no time such as 2026-05-01 13:30:00",
        "line 5, column 'time': '1999-01-01' lies outside the years 2000 to 2099",
        "line 6: '6' stands behind the last column",
    ]


def test_hours_that_were_skipped_or_shown_twice() -> None:
    text = "time,v\n" + "".join(
        f"{each},1\n"
        for each in (
            *("2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 03:30"),
            *("2026-10-25 01:30", "2026-10-25 02:00", "2026-10-25 02:30"),
            *("2026-10-25 02:00", "2026-10-25 02:30", "2026-10-25 03:00"),
        )
    )
    readings, _ = mapped(text, time_zone="Europe/Berlin")

    assert isinstance(readings[1], RefusedRow)
    assert "put forward" in readings[1].why
    moments = [each.ts_ms for each in readings if isinstance(each, NewReading)]
    assert moments == [
        ms(each)
        for each in (
            *("2026-03-29T00:30", "2026-03-29T01:30"),
            *("2026-10-24T23:30", "2026-10-25T00:00", "2026-10-25T00:30"),
            *("2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T02:00"),
        )
    ]


def test_an_hour_shown_twice_with_the_newest_row_first() -> None:
    walls = ("03:00", "02:30", "02:00", "02:30", "02:00", "01:30")
    text = "time,v\n" + "".join(f"2026-10-25 {each},1\n" for each in walls)
    readings, _ = mapped(text, time_zone="Europe/Berlin")

    moments = [each.ts_ms for each in readings if isinstance(each, NewReading)]
    assert moments == [
        ms(f"2026-10-{each}")
        for each in ("25T02:00", "25T01:30", "25T01:00", "25T00:30", "25T00:00", "24T23:30")
    ]


def test_times_that_cannot_be_read_name_no_zone() -> None:
    text = "time,v\n2026-05-01 10:00,1\n"
    _, notes = mapped(text, time_format="%d.%m.%Y")

    assert any(each.startswith("zone: UTC (guessed") for each in notes)


def test_devices_from_a_column() -> None:
    readings, _ = mapped(
        "time,who,v\n2010-01-01,attic,1\n2010-01-01,not a name,1\n",
        device=None,
        device_field="who",
        time_format="ymd",
    )

    assert readings[0] == NewReading("attic", ms("2010-01-01"), {"v": 1})
    assert isinstance(readings[1], RefusedRow)
    assert readings[1].column == "who"


@pytest.mark.parametrize(
    ("text", "wanted", "kind"),
    [
        ("a,v\n2010-01-01,1\n", {}, ColumnError),
        ("a,v\n2010-01-01,1\n", {"time_field": "b"}, ColumnError),
        ("time,v\n2010-01-01,x\n", {}, NothingMeasuredError),
        ("time,v\n2010-01-01,1\n", {"device": None, "device_field": "w"}, ColumnError),
        ("time,a b,a_b\n2010-01-01,1,2\n", {}, MetricError),
    ],
)
def test_tables_that_are_not_understood(
    text: str, wanted: dict[str, Any], kind: type[SeawallError]
) -> None:
    with pytest.raises(kind):
        mapped(text, **wanted)


# Identity


def numbered_again(new: Iterable[NewReading], stored: list[Reading]) -> list[Reading]:
    return numbered(new, stored, 5)


metrics = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1)
new_readings = st.builds(NewReading, st.just("d"), st.integers(MIN_TS_MS, MIN_TS_MS + 3), metrics)


@given(st.lists(new_readings, max_size=20), st.lists(new_readings, max_size=20))
def test_what_was_imported_is_never_imported_again(
    first: list[NewReading], second: list[NewReading]
) -> None:
    stored = numbered_again(first, [])
    more = numbered_again([*second, *first], stored)

    assert numbered_again([*first, *second], stored + more) == []
    places = [(each.boot, each.seq) for each in stored + more]
    assert len(set(places)) == len(places)
    for reading in stored + more:
        assert is_imported(reading)
        assert parse_body(reading.body) == (reading.boot, reading.seq, reading.ts_ms)
    for each in [*first, *second]:
        assert any(
            reading.ts_ms == each.ts_ms and each.metrics.items() <= reading.metrics.items()
            for reading in stored + more
        )


def test_numbers_stay_out_of_the_way_of_clients_without_counters() -> None:
    (reading,) = numbered_again([NewReading("d", MIN_TS_MS, {"a": 1})], [])
    assert reading.boot == 0
    assert reading.seq > MAX_TS_MS
    (reading,) = numbered_again([NewReading("d", MAX_TS_MS - 1, {"a": 1})], [])
    assert reading.seq + PER_MILLISECOND < 2**53


def test_what_a_device_has_sent_itself_is_there_already() -> None:
    sent = Reading("d", MIN_TS_MS, 3, 7, 9, b'{"a":1,"raw":5,"boot":3,"seq":7}')
    new = NewReading("d", MIN_TS_MS, {"a": 1})

    assert numbered_again([new], [sent]) == []
    assert len(numbered_again([new._replace(metrics={"a": 2})], [sent])) == 1


def test_too_many_readings_of_one_moment() -> None:
    new = [NewReading("d", MIN_TS_MS, {"a": n}) for n in range(PER_MILLISECOND + 1)]
    with pytest.raises(SeawallError, match="over 2048"):
        numbered_again(new, [])

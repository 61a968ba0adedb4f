"""Old readings into a store: counts, resends, races, devices, and what stays untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seawall.devices.lifecycle import NewDevice
from seawall.errors import KeyAccessError, NotFoundError, StoreError
from seawall.model.device import DeviceStatus
from seawall.model.history import ReadingQuery
from seawall.model.installation import Settings, StatePaths
from seawall.model.reading import Batch, Reading, ReplayWindow
from seawall.operations import import_readings as operation
from seawall.operations.add_device import add_device
from seawall.operations.export_readings import ReadingsExport, export_readings
from seawall.operations.import_readings import ImportedReadings, ReadingsOrder, import_readings
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.store.checking import CheckingStore
from seawall.store.sqlite.store import SqliteStore
from seawall.testing.memory_store import MemoryStore
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.options import InputOptions
from seawall.transfer.readings.mapping import Wanted
from seawall.transfer.readings.rows import Table

NOW_MS = 1_795_000_000_000
START_MS = 1_262_304_000_000


def installation_in(root: Path, store: Any, passphrase: bytes | None = None) -> Installation:
    installation = Installation(
        paths=StatePaths(root),
        settings=Settings(),
        store=store,
        keystore=Keystore(root / "pki"),
        now_ms=lambda: NOW_MS,
        actor="cli:test",
    )
    Keystore.create(root / "pki", ("localhost",), installation.now(), passphrase)
    return installation


@pytest.fixture(params=["memory", "sqlite"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    store: Any = MemoryStore()
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "seawall.db", max_refusals=10, create=True)
    yield installation_in(tmp_path, CheckingStore(store))
    store.close()


def table_of(text: str, **options: Any) -> Table:
    asked = InputOptions(**{"type": "csv", "headerline": True, **options})
    return Table([iter([text.encode()])], asked)


def imported(
    installation: Installation,
    text: str,
    *,
    add_devices: bool = False,
    dry_run: bool = False,
    type: str = "csv",  # noqa: A002  as the flag
    **wanted: Any,
) -> ImportedReadings:
    result = ImportedReadings()
    table = table_of(text, type=type, headerline=type != "json")
    order = ReadingsOrder(Wanted(**wanted), add_devices, dry_run)
    import_readings(installation, table, order, result)
    return result


def counts(result: ImportedReadings) -> tuple[int, int, int, int, int]:
    return result.rows, result.new, result.known, result.refused, result.empty


def stored(installation: Installation, device: str = "attic") -> list[tuple[int, dict[str, float]]]:
    query = ReadingQuery(device)
    return [(each.ts_ms, each.metrics) for each in installation.store.readings(query)]


TEXT = "time,temp\n2010-01-01,21.5\n2010-01-02,\n2010-01-03,x\n2010-01-03,22\n2010-01-03,22\n"


def test_counts_and_a_resend(installation: Installation) -> None:
    first = imported(installation, TEXT, device="attic", metrics=("temp",))
    assert counts(first) == (5, 2, 1, 1, 1)
    assert stored(installation) == [(START_MS, {"temp": 21.5}), (1262476800000, {"temp": 22})]

    again = imported(installation, TEXT, device="attic", metrics=("temp",))
    assert counts(again) == (5, 0, 3, 1, 1)
    assert len(stored(installation)) == 2


def test_a_longer_file_adds_what_is_new(installation: Installation) -> None:
    imported(installation, "time,a\n2010-01-01,1\n", device="attic")
    longer = "time,a\n2009-12-31,0\n2010-01-01,1\n2010-01-01,2\n2010-01-02,1\n"

    assert counts(imported(installation, longer, device="attic")) == (4, 3, 1, 0, 0)
    assert counts(imported(installation, longer, device="attic")) == (4, 0, 4, 0, 0)


def test_columns_of_two_files_are_both_kept(installation: Installation) -> None:
    imported(installation, "time,temp\n2010-01-01,1\n", device="attic")
    imported(installation, "time,hum\n2010-01-01,50\n", device="attic")

    assert stored(installation) == [(START_MS, {"temp": 1}), (START_MS, {"hum": 50})]


def test_a_new_device_is_registered_and_shut(installation: Installation) -> None:
    result = imported(installation, "time,a\n2010-01-01,1\n", device="attic")

    assert result.added == ["attic"]
    device = installation.store.device("attic")
    assert device is not None
    assert device.status is DeviceStatus.DISABLED
    kinds = [event.kind for event in installation.store.events(subject="attic")]
    assert kinds == ["device-added", "device-disabled", "readings-imported"]


def test_a_device_that_is_there_stays_as_it_is(installation: Installation) -> None:
    device = add_device(installation, NewDevice("attic"))
    window = ReplayWindow("attic", 3, 9, 0b111)
    sent = Reading("attic", START_MS, 3, 9, NOW_MS, b'{"a":1,"raw":5,"boot":3,"seq":9}')
    installation.store.append(Batch(readings=[sent], windows=[window]))

    result = imported(installation, "time,a\n2010-01-01,1\n2010-01-02,2\n", device="attic")

    assert (counts(result), result.added) == ((2, 1, 1, 0, 0), [])
    assert installation.store.device("attic") == device
    assert installation.store.windows() == [window]
    # What the device sends next is new, as before.
    assert installation.store.append(Batch(readings=[sent._replace(seq=10)])) == 1


def test_a_name_that_differs_in_punctuation_is_a_slip(installation: Installation) -> None:
    add_device(installation, NewDevice("greenhouse-1"))
    text = "time,a\n2010-01-01,1\n"

    with pytest.raises(NotFoundError, match="but there is greenhouse-1"):
        imported(installation, text, device="Greenhouse1")
    assert imported(installation, text, device="greenhouse-2").new == 1
    assert imported(installation, text, device="greenhouse.1", add_devices=True).new == 1


def test_devices_from_a_column(installation: Installation) -> None:
    add_device(installation, NewDevice("attic"))
    text = "time,who,a\n2010-01-01,attic,1\n2010-01-01,cellar,2\n2010-01-01,?,2\n"

    result = imported(installation, text, device_field="who")
    assert counts(result) == (3, 1, 0, 2, 0)
    assert [each.place for each in result.first_refused] == ["line 3", "line 4"]
    assert "--add-device" in result.first_refused[0].why

    result = imported(installation, text, device_field="who", add_devices=True)
    assert (counts(result), result.added) == ((3, 1, 1, 1, 0), ["cellar"])
    assert stored(installation, "cellar") == [(START_MS, {"a": 2})]


def test_a_dry_run_writes_nothing(installation: Installation) -> None:
    revision = installation.store.registry_revision()

    result = imported(installation, TEXT, device="attic", metrics=("temp",), dry_run=True)

    assert counts(result) == (5, 2, 1, 1, 1)
    assert [each.metrics["temp"] for each in result.first_readings] == [21.5, 22, 22]
    assert result.added == ["attic"]
    assert installation.store.device("attic") is None
    assert installation.store.registry_revision() == revision
    assert list(installation.store.readings(ReadingQuery())) == []
    assert installation.store.events() == []


def test_rows_before_a_broken_one_are_in(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "SAMPLE_ROWS", 2)
    monkeypatch.setattr(operation, "BATCH_ROWS", 3)
    text = "time,a\n" + "".join(f"2010-01-{day:02d},{day}\n" for day in range(1, 9)) + '"x" y\n'
    result = ImportedReadings()

    with pytest.raises(TransferFailedError, match="line 10"):
        import_readings(installation, table_of(text), ReadingsOrder(Wanted(device="attic")), result)

    assert counts(result) == (8, 8, 0, 0, 0)
    assert len(stored(installation)) == 8


def test_a_broken_row_among_the_samples(installation: Installation) -> None:
    result = ImportedReadings()
    text = 'time,a\n2010-01-01,1\n"x" y\n2010-01-02,1\n'

    with pytest.raises(TransferFailedError, match="line 3"):
        import_readings(installation, table_of(text), ReadingsOrder(Wanted(device="attic")), result)

    assert counts(result) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("text", ["", "time,a\n"])
def test_nothing_in_nothing_out(installation: Installation, text: str) -> None:
    if text:
        assert counts(imported(installation, text, device="attic")) == (0, 0, 0, 0, 0)
    else:
        with pytest.raises(TransferFailedError, match="EOF"):
            imported(installation, text, device="attic")
    assert installation.store.device("attic") is None


class RacingStore:
    """A store into which another import writes just before this one."""

    def __init__(self, store: Any, other: Callable[[], Reading | None]) -> None:
        self._store, self._other = store, other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, batch: Batch) -> int:
        before = self._other()
        if before is not None:
            self._store.append(Batch(readings=[before]))
        written: int = self._store.append(batch)
        return written


def test_another_import_of_the_same_moments_loses_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    calm = installation_in(tmp_path, store)
    imported(calm, "time,b\n2010-01-01,5\n", device="attic")
    (theirs,) = store.readings(ReadingQuery("attic"))
    others = iter([theirs._replace(seq=theirs.seq + 1, body=b'{"c":6}')])
    racing = Installation(
        calm.paths,
        calm.settings,
        RacingStore(store, lambda: next(others, None)),  # type: ignore[arg-type]
        calm.keystore,
        calm.now_ms,
        calm.actor,
    )

    result = imported(racing, "time,a\n2010-01-01,1\n2010-01-02,2\n", device="attic")

    assert counts(result) == (2, 2, 0, 0, 0)
    kept = sorted(name for _, metrics in stored(calm) for name in metrics)
    assert kept == ["a", "a", "b", "c"]


def test_a_full_store_keeps_the_batches_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "BATCH_ROWS", 2)
    store = MemoryStore()
    installation = installation_in(tmp_path, store)
    text = "time,a\n" + "".join(f"2010-01-{day:02d},{day}\n" for day in range(1, 9))
    result = ImportedReadings()

    def fail(found: ImportedReadings) -> None:
        if found.new >= 4:
            store.failure = StoreError("the disk is full")

    with pytest.raises(StoreError, match="full"):
        import_readings(
            installation,
            table_of(text),
            ReadingsOrder(Wanted(device="attic")),
            result,
            progressed=fail,
        )

    store.failure = None
    assert result.new == len(stored(installation)) == 4


def test_an_encrypted_authority_says_what_to_do(tmp_path: Path) -> None:
    installation = installation_in(tmp_path, MemoryStore(), b"correct horse battery")

    with pytest.raises(KeyAccessError) as caught:
        imported(installation, "time,a\n2010-01-01,1\n", device="attic")
    assert caught.value.hint == "register it first: seawall device add attic"


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_exported_readings_come_back(installation: Installation, tmp_path: Path, kind: str) -> None:
    for number in range(50):
        body = b'{"temp":%r,"raw":%d}' if number % 2 else b'{"temp":%r,"hum":%d}'
        reading = Reading(
            *("attic", START_MS + number * 1001, 1, number, NOW_MS),
            body.replace(b"%r", repr(number / 7).encode()).replace(b"%d", b"%d" % number),
        )
        installation.store.append(Batch(readings=[reading]))
    out = bytearray()
    asked = ReadingsExport(ReadingQuery("attic"), csv=kind == "csv")
    assert export_readings(installation.store, asked, out.extend) == 50

    other = installation_in(tmp_path / "other", CheckingStore(MemoryStore()))
    there = imported(other, out.decode(), type=kind, device_field="device", add_devices=True)
    assert counts(there) == (50, 50, 0, 0, 0)
    assert stored(other) == stored(installation)

    add_device(installation, NewDevice("attic"))
    here = imported(installation, out.decode(), type=kind, device="attic")
    assert counts(here) == (50, 0, 50, 0, 0)


def test_an_export_of_some(installation: Installation) -> None:
    bodies = [b'{"a":1,"b":2.5}', b'{"b":3}', b'{"c":4}']
    readings = [Reading("attic", START_MS + n, 1, n, NOW_MS, body) for n, body in enumerate(bodies)]
    installation.store.append(Batch(readings=readings))
    out = bytearray()

    asked = ReadingsExport(ReadingQuery("attic"), metrics=("b", "z"), header=False)
    assert export_readings(installation.store, asked, out.extend) == 2
    assert out == (b"2010-01-01T00:00:00.000Z,attic,2.5,\n2010-01-01T00:00:00.001Z,attic,3,\n")
    for query, expected in (
        (ReadingQuery("attic", until_ms=START_MS), b"[]\n"),
        (
            ReadingQuery("attic", since_ms=START_MS + 2),
            b'[\n{"time":"2010-01-01T00:00:00.002Z","device":"attic","c":4}\n]\n',
        ),
    ):
        out = bytearray()
        export_readings(
            installation.store, ReadingsExport(query, csv=False, array=True), out.extend
        )
        assert out == expected

"""Inventories: read exactly or refused with the place, and what the checks say of them."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits
from seawall.audit.inventory import Entry, InventoryError, parse_inventory
from seawall.audit.inventory_values import version_key
from seawall.audit.runner import Terms
from seawall.audit.running import audit_all
from seawall.audit.target import FleetPolicy, Target, TargetKind
from seawall.model.finding import Confidence, Item, Result, Severity, Status

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
CHECKS = {check.id: check for check in find_checks(()) if check.id.startswith("inventory.")}

SOUND: list[dict[str, Any]] = [
    {
        "id": name,
        "model": "esp32",
        "firmware": "1.4.0",
        "certificate_serial": serial,
        "certificate_expires": "2027-10-01",
        "last_seen": "2026-11-21T22:00:00Z",
        "revoked": False,
    }
    for name, serial in (("pump-1", "0A:01"), ("pump-2", "0A:02"), ("pump-3", "0A:03"))
]


def audited(
    tmp_path: Path, text: str | bytes, fleet: FleetPolicy | None = None, name: str = "fleet.json"
) -> dict[str, list[Result]]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    target = Target(TargetKind.INVENTORY, name, path=path, policy=fleet or FleetPolicy())
    terms = Terms(Limits(nonce="t"), NOW)
    results, faults = audit_all([target], list(CHECKS.values()), terms)
    assert not faults
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.check, []).append(result)
    return found


def changed(number: int, **members: Any) -> str:
    devices = [dict(each) for each in SOUND]
    devices[number].update(members)
    return json.dumps({"devices": devices}, indent=1)


def failures(found: dict[str, list[Result]]) -> list[Result]:
    return [each for results in found.values() for each in results if each.status is Status.FAIL]


# Reading


def test_json_csv_and_lines_say_the_same() -> None:
    as_json = parse_inventory(json.dumps(SOUND).encode())
    as_lines = parse_inventory("\n".join(map(json.dumps, SOUND)).encode())
    header = ";".join(SOUND[0])
    rows = [";".join(str(value) for value in each.values()) for each in SOUND]
    as_csv = parse_inventory("\r\n".join([header, *rows]).encode("utf-8-sig"))

    def plain(entries: tuple[Entry, ...]) -> list[tuple[Any, ...]]:
        return [
            (each.device_id, each.firmware, each.serial, each.expires_ms, each.revoked)
            for each in entries
        ]

    assert plain(as_json.entries) == plain(as_lines.entries) == plain(as_csv.entries)
    assert as_json.entries[0].serial == "a01"
    assert [each.line for each in as_csv.entries] == [2, 3, 4]
    assert [each.line for each in as_lines.entries] == [1, 2, 3]
    assert as_json.fields == as_csv.fields


def test_what_device_list_prints_is_understood() -> None:
    printed = {
        "device": "cellar",
        "board": "unix",
        "status": "revoked",
        "certificate_serial": "5f2a",
        "certificate_sha256": "00" * 32,
        "certificate_not_after_ms": 1_900_000_000_000,
        "added_ms": 1_763_000_000_000,
        "last_received_ms": None,
        "running": {"version": "1.2", "slot": "a"},
    }
    entry = parse_inventory(json.dumps([printed]).encode()).entries[0]
    assert (entry.device_id, entry.firmware, entry.serial) == ("cellar", "1.2", "5f2a")
    assert entry.expires_ms == 1_900_000_000_000
    assert entry.last_seen_ms is None
    assert entry.is_revoked
    assert not entry.is_active


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"", None, "empty"),
        (b"[]x", None, "more after"),
        (b'[{"id":"a"}', 1, "does not end"),
        (b'[{"id":"a"}\n{"id":"b"}]', 2, "comma"),
        (b'[{"id":"a"},\n{"firmware":"1"}]', 2, "names the device"),
        (b'[\n{"id":"a","expires":"31.02.2027"}]', 2, "'expires': '31.02.2027' is no date"),
        (b'[{"id":"a","id":"b"}]', 1, "twice"),
        (b'[{"id":"a","last_seen":NaN}]', 1, "NaN"),
        (b'[{"id":"a"},\n\n7]', 3, "not a JSON object"),
        (b'{"id":"a","revoked":"maybe"}', 1, "neither yes nor no"),
        (b'{"id":"a","firmware":{}}', 1, "'firmware'"),
        (b'{"id":"a","last_seen":-5}', 1, "no time"),
        (b'{"id":"a","last_seen":1e999}', 1, "no time"),
        (b"id,firmware\na,1\nb\n", 3, "1 fields, the header has 2"),
        (b"name_of,firmware\na,1\n", 1, "no column names the device"),
        (b'id,firmware\na,"1\n', 2, "not CSV"),
        (b"id,expires\n\na,soon\n", 3, "'expires': 'soon' is no date"),
        (b"id,firmware\na,\xff\n", 2, "UTF-8"),
        (b"id,firmware\n,1\n", 2, "it is empty"),
        (b"id\na\x00b\n", 2, ""),
        (b"[" * 100_000, None, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: bytes, line: int | None, words: str) -> None:
    with pytest.raises(InventoryError) as caught:
        parse_inventory(text)
    assert words in str(caught.value)
    if line is not None:
        assert caught.value.line == line


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(str.encode)))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for text in (data, b"[" + data, b'{"devices":[' + data, b"id,expires\n" + data):
        with contextlib.suppress(InventoryError):
            inventory = parse_inventory(text)
            assert all(entry.device_id for entry in inventory.entries)


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["2026-11-22", "never", "v1.2-rc", "0x00ff", "revoked"]),
)
_MEMBERS = st.sampled_from(
    ["id", "firmware", "serial", "expires", "last_seen", "revoked", "status"]
)


@given(st.lists(st.dictionaries(_MEMBERS, _VALUES), max_size=5))
def test_any_json_is_read_or_refused_and_then_judged(devices: list[dict[str, Any]]) -> None:
    try:
        inventory = parse_inventory(json.dumps({"devices": devices}).encode())
    except InventoryError:
        return
    assert len(inventory.entries) == len(devices)
    for entry in inventory.entries:
        assert not (entry.is_active and entry.is_revoked)
        version_key(entry.firmware or "")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1.2.0", (1, 2)),
        ("v1.10", (1, 10)),
        ("1.2.0-rc1", (1, 2)),
        ("2026.11", (2026, 11)),
        ("0", (0,)),
        ("beta", None),
        ("", None),
    ],
)
def test_versions_are_compared_by_numbers(text: str, key: tuple[int, ...] | None) -> None:
    assert version_key(text) == key


# Judging


def test_a_sound_inventory_is_clean(tmp_path: Path) -> None:
    found = audited(tmp_path, json.dumps(SOUND))
    assert set(found) == set(CHECKS)
    assert all(each.status is Status.PASS for results in found.values() for each in results)


@pytest.mark.parametrize(
    ("members", "check", "severity", "words"),
    [
        (
            {"certificate_serial": "0x0a02"},
            "inventory.certificate.shared",
            "high",
            "pump-1, pump-2",
        ),
        (
            {"certificate_expires": "2026-11-01"},
            "inventory.certificate.expired",
            "high",
            "heard of",
        ),
        (
            {"certificate_expires": "2026-11-01", "last_seen": "2026-10-31"},
            "inventory.certificate.expired",
            "medium",
            "ended on 2026-11-01",
        ),
        (
            {"certificate_expires": "2026-12-01"},
            "inventory.certificate.expired",
            "low",
            "in 8 days",
        ),
        ({"revoked": True}, "inventory.certificate.revoked-active", "high", "heard of"),
        (
            {"revoked": "yes", "last_seen": None, "status": "Active"},
            "inventory.certificate.revoked-active",
            "high",
            "status is 'active'",
        ),
        (
            {"revoked_at": "2026-11-20"},
            "inventory.certificate.revoked-active",
            "high",
            "revoked on 2026-11-20, and heard of on 2026-11-21",
        ),
        ({"last_seen": "never"}, "inventory.device.silent", "medium", "never heard of"),
        ({"last_seen": "2026-09-01"}, "inventory.device.silent", "medium", "82 days ago"),
        ({"id": "PUMP-2"}, "inventory.device.duplicate", "medium", "stands on line"),
        ({"firmware": None}, "inventory.firmware.unknown", "medium", "not known"),
        ({"firmware": "latest"}, "inventory.firmware.unknown", "low", "is no version"),
        ({"firmware": "1.3.9"}, "inventory.firmware.old", "low", "another esp32 runs 1.4.0"),
        ({"firmware": "0.9"}, "inventory.firmware.old", "medium", "another esp32 runs 1.4.0"),
    ],
)
def test_a_weakness_is_found_and_nothing_else(
    tmp_path: Path, members: dict[str, Any], check: str, severity: str, words: str
) -> None:
    found = failures(audited(tmp_path, changed(0, **members)))
    assert {each.check for each in found} == {check}
    assert found[0].severity == severity
    assert words in found[0].evidence
    assert found[0].fix is not None
    assert found[0].location is not None
    assert found[0].location.line
    # Mended: what the fix asks for is done, and the inventory says so.
    mended = audited(tmp_path, json.dumps(SOUND))
    assert not failures(mended)


def test_items_are_those_of_the_list() -> None:
    items = {check.id: check.item for check in CHECKS.values()}
    assert items["inventory.firmware.old"] is Item.COMPONENTS
    assert items["inventory.certificate.shared"] is Item.MANAGEMENT


def test_a_revoked_device_that_fell_silent_is_sound(tmp_path: Path) -> None:
    text = changed(0, revoked_at="2026-11-20", last_seen="2026-11-19T12:00:00Z")
    assert not failures(audited(tmp_path, text))


def test_without_the_day_of_revocation_the_verdict_is_less_sure(tmp_path: Path) -> None:
    found = failures(audited(tmp_path, changed(0, revoked=True)))
    assert [each.confidence for each in found] == [Confidence.MEDIUM]


def test_a_certificate_that_is_revoked_elsewhere_is_found(tmp_path: Path) -> None:
    devices = [dict(each) for each in SOUND]
    devices[0].update(certificate_serial="0A:02", revoked=True, last_seen=None)
    found = failures(audited(tmp_path, json.dumps(devices)))
    assert {"inventory.certificate.revoked-active", "inventory.certificate.shared"} == {
        each.check for each in found
    }


def test_the_policy_decides_on_versions_and_days(tmp_path: Path) -> None:
    text = changed(0, firmware="1.3.0", last_seen="2026-10-10")
    lenient = FleetPolicy((("esp32", "1.3"),), silent_days=60)
    assert not failures(audited(tmp_path, text, lenient))
    strict = FleetPolicy((("ESP32", "1.5"),), silent_days=60)
    old = failures(audited(tmp_path, text, strict))
    assert [each.evidence.split(": ")[1] for each in old] == [
        "runs 1.3.0; the policy demands 1.5",
        "runs 1.4.0; the policy demands 1.5",
        "runs 1.4.0; the policy demands 1.5",
    ]
    assert all(each.severity is Severity.MEDIUM for each in old)


def test_what_the_inventory_does_not_say_is_unknown(tmp_path: Path) -> None:
    found = audited(tmp_path, "id\na\nb\n", name="fleet.csv")
    status = {check: results[0].status for check, results in found.items()}
    assert status.pop("inventory.device.duplicate") is Status.PASS
    assert set(status.values()) == {Status.UNKNOWN}
    assert "does not say which firmware" in found["inventory.firmware.old"][0].evidence


@pytest.mark.parametrize(
    ("members", "check", "words"),
    [
        (
            {"certificate_expires": ""},
            "inventory.certificate.expired",
            "1 of 3 devices do not say when a certificate ends: pump-1",
        ),
        ({"certificate_serial": None}, "inventory.certificate.shared", "which certificate"),
        ({"firmware": "latest"}, "inventory.firmware.old", "which firmware"),
    ],
)
def test_a_cell_that_is_blank_is_no_pass(
    tmp_path: Path, members: dict[str, Any], check: str, words: str
) -> None:
    [result] = audited(tmp_path, changed(0, **members))[check]
    assert result.status is Status.UNKNOWN
    assert words in result.evidence
    assert result.location is not None
    # What is not in use is not asked.
    [result] = audited(tmp_path, changed(0, **members, status="retired"))[check]
    assert result.status is Status.PASS


def test_a_blank_cell_hides_no_fault(tmp_path: Path) -> None:
    devices = [dict(each) for each in SOUND]
    devices[0].update(certificate_expires=None)
    devices[1].update(certificate_expires="2026-11-01")
    found = audited(tmp_path, json.dumps(devices))["inventory.certificate.expired"]
    assert [each.status for each in found] == [Status.FAIL]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("id,revoked,last_seen\na,,2026-11-21\nb,,2026-11-21\n", Status.UNKNOWN),
        ("id,revoked,last_seen\na,no,2026-11-21\nb,,2026-11-21\n", Status.PASS),
        ("id,revoked_at,last_seen\na,,2026-11-21\nb,,2026-11-21\n", Status.PASS),
        ("id,revoked\na,yes\nb,no\n", Status.UNKNOWN),
    ],
    ids=["all blank", "one says it", "no day", "nobody says who was seen"],
)
def test_who_is_revoked_must_be_said(tmp_path: Path, text: str, status: Status) -> None:
    found = audited(tmp_path, text, name="fleet.csv")["inventory.certificate.revoked-active"]
    assert [each.status for each in found] == [status]


def test_a_broken_inventory_is_unknown_with_line_and_field(tmp_path: Path) -> None:
    found = audited(tmp_path, "id,expires\na,2027-01-01\nb,tomorrow\n", name="fleet.csv")
    for results in found.values():
        assert [each.status for each in results] == [Status.UNKNOWN]
        assert "line 3: field 'expires': 'tomorrow' is no date" in results[0].evidence


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fleet.json")
    target = Target(TargetKind.INVENTORY, "fleet.json", path=tmp_path / "fleet.json")
    results, faults = audit_all([target], list(CHECKS.values()), Terms(Limits(), NOW))
    assert not faults
    assert {each.evidence for each in results} == {"fleet.json is no regular file"}


def test_many_faults_are_summed_up_and_keep_their_names(tmp_path: Path) -> None:
    devices = [
        {**SOUND[0], "id": f"d{number:03}", "certificate_serial": f"{number:x}", "last_seen": None}
        for number in range(100, 400)
    ]
    found = audited(tmp_path, json.dumps(devices))["inventory.device.silent"]
    assert len(found) == 21
    assert "280 more of 300 devices" in found[-1].evidence
    again = audited(tmp_path, json.dumps(devices[::-1][:299]))["inventory.device.silent"]
    named = {each.fingerprint for each in again if each.evidence.startswith("d399:")}
    assert len({each.fingerprint for each in found}) == 21
    assert len(named) == 1


def test_ten_thousand_devices_are_judged_well_within_the_deadline(tmp_path: Path) -> None:
    ends = (NOW + timedelta(days=300)).isoformat()
    rows = [f"d{n},1.{n % 7},{n:x},{ends},{NOW.isoformat()},no" for n in range(1, 10_001)]
    text = "\n".join(["id,firmware,serial,expires,last_seen,revoked", *rows])
    found = audited(tmp_path, text, name="fleet.csv")
    assert all(results[0].status is not Status.UNKNOWN for results in found.values())

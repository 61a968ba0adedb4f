"""Identities lent to an audit: for minutes, to two, and to nobody on any doubt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from seawall.model.installation import StatePaths
from seawall.operations.lend_identities import LENT_MS, lent_identities, read_lent
from seawall.pki.keystore import Keystore

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
NAME = "seawall-audit-0123456789ab-1"
SOUND: dict[str, Any] = {"ends_ms": NOW_MS + LENT_MS, "identities": {NAME: "5f2a"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def written(root: Path, data: bytes | str, mode: int = 0o600) -> Path:
    path = Path(StatePaths(root).lent)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(mode)
    return path


def test_who_is_named_is_let_in(root: Path) -> None:
    written(root, json.dumps(SOUND))
    assert read_lent(StatePaths(root), NOW_MS) == {NAME: "5f2a"}


@pytest.mark.parametrize(
    ("change", "mode", "at_ms"),
    [
        ({}, 0o644, NOW_MS),
        ({}, 0o660, NOW_MS),
        ({}, 0o600, NOW_MS + LENT_MS),
        ({}, 0o600, NOW_MS - 1),
        ({"ends_ms": 2**60}, 0o600, NOW_MS),
        ({"ends_ms": "soon"}, 0o600, NOW_MS),
        ({"identities": {"greenhouse-1": "5f2a"}}, 0o600, NOW_MS),
        ({"identities": {"@ingest": "5f2a"}}, 0o600, NOW_MS),
        ({"identities": {NAME + "\n": "5f2a"}}, 0o600, NOW_MS),
        ({"identities": {NAME: "5F2A"}}, 0o600, NOW_MS),
        ({"identities": {NAME: 5}}, 0o600, NOW_MS),
        ({"identities": {f"{NAME[:-3]}{n}-1": "5" for n in range(3)}}, 0o600, NOW_MS),
        ({"identities": [NAME]}, 0o600, NOW_MS),
    ],
)
def test_on_any_doubt_nobody_is(root: Path, change: dict[str, Any], mode: int, at_ms: int) -> None:
    written(root, json.dumps({**SOUND, **change}), mode)
    assert read_lent(StatePaths(root), at_ms) == {}


def test_without_a_file_nobody_is(root: Path) -> None:
    assert read_lent(StatePaths(root), NOW_MS) == {}


@given(data=st.binary(max_size=200))
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    root = tmp_path_factory.mktemp("lent")
    (root / "run").mkdir()
    for text in (data, b'{"ends_ms":' + data, b"[" * 4000, b"x" * 5000):
        written(root, text)
        assert read_lent(StatePaths(root), NOW_MS) == {}


class Daemon:
    """Takes identities in, or does not."""

    def __init__(self, root: Path, *, takes: bool = True) -> None:
        self.root, self.takes = root, takes
        self.seen: list[tuple[str, ...]] = []

    def __call__(self, names: Sequence[str]) -> bool:
        self.seen.append(tuple(read_lent(StatePaths(self.root), NOW_MS)))
        assert set(self.seen[-1]) == set(names)
        return self.takes


def made(root: Path, passphrase: bytes | None = None) -> None:
    Keystore.create(root / "pki", ["localhost"], NOW, passphrase)


def left(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "run").iterdir())


def test_two_are_lent_for_minutes_and_nothing_stays(root: Path) -> None:
    made(root)
    with lent_identities(root, lambda: NOW_MS, Daemon(root)) as lent:
        assert lent is not None
        assert lent.other is not None
        files = [lent.cert, lent.key, lent.other.cert, lent.other.key]
        assert len({path for path in files if path is not None}) == 4
        for path in files:
            assert path is not None
            assert path.stat().st_mode & 0o077 == 0
        assert lent.cert is not None
        certificate = x509.load_pem_x509_certificate(lent.cert.read_bytes())
        assert certificate.not_valid_after_utc - NOW <= timedelta(minutes=15)
        # A second audit meanwhile gets none, and takes nothing away from the first.
        with lent_identities(root, lambda: NOW_MS, Daemon(root)) as second:
            assert second is None
        assert len(read_lent(StatePaths(root), NOW_MS)) == 2
    assert left(root) == []


def test_what_a_daemon_does_not_take_in_is_taken_back(root: Path) -> None:
    made(root)
    with lent_identities(root, lambda: NOW_MS, Daemon(root, takes=False)) as lent:
        assert lent is None
    assert left(root) == []


def test_a_sealed_authority_lends_nothing(root: Path) -> None:
    made(root, b"a passphrase of some length")
    with lent_identities(root, lambda: NOW_MS, Daemon(root)) as lent:
        assert lent is None
    assert left(root) == []


def test_what_a_killed_audit_left_is_removed_by_the_next(root: Path) -> None:
    made(root)
    (root / "run" / "seawall-audit-0123456789ab").mkdir()
    with lent_identities(root, lambda: NOW_MS, Daemon(root)) as lent:
        assert lent is not None
        assert "seawall-audit-0123456789ab" not in left(root)


def test_an_audit_that_breaks_off_leaves_nothing(root: Path) -> None:
    made(root)
    with (
        pytest.raises(KeyboardInterrupt),
        lent_identities(root, lambda: NOW_MS, Daemon(root)),
    ):
        raise KeyboardInterrupt
    assert left(root) == []

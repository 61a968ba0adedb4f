"""The keystore: what it makes, what it checks, and what it says when something is wrong."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.errors import (
    ConflictError,
    InvalidNameError,
    KeyAccessError,
    NotFoundError,
    StateError,
    StoreFullError,
)
from seawall.pki import files, keystore
from seawall.pki.authority import IssuedCertificate
from seawall.pki.keystore import Keystore
from seawall.pki.revocation import parse_register

NOW = datetime.now(UTC)
NAMES = ("localhost", "127.0.0.1")


@pytest.fixture
def made(tmp_path: Path) -> Keystore:
    return Keystore.create(tmp_path / "state" / "pki", NAMES, NOW)


def _add(store: Keystore, device_id: str) -> IssuedCertificate:
    issued = store.authority().issue_device(device_id, NOW)
    store.save_device(device_id, issued)
    return issued


def test_it_opens_after_creation_and_nobody_else_can_enter(made: Keystore) -> None:
    Keystore.open(made.path)
    for path in (made.path, *made.path.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert len(made.master_key()) == 32
    assert len(set(made.server_pins())) == 2
    assert made.server_names() == {"localhost", "127.0.0.1"}
    assert not list(made.path.parent.glob(".*"))


def test_modes_hold_under_a_loose_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = Keystore.create(tmp_path / "pki", NAMES, NOW)
    finally:
        os.umask(before)
    assert all(
        stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        for path in (made.path, *made.path.rglob("*"))
    )


def test_creation_never_writes_over_anything(made: Keystore) -> None:
    before = made.master_key()
    with pytest.raises(ConflictError) as caught:
        Keystore.create(made.path, NAMES, NOW)
    assert caught.value.reference == "state-exists"
    assert made.master_key() == before


def test_a_creation_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidNameError):
        Keystore.create(tmp_path / "pki", ("not a name",), NOW)
    written: list[Path] = []

    def full(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) > 5:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(files, "write_private", full)
    with pytest.raises(StoreFullError, match="No space left"):
        Keystore.create(tmp_path / "pki", NAMES, NOW)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_creation_is_described(tmp_path: Path) -> None:
    (tmp_path / f"{files.unfinished_prefix(tmp_path / 'pki')}1a2b").mkdir()
    with pytest.raises(StateError) as caught:
        Keystore.open(tmp_path / "pki")
    assert caught.value.reference == "state-half-made"
    assert "seawall init" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["issuing.key.pem", "crl.pem", "master.key", "server/next.key.pem", "revoked.json"]
)
def test_a_missing_file_is_named(made: Keystore, name: str) -> None:
    (made.path / name).unlink()
    with pytest.raises(StateError, match=name) as caught:
        Keystore.open(made.path)
    assert caught.value.reference == "state-half-made"


def test_a_missing_keystore_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError) as caught:
        Keystore.open(tmp_path / "pki")
    assert caught.value.reference == "state-missing"


def test_the_root_key_may_be_in_a_safe(made: Keystore) -> None:
    (made.path / "root.key.pem").unlink()
    _add(Keystore.open(made.path), "greenhouse-1")


@pytest.mark.parametrize(
    ("name", "mode", "command"),
    [
        ("issuing.key.pem", 0o644, "chmod 600"),
        ("root.key.pem", 0o640, "chmod 600"),
        ("master.key", 0o604, "chmod 600"),
        ("web/current.key.pem", 0o660, "chmod 600"),
        ("server", 0o755, "chmod 700"),
        ("", 0o750, "chmod 700"),
    ],
)
def test_a_key_that_others_may_read_is_refused_with_the_cure(
    made: Keystore, name: str, mode: int, command: str
) -> None:
    (made.path / name).chmod(mode)
    with pytest.raises(KeyAccessError) as caught:
        Keystore.open(made.path)
    assert caught.value.reference == "key-mode"
    assert command in caught.value.hint
    assert f"{mode:04o}" in caught.value.message


def test_damaged_and_foreign_keys_are_named(made: Keystore, tmp_path: Path) -> None:
    path = made.path / "issuing.key.pem"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with pytest.raises(KeyAccessError) as caught:
        made.authority()
    assert caught.value.reference == "key-damaged"
    other = Keystore.create(tmp_path / "other", NAMES, NOW)
    path.write_bytes((other.path / "issuing.key.pem").read_bytes())
    with pytest.raises(KeyAccessError) as caught:
        made.authority()
    assert caught.value.reference == "key-mismatch"
    (made.path / "master.key").write_bytes(b"short")
    with pytest.raises(KeyAccessError) as caught:
        made.master_key()
    assert caught.value.reference == "key-damaged"


def test_passphrases(tmp_path: Path) -> None:
    made = Keystore.create(tmp_path / "pki", NAMES, NOW, b"correct horse")
    assert made.needs_passphrase
    assert made.authority(b"correct horse").issue_device("d", NOW).serial
    for passphrase, reference in (
        (None, "passphrase-needed"),
        (b"", "passphrase-needed"),
        (b"wrong horse", "wrong-passphrase"),
    ):
        with pytest.raises(KeyAccessError) as caught:
            made.authority(passphrase)
        assert caught.value.reference == reference
    for path in made.path.rglob("*.pem"):
        assert b"correct horse" not in path.read_bytes()


def test_a_needless_passphrase_does_no_harm(made: Keystore) -> None:
    assert made.authority(b"whatever").issue_device("d", NOW).serial


def test_devices_are_kept_and_found(made: Keystore) -> None:
    issued = _add(made, "greenhouse-1")
    assert made.device_key_der("greenhouse-1") == issued.key_der
    assert made.device_cert_der("greenhouse-1") == issued.cert_der
    again = _add(made, "greenhouse-1")
    assert made.device_cert_der("greenhouse-1") == again.cert_der
    for read in (made.device_key_der, made.device_cert_der):
        with pytest.raises(NotFoundError):
            read("attic")
        with pytest.raises(InvalidNameError):
            read("../issuing.key.pem")
    (made.path / "devices/greenhouse-1/key.der").chmod(0o644)
    with pytest.raises(KeyAccessError):
        made.device_key_der("greenhouse-1")


def test_a_revocation_is_listed_once_and_survives(made: Keystore) -> None:
    issued, authority = _add(made, "greenhouse-1"), made.authority()
    assert not made.is_listed(issued.serial)
    made.revoke(issued.serial, NOW, authority)
    made.revoke(issued.serial, NOW, authority)
    again = Keystore.open(made.path)
    assert again.is_listed(issued.serial)
    assert len(again.revoked().revoked) == 1
    assert again.revoked().number == 3


def test_a_crash_between_register_and_list_is_mended_by_the_next_call(
    made: Keystore, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued, authority = _add(made, "greenhouse-1"), made.authority()
    real = files.write_private

    def crash(path: Path, data: bytes) -> None:
        if path.name == "crl.pem":
            raise OSError(5, "power cut")
        real(path, data)

    monkeypatch.setattr(keystore.files, "write_private", crash)
    with pytest.raises(StateError, match="power cut"):
        made.revoke(issued.serial, NOW, authority)
    monkeypatch.undo()
    assert not made.is_listed(issued.serial)
    made.renew_crl(NOW, authority)
    assert made.is_listed(issued.serial)


def test_revocations_at_the_same_time_are_all_kept(made: Keystore) -> None:
    authority = made.authority()
    serials = [format(n, "x") for n in range(10, 22)]
    workers = [
        threading.Thread(target=made.revoke, args=(serial, NOW, authority)) for serial in serials
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {entry.serial for entry in made.revoked().revoked} == set(serials)
    assert all(made.is_listed(serial) for serial in serials)


def test_a_damaged_register_is_no_empty_one(made: Keystore) -> None:
    (made.path / "revoked.json").write_text('{"format": 1, "number"')
    with pytest.raises(StateError) as caught:
        made.revoke("1", NOW, made.authority())
    assert caught.value.reference == "state-damaged"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format":2,"number":1,"revoked":[]}',
        '{"format":1,"number":1,"revoked":[1]}',
    ],
)
def test_registers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_register(text.encode())


def test_a_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    files.write_private(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_an_unwritable_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        Keystore.create(tmp_path / "file" / "pki", NAMES, NOW)
    assert caught.value.reference == "state-unwritable"


def test_a_full_disk_adds_no_device(made: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    issued, authority = _add(made, "greenhouse-1"), made.authority()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_private", full)
    with pytest.raises(StoreFullError) as caught:
        _add(made, "attic")
    assert caught.value.hint
    with pytest.raises(StoreFullError):
        made.revoke(issued.serial, NOW, authority)
    monkeypatch.undo()
    assert [path.name for path in (made.path / "devices").iterdir()] == ["greenhouse-1"]
    assert not made.is_listed(issued.serial)


def test_no_authority_is_made_while_the_clock_was_never_set(tmp_path: Path) -> None:
    with pytest.raises(KeyAccessError, match="1970-01-01") as caught:
        Keystore.create(tmp_path / "pki", NAMES, datetime(1970, 1, 1, tzinfo=UTC))
    assert caught.value.reference == "clock-outside-authority"
    assert list(tmp_path.iterdir()) == []

"""The update repository: keys, signatures of several people, publishing, renewal, crashes.

python-tuf's own client judges what is published.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import (
    DownloadHTTPError,
    ExpiredMetadataError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata
from tuf.ngclient import FetcherInterface, Updater

from seawall.daemon.update_service import (
    BUSY_TIMES,
    RENEW_EVERY_S,
    RENEW_RETRY_S,
    UpdateRenewal,
)
from seawall.errors import (
    ConfigurationError,
    ConflictError,
    KeyAccessError,
    NotFoundError,
    SeawallError,
    StateError,
    StoreFullError,
    UsageError,
)
from seawall.model.device import Board
from seawall.model.installation import Settings, StatePaths
from seawall.model.release import Release, parse_version
from seawall.model.rollout import RolloutChange, RolloutState
from seawall.operations.abort_rollout import abort_rollout
from seawall.operations.change_update_keys import (
    add_update_key,
    recover_update_role,
    remove_update_key,
    renew_update_root,
    rotate_update_key,
    set_update_threshold,
)
from seawall.operations.create_update_keys import KeyPlan, create_update_keys
from seawall.operations.installation import Installation
from seawall.operations.list_releases import list_releases, show_release
from seawall.operations.publish_release import publish_release
from seawall.operations.renew_updates import renew_updates
from seawall.operations.show_update_keys import show_update_keys
from seawall.operations.sign_release import sign_release
from seawall.operations.sign_update_change import discard_update_change, sign_update_change
from seawall.operations.update_signing import NewKeys, Signing
from seawall.operations.withdraw_release import withdraw_release
from seawall.pki import files
from seawall.pki.keys import encode_key, load_key
from seawall.pki.keystore import Keystore
from seawall.testing.memory_store import MemoryStore
from seawall.testing.rollout_contract import begin
from seawall.testing.update_repository import (
    NEW_KEYS,
    PASSPHRASE,
    SIGNING,
    make_update_keys,
    publish_files,
)
from seawall.updates.release_bundle import release_of_files
from seawall.updates.repository import Repository, root_metadata

START = datetime(2026, 11, 22, tzinfo=UTC)
AGENT = {"seawall_agent/__init__.mpy": b"M\x06"}


class Clock:
    now = START

    def __call__(self) -> int:
        return int(self.now.timestamp() * 1000)


@pytest.fixture(autouse=True)
def _quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    # Guessing need not be dear here, and these tests open some hundred keys.
    monkeypatch.setattr("seawall.pki.sealing._COST", 2**6)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bare(tmp_path: Path, clock: Clock) -> Installation:
    paths = StatePaths(tmp_path / "state")
    return Installation(paths, Settings(), MemoryStore(), Keystore(tmp_path), clock, "cli:test")


@pytest.fixture
def installation(bare: Installation) -> Installation:
    make_update_keys(bare)
    return bare


def _publish(installation: Installation, version: str, **files_: bytes) -> Release:
    return publish_files(installation, version, files_ or {"a.txt": b"a"}, agent=AGENT)


def _updates(installation: Installation) -> Path:
    return Path(installation.paths.updates)


# A client


class Folder(FetcherInterface):
    """Reads the repository without a network."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = Path(url.removeprefix("folder:"))
        if not path.is_file():
            raise DownloadHTTPError("not there", 404)
        return iter([path.read_bytes()])


class Client:
    """A device's TUF client, as python-tuf has it; it keeps what it trusts in a folder."""

    def __init__(self, installation: Installation, folder: Path, clock: Clock) -> None:
        self.updates, self.folder, self.clock = _updates(installation), folder, clock
        self.born_with = root_metadata(self.updates)
        folder.mkdir()

    def refresh(self, base: Path | None = None) -> Updater:
        base = base or self.updates
        updater = Updater(
            str(self.folder),
            f"folder:{base}/metadata/",
            str(self.folder),
            f"folder:{base}/targets/",
            Folder(),
            bootstrap=self.born_with if not (self.folder / "root.json").exists() else None,
        )
        updater._trusted_set.reference_time = self.clock.now
        updater.refresh()
        return updater

    def targets(self) -> list[str]:
        self.refresh()
        path = self.folder / "targets.json"
        return sorted(Metadata[Any].from_file(str(path)).signed.targets)

    def version(self, role: str) -> int:
        version: int = Metadata[Any].from_file(str(self.folder / f"{role}.json")).signed.version
        return version


@pytest.fixture
def client(installation: Installation, tmp_path: Path, clock: Clock) -> Client:
    return Client(installation, tmp_path / "client", clock)


# Keys


def test_new_keys_are_two_of_three_encrypted_and_private(installation: Installation) -> None:
    roles = {each.role: each for each in show_update_keys(installation).roles}
    assert {name: (len(r.keys), r.threshold) for name, r in roles.items()} == {
        "root": (3, 2),
        "targets": (1, 1),
        "snapshot": (1, 1),
        "timestamp": (1, 1),
    }
    for path in (_updates(installation) / "keys").rglob("*.pem"):
        is_offline = path.parent.name == "offline"
        assert (b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()) == is_offline
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    end = roles["timestamp"].expires
    assert end is not None
    assert end - START <= timedelta(days=7)


def test_there_is_no_root_before_there_are_keys(bare: Installation) -> None:
    assert root_metadata(_updates(bare)) is None
    assert list_releases(bare) == []
    assert renew_updates(bare).written == []
    for act in (
        lambda: show_update_keys(bare),
        lambda: publish_release(bare),
        lambda: _publish(bare, "1"),
        lambda: rotate_update_key(bare, "timestamp", SIGNING, NEW_KEYS),
    ):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert caught.value.reference == "no-update-keys"


def test_keys_are_made_once_and_never_over_others(installation: Installation) -> None:
    root = root_metadata(_updates(installation))
    with pytest.raises(ConflictError) as caught:
        make_update_keys(installation)
    assert caught.value.reference == "update-keys-exist"
    files.remove_tree(_updates(installation) / "metadata")
    with pytest.raises(KeyAccessError) as lost:
        make_update_keys(installation)
    assert lost.value.reference == "key-exists"
    assert root is not None


@pytest.mark.parametrize("plan", [KeyPlan(1, 2), KeyPlan(9, 2), KeyPlan(targets_threshold=2)])
def test_numbers_that_cannot_be(bare: Installation, plan: KeyPlan) -> None:
    with pytest.raises(UsageError):
        make_update_keys(bare, plan)
    assert not (_updates(bare) / "keys").exists()


def test_without_a_passphrase_there_are_no_offline_keys(bare: Installation) -> None:
    with pytest.raises(UsageError) as caught:
        create_update_keys(bare, NewKeys())
    assert caught.value.reference == "passphrase-needed"


def test_offline_keys_may_be_written_elsewhere(bare: Installation, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    create_update_keys(bare, NewKeys(lambda _: PASSPHRASE, disk))
    assert sorted(path.name for path in disk.iterdir()) == [
        "root-1.pem",
        "root-2.pem",
        "root-3.pem",
        "targets-1.pem",
    ]
    assert not (_updates(bare) / "keys" / "offline").exists()
    moved = disk.rename(tmp_path / "other")
    with pytest.raises(KeyAccessError) as caught:
        _publish(bare, "1")
    assert caught.value.reference == "signatures-missing"
    built = release_of_files(Board.UNIX, parse_version("1"), AGENT, {})
    signing = Signing(lambda _: PASSPHRASE, (moved / "targets-1.pem",))
    assert sign_release(bare, [built], signing, publish=True).signed.written


def test_a_disk_without_modes_holds_encrypted_keys_alone(
    bare: Installation, tmp_path: Path
) -> None:
    """As FAT: everything there is everybody's, and chmod changes nothing."""
    disk = tmp_path / "disk"
    create_update_keys(bare, NewKeys(lambda _: PASSPHRASE, disk))
    for path in disk.iterdir():
        path.chmod(0o755)
    _publish(bare, "1.0")
    disk = disk.rename(tmp_path / "other")
    built = release_of_files(Board.UNIX, parse_version("1.1"), AGENT, {})
    path = disk / "targets-1.pem"
    signing = Signing(lambda _: PASSPHRASE, (path,))
    assert sign_release(bare, [built], signing, publish=True).signed.written
    path.write_bytes(encode_key(load_key(_private(path), PASSPHRASE), None))
    path.chmod(0o755)
    built = release_of_files(Board.UNIX, parse_version("1.2"), AGENT, {})
    with pytest.raises(KeyAccessError) as caught:
        sign_release(bare, [built], signing, publish=True)
    assert caught.value.reference == "key-mode"


def _private(path: Path) -> Path:
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("name", ["a:b", "hsm:2", "C:"])
def test_a_folder_of_keys_may_have_a_colon(
    bare: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    create_update_keys(bare, NewKeys(lambda _: PASSPHRASE, Path(name)))
    assert (tmp_path / name / "root-1.pem").exists()
    _publish(bare, "1.0")
    assert rotate_update_key(bare, "root-1", SIGNING, NEW_KEYS).is_published
    (tmp_path / name).rename(tmp_path / "away")
    here = {r.name: h for role in show_update_keys(bare).roles for r, h in role.keys}
    assert not here["root-2"]


@pytest.mark.parametrize("signer", ["/a:b", "a/b:c", ":", "2:x", "nothing"])
def test_a_path_is_no_signer(installation: Installation, tmp_path: Path, signer: str) -> None:
    with pytest.raises(UsageError):
        rotate_update_key(
            installation, "targets", SIGNING, NewKeys(signer=signer, public_key=tmp_path / "p.pem")
        )


def test_a_wrong_passphrase_changes_nothing(installation: Installation) -> None:
    before = sorted(_updates(installation).rglob("*"))
    wrong = Signing(lambda _: b"not this one at all")
    built = release_of_files(Board.UNIX, parse_version("1"), AGENT, {})
    for act in (
        lambda: rotate_update_key(installation, "root-1", wrong, NEW_KEYS),
        lambda: sign_release(installation, [built], wrong, publish=True),
    ):
        with pytest.raises(KeyAccessError) as caught:
            act()
        assert caught.value.reference == "wrong-passphrase"
        assert not (_updates(installation) / "staged").exists()
    after = [path for path in sorted(_updates(installation).rglob("*")) if path.name != "targets"]
    assert {p for p in after if "targets/" not in str(p)} == set(before)


# Releases


def test_a_release_reaches_a_client(installation: Installation, client: Client) -> None:
    release = _publish(installation, "1.2.0", a=b"aaa")
    updater = client.refresh()
    target = updater.get_targetinfo("unix/1.2.0.json")
    assert target is not None
    assert (target.length, target.hashes["sha256"]) == (release.length, release.sha256)
    assert {k: target.custom[k] for k in ("board", "version", "kind")} == {
        "board": "unix",
        "version": "1.2.0",
        "kind": "files",
    }
    manifest = Path(updater.download_target(target)).read_bytes()
    assert manifest.startswith(b'{"format":1,"board":"unix","version":"1.2.0","kind":"files",')
    for file in release.files:
        path = _updates(installation) / "targets" / "files" / file.sha256
        assert path.stat().st_size == file.length
    assert list_releases(installation) == [release.__class__(**_listed(release, installation))]


def _listed(release: Release, installation: Installation) -> dict[str, Any]:
    fields = {name: getattr(release, name) for name in release.__slots__}
    return {**fields, "published_ms": installation.now_ms()}


@pytest.mark.parametrize("version", ["1.2", "1.2.0.0", "1.1.9", "0"])
def test_versions_rise(installation: Installation, version: str) -> None:
    _publish(installation, "1.2.0")
    with pytest.raises(ConflictError) as caught:
        _publish(installation, version)
    assert caught.value.reference == "version-not-newer"
    publish_files(installation, version, {}, board=Board.RP2, agent=AGENT)


def test_a_withdrawn_release_is_offered_to_nobody_and_its_version_stays_used(
    installation: Installation, client: Client
) -> None:
    _publish(installation, "1.0")
    _publish(installation, "1.1")
    withdraw_release(installation, "unix/1.1", SIGNING)
    assert client.targets() == ["unix/1.0.json"]
    with pytest.raises(ConflictError):
        _publish(installation, "1.1")
    with pytest.raises(NotFoundError):
        show_release(installation, "unix/1.1")
    _publish(installation, "1.2")
    assert client.targets() == ["unix/1.0.json", "unix/1.2.json"]


def test_a_release_that_is_rolled_out_is_not_withdrawn(
    installation: Installation, client: Client
) -> None:
    for version in ("1.0", "1.1"):
        _publish(installation, version)
    rollout = begin(installation.store, "r7", version="1.1")
    for state in (RolloutState.PAUSED, RolloutState.HALTED, RolloutState.RUNNING):
        change = RolloutChange(replace(rollout, state=state))
        installation.store.change_rollout(change)
        rollout = replace(rollout, revision=rollout.revision + 1)
        with pytest.raises(ConflictError) as caught:
            withdraw_release(installation, "unix/1.1", SIGNING)
        assert caught.value.reference == "release-rolled-out"
        assert "seawall rollout abort r7" in (caught.value.hint or "")
    assert client.targets() == ["unix/1.0.json", "unix/1.1.json"]
    withdraw_release(installation, "unix/1.0", SIGNING)
    abort_rollout(installation, "r7")
    withdraw_release(installation, "unix/1.1", SIGNING)
    assert client.targets() == []


def test_a_release_is_found_by_its_names(installation: Installation) -> None:
    _publish(installation, "1.0")
    publish_files(installation, "1.0", {}, board=Board.RP2, agent=AGENT)
    publish_files(installation, "2.0", {}, board=Board.RP2, agent=AGENT)
    assert show_release(installation, "unix/1.0").board == "unix"
    assert show_release(installation, "2.0").target == "rp2/2.0.json"
    for name in ("1.0", "unix/9", "../x"):
        with pytest.raises(NotFoundError) as caught:
            show_release(installation, name)
        assert caught.value.reference == "no-such-release"


def test_signed_releases_wait_until_they_are_published(
    installation: Installation, client: Client
) -> None:
    for version in ("1.0", "1.1"):
        built = release_of_files(Board.UNIX, parse_version(version), AGENT, {})
        assert not sign_release(installation, [built], SIGNING).signed.written
    assert client.targets() == []
    assert publish_release(installation) == (["unix/1.0.json", "unix/1.1.json"], [])
    assert client.targets() == ["unix/1.0.json", "unix/1.1.json"]
    with pytest.raises(NotFoundError):
        publish_release(installation)


def test_nothing_is_published_with_a_release_that_was_not_named(
    installation: Installation, client: Client
) -> None:
    for version in ("1.0", "1.1"):
        built = release_of_files(Board.UNIX, parse_version(version), AGENT, {})
        waits = sign_release(installation, [built], SIGNING).signed.added
    assert waits == ("unix/1.0.json", "unix/1.1.json")
    with pytest.raises(ConflictError, match=r"unix/1\.0, unix/1\.1") as caught:
        _publish(installation, "1.2")
    assert caught.value.reference == "update-change-pending"
    assert client.targets() == []
    publish_release(installation)
    assert client.targets() == ["unix/1.0.json", "unix/1.1.json"]
    assert [(e.kind, e.subject) for e in installation.store.events()[-2:]] == [
        ("release-published", "unix/1.0.json"),
        ("release-published", "unix/1.1.json"),
    ]


@pytest.mark.parametrize("what", ["publish", "sign", "rotate", "recover"])
def test_who_is_killed_at_the_passphrase_leaves_nothing_behind(
    installation: Installation, tmp_path: Path, what: str
) -> None:
    """By a hang-up or a power cut: nothing of this process gets a say any more."""
    _publish(installation, "1.0")
    left = tmp_path / "left"

    def ask(_name: str) -> bytes:
        if not left.exists():
            os.system(f"cp -a '{_updates(installation)}' '{left}'")
        return PASSPHRASE

    signing = Signing(ask)
    built = release_of_files(Board.UNIX, parse_version("1.1"), AGENT, {"a.txt": b"new"})
    acts: dict[str, Callable[[], object]] = {
        "publish": lambda: sign_release(installation, [built], signing, publish=True),
        "sign": lambda: sign_release(installation, [built], signing),
        "rotate": lambda: rotate_update_key(installation, "root-1", signing, NEW_KEYS),
        "recover": lambda: recover_update_role(installation, "targets", signing, NEW_KEYS),
    }
    acts[what]()
    files.remove_tree(_updates(installation))
    left.rename(_updates(installation))

    assert show_update_keys(installation).waits == ""
    keys = {path.stem for path in (_updates(installation) / "keys").rglob("*.pem")}
    assert keys == {r.name for role in show_update_keys(installation).roles for r, _ in role.keys}
    _publish(installation, "1.2")
    listed = [each.target for each in list_releases(installation)]
    assert listed == ["unix/1.0.json", "unix/1.2.json"]


def test_a_reader_meets_a_change_of_keys_half_way(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads has no lock: root is read, and then root and targets are others."""
    _publish(installation, "1.0")
    load = Repository.load

    def slow(self: Repository, path: Path) -> Metadata[Any]:
        loaded = load(self, path)
        if path.name == "1.root.json":
            monkeypatch.setattr(Repository, "load", load)
            recover_update_role(installation, "targets", SIGNING, NEW_KEYS)
        return loaded

    monkeypatch.setattr(Repository, "load", slow)
    assert [each.target for each in list_releases(installation)] == ["unix/1.0.json"]
    assert show_update_keys(installation).roles[0].version == 2


def test_damage_is_noticed(installation: Installation) -> None:
    release = _publish(installation, "1.0")
    path = _updates(installation) / "targets" / "unix" / f"{release.sha256}.1.0.json"
    path.write_bytes(path.read_bytes().replace(b"a.txt", b"b.txt"))
    with pytest.raises(StateError) as caught:
        list_releases(installation)
    assert caught.value.reference == "state-damaged"


# Several people


def _people(*names: str) -> Signing:
    return Signing(lambda name: PASSPHRASE if name in names else b"")


def test_two_people_sign_one_after_the_other(
    bare: Installation, tmp_path: Path, clock: Clock
) -> None:
    make_update_keys(bare, KeyPlan(targets=3, targets_threshold=2))
    client = Client(bare, tmp_path / "client", clock)
    first = rotate_update_key(bare, "root-3", _people("root-1"), NEW_KEYS)
    assert not first.is_published
    assert [(m.role, m.have, m.need) for m in first.missing] == [("root", 1, 2)]
    for act in (
        lambda: rotate_update_key(bare, "timestamp", SIGNING, NEW_KEYS),
        lambda: _publish(bare, "1"),
    ):
        with pytest.raises(ConflictError) as caught:
            act()
        assert caught.value.reference == "update-change-pending"
    assert sign_update_change(bare, _people("root-2")).is_published
    client.refresh()
    assert client.version("root") == 2

    built = release_of_files(Board.UNIX, parse_version("1"), AGENT, {})
    half = sign_release(bare, [built], _people("targets-2"), publish=True)
    assert [(m.role, m.have, m.need) for m in half.signed.missing] == [("targets", 1, 2)]
    with pytest.raises(KeyAccessError) as lacking:
        publish_release(bare)
    assert lacking.value.reference == "signatures-missing"
    assert sign_update_change(bare, _people("targets-3")).missing == ()
    assert publish_release(bare) == (["unix/1.json"], [])
    assert client.targets() == ["unix/1.json"]


def test_a_change_can_be_dropped_with_its_keys(installation: Installation) -> None:
    before = sorted((_updates(installation) / "keys").rglob("*"))
    rotate_update_key(installation, "root-3", _people("root-1"), NEW_KEYS)
    discard_update_change(installation)
    assert sorted((_updates(installation) / "keys").rglob("*")) == before
    for act in (discard_update_change, lambda i: sign_update_change(i, SIGNING)):
        with pytest.raises(NotFoundError) as caught:
            act(installation)
        assert caught.value.reference == "no-update-change"


# Changes of keys


def test_every_key_can_be_replaced_while_a_client_follows(
    installation: Installation, client: Client
) -> None:
    _publish(installation, "1.0")
    client.refresh()
    for name in ("timestamp", "snapshot", "targets", "root-1", "root-2", "root-3"):
        assert rotate_update_key(installation, name, SIGNING, NEW_KEYS).is_published
        assert client.targets() == ["unix/1.0.json"]
    assert client.version("root") == 7
    names = {r.name for role in show_update_keys(installation).roles for r, here in role.keys}
    assert not names & {"timestamp-1", "snapshot-1", "targets-1", "root-1", "root-2", "root-3"}
    kept = {path.stem for path in (_updates(installation) / "keys").rglob("*.pem")}
    assert kept == names


def test_a_client_that_slept_follows_the_whole_chain(
    installation: Installation, client: Client
) -> None:
    for _ in range(3):
        recover_update_role(installation, "targets", SIGNING, NEW_KEYS)
    add_update_key(installation, "root", SIGNING, NEW_KEYS)
    set_update_threshold(installation, "root", 3, SIGNING)
    remove_update_key(installation, "root-1", SIGNING)
    renew_update_root(installation, SIGNING)
    client.refresh()
    assert client.version("root") == 8


def test_thresholds_have_limits(installation: Installation) -> None:
    for act in (
        lambda: set_update_threshold(installation, "root", 4, SIGNING),
        lambda: set_update_threshold(installation, "root", 0, SIGNING),
        lambda: remove_update_key(installation, "targets-1", SIGNING),
        lambda: remove_update_key(installation, "timestamp-1", SIGNING),
    ):
        with pytest.raises(ConflictError) as caught:
            act()
        assert caught.value.reference == "update-threshold"
    with pytest.raises(UsageError):
        set_update_threshold(installation, "timestamp", 1, SIGNING)
    with pytest.raises(UsageError):
        recover_update_role(installation, "root", SIGNING, NEW_KEYS)
    with pytest.raises(NotFoundError) as caught_name:
        rotate_update_key(installation, "root-9", SIGNING, NEW_KEYS)
    assert caught_name.value.reference == "no-such-update-key"
    assert not (_updates(installation) / "staged").exists()


def test_two_of_three_old_and_new_must_sign(installation: Installation, client: Client) -> None:
    path = _updates(installation) / "metadata" / "2.root.json"
    rotate_update_key(installation, "root-1", SIGNING, NEW_KEYS)
    root = Metadata[Any].from_file(str(path))
    del root.signatures[next(iter(root.signatures))]
    path.write_bytes(root.to_bytes())
    with pytest.raises(UnsignedMetadataError):
        client.refresh()


def test_signers_of_securesystemslib_sign(
    installation: Installation, tmp_path: Path, client: Client
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    for number, private in enumerate(
        (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048))
    ):
        key, public = tmp_path / f"{number}.pem", tmp_path / f"{number}.pub"
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        public.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        external = NewKeys(signer=f"file2:{key}", public_key=public)
        rotate_update_key(installation, "targets", SIGNING, external)
        _publish(installation, f"1.{number}")
    assert client.targets() == ["unix/1.0.json", "unix/1.1.json"]
    key.unlink()
    with pytest.raises(KeyAccessError) as caught:
        _publish(installation, "1.2")
    assert caught.value.reference == "signer-failed"


def test_keys_that_devices_cannot_verify_are_refused(
    installation: Installation, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = tmp_path / "p384.pub"
    public.write_bytes(
        ec.generate_private_key(ec.SECP384R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ConfigurationError) as caught:
        rotate_update_key(
            installation, "targets", SIGNING, NewKeys(signer="file2:x", public_key=public)
        )
    assert caught.value.reference == "update-key-scheme"
    public.write_bytes(b"no key")
    for new in (NewKeys(signer="file2:x", public_key=public), NewKeys(signer="nothing")):
        with pytest.raises(SeawallError):
            rotate_update_key(installation, "targets", SIGNING, new)


# Theft


def _thief(installation: Installation, tmp_path: Path) -> Callable[[str, int], Path]:
    """Copy the repository with its online keys, as it was before anything was noticed."""
    import shutil

    from securesystemslib.signer import CryptoSigner

    from seawall.pki.keys import load_key

    stolen = tmp_path / "stolen"
    shutil.copytree(_updates(installation), stolen)

    def forge(role: str, version: int) -> Path:
        """Raise a role's version, and name it all the way up."""
        from tuf.api.metadata import MetaFile

        metadata = stolen / "metadata"
        repository = Repository(stolen)

        def sign(what: Metadata[Any], name: str) -> bytes:
            (path,) = [
                *stolen.glob(f"keys/{name}-*.pem"),
                *stolen.glob(f"keys/offline/{name}-*.pem"),
            ]
            passphrase = PASSPHRASE if path.parent.name == "offline" else None
            what.sign(CryptoSigner(load_key(path, passphrase)))
            return what.to_bytes()

        current = repository.read()
        assert current.snapshot is not None
        assert current.timestamp is not None
        if role == "targets":
            current.targets.signed.version = version
            current.targets.signed.expires += timedelta(days=9)
            data = sign(current.targets, "targets")
            (metadata / f"{version}.targets.json").write_bytes(data)
            current.snapshot.signed.meta["targets.json"] = MetaFile(version)
        if role in {"targets", "snapshot"}:
            current.snapshot.signed.version = version
            data = sign(current.snapshot, "snapshot")
            (metadata / f"{version}.snapshot.json").write_bytes(data)
            current.timestamp.signed.snapshot_meta = MetaFile(version)
        current.timestamp.signed.version = version
        (metadata / "timestamp.json").write_bytes(sign(current.timestamp, "timestamp"))
        return stolen

    return forge


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_stolen_key_is_recovered_from_although_versions_were_raised(
    installation: Installation, client: Client, tmp_path: Path, role: str
) -> None:
    _publish(installation, "1.0")
    client.refresh()
    mirror = _thief(installation, tmp_path)(role, 1_000_000)
    client.refresh(mirror)
    assert client.version(role) == 1_000_000
    _publish(installation, "1.1")
    with pytest.raises(RepositoryError):
        client.refresh()  # what the thief raised locks the true repository out
    assert recover_update_role(installation, role, SIGNING, NEW_KEYS).is_published
    assert client.targets() == ["unix/1.0.json", "unix/1.1.json"]
    assert client.version(role) < 1_000_000
    with pytest.raises(RepositoryError):
        client.refresh(mirror)  # and the thief is locked out


# Renewal


def test_a_poll_without_news_changes_nothing(installation: Installation, clock: Clock) -> None:
    path = _updates(installation) / "metadata" / "timestamp.json"
    before = path.read_bytes()
    clock.now += timedelta(days=1)
    assert renew_updates(installation).written == []
    assert path.read_bytes() == before


def test_the_timestamp_never_ends_while_it_is_renewed(
    installation: Installation, client: Client, clock: Clock
) -> None:
    _publish(installation, "1.0")
    ends = []
    for _ in range(40):
        clock.now += timedelta(days=1, hours=1)
        renew_updates(installation)
        timestamp = Metadata[Any].from_file(
            str(_updates(installation) / "metadata" / "timestamp.json")
        )
        left = timestamp.signed.expires - clock.now
        assert timedelta(days=5) <= left <= timedelta(days=7)
        ends.append(timestamp.signed.version)
        client.refresh()
    assert ends == sorted(ends)
    assert (
        len({path.name for path in (_updates(installation) / "metadata").glob("*.snapshot.json")})
        == 3
    )


@pytest.mark.parametrize("ahead", [timedelta(days=30), timedelta(days=800)])
def test_what_was_signed_while_the_clock_was_ahead_is_signed_anew(
    installation: Installation, client: Client, clock: Clock, ahead: timedelta
) -> None:
    clock.now += ahead
    renew_updates(installation)
    clock.now = START + timedelta(hours=1)
    assert "timestamp" in renew_updates(installation).written
    assert renew_updates(installation).written == []
    for role in show_update_keys(installation).roles:
        if role.role in {"timestamp", "snapshot"}:
            assert role.expires is not None
            assert role.expires - clock.now <= timedelta(days={"timestamp": 7}.get(role.role, 60))
    client.refresh()


@pytest.mark.anyio
async def test_renewal_waits_for_nobody_who_is_asked_for_a_passphrase(
    installation: Installation, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.now += timedelta(days=3)
    renewal = UpdateRenewal(installation)
    with Repository(_updates(installation)).exclusive():
        async with asyncio.timeout(10):
            assert await renewal.step() == RENEW_RETRY_S
            assert caplog.records == []
            for _ in range(BUSY_TIMES):
                await renewal.step()
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert await renewal.step() == RENEW_EVERY_S
    assert show_update_keys(installation).roles[3].version == 2


def test_a_client_notices_a_freeze(
    installation: Installation, client: Client, clock: Clock
) -> None:
    client.refresh()
    clock.now += timedelta(days=7, seconds=1)
    with pytest.raises(ExpiredMetadataError):
        client.refresh()
    renew_updates(installation)
    client.refresh()


def test_offline_roles_are_told_of_before_they_end(
    installation: Installation, clock: Clock
) -> None:
    clock.now += timedelta(days=320)
    assert renew_updates(installation).ends_soon == {"targets": 45}
    _publish(installation, "1.0")
    assert renew_updates(installation).ends_soon == {}
    clock.now += timedelta(days=365)
    assert set(renew_updates(installation).ends_soon) == {"root", "targets"}
    renew_update_root(installation, SIGNING)
    assert set(renew_updates(installation).ends_soon) == {"targets"}


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json"])
@pytest.mark.parametrize("how", ["lost", "garbage", "empty"])
def test_damaged_online_metadata_are_made_anew(
    installation: Installation, client: Client, name: str, how: str, clock: Clock
) -> None:
    _publish(installation, "1.0")
    client.refresh()
    path = _updates(installation) / "metadata" / name
    path.unlink() if how == "lost" else path.write_bytes(b"{}" if how == "garbage" else b"")
    assert "timestamp" in renew_updates(installation).written
    if name == "timestamp.json" or how != "lost":
        assert client.targets() == ["unix/1.0.json"]


def test_a_lost_online_key_is_told_of(installation: Installation) -> None:
    next((_updates(installation) / "keys").glob("timestamp-*")).unlink()
    with pytest.raises(KeyAccessError) as caught:
        _publish(installation, "1.0")
    assert caught.value.reference == "key-missing"
    assert recover_update_role(installation, "timestamp", SIGNING, NEW_KEYS).is_published
    assert renew_updates(installation).written == []


def test_old_versions_go(installation: Installation, client: Client) -> None:
    for number in range(1, 16):
        _publish(installation, f"1.{number}")
    metadata = _updates(installation) / "metadata"
    assert len(list(metadata.glob("*.snapshot.json"))) == 10
    assert len(list(metadata.glob("*.targets.json"))) == 10
    assert len(client.targets()) == 15


# An old backup


def test_an_old_backup_is_refused_until_the_online_keys_are_replaced(
    installation: Installation, client: Client, tmp_path: Path, clock: Clock
) -> None:
    _publish(installation, "1.0")
    backup = tmp_path / "backup"
    os.system(f"cp -a '{_updates(installation)}' '{backup}'")
    _publish(installation, "1.1")
    for _ in range(4):
        clock.now += timedelta(days=3)
        renew_updates(installation)
    client.refresh()

    files.remove_tree(_updates(installation))
    os.system(f"cp -a '{backup}' '{_updates(installation)}'")
    renew_updates(installation)
    with pytest.raises(RepositoryError):
        client.refresh()
    recover_update_role(installation, "timestamp", SIGNING, NEW_KEYS)
    assert client.targets() == ["unix/1.0.json"]
    _publish(installation, "1.2")
    assert client.targets() == ["unix/1.0.json", "unix/1.2.json"]


def test_a_backup_from_before_a_change_of_keys_must_get_past_it(
    installation: Installation, client: Client, tmp_path: Path
) -> None:
    _publish(installation, "1.0")
    backup = tmp_path / "backup"
    os.system(f"cp -a '{_updates(installation)}' '{backup}'")
    recover_update_role(installation, "timestamp", SIGNING, NEW_KEYS)
    client.refresh()
    files.remove_tree(_updates(installation))
    os.system(f"cp -a '{backup}' '{_updates(installation)}'")

    recover_update_role(installation, "timestamp", SIGNING, NEW_KEYS)
    with pytest.raises(RepositoryError):
        client.refresh()
    recover_update_role(installation, "timestamp", SIGNING, NEW_KEYS)
    assert client.targets() == ["unix/1.0.json"]
    assert client.version("root") == 3


# Crashes


class Cut(BaseException):
    """The power goes."""


def _writes(
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[], object],
    limit: int | None,
    full: OSError | None = None,
) -> int:
    """Do something with the power cut before its ``limit``-th write; return how many it made.

    With ``full`` that write and all after it fail so instead, and the process lives on.
    """
    count = 0
    true_write = files.write_private

    def write(path: Path, data: bytes) -> None:
        nonlocal count
        if limit is not None and count == limit:
            raise full or Cut
        count += 1
        true_write(path, data)

    def no_undo(*_: object) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_private", write)
        if limit is not None and full is None:
            patched.setattr("seawall.updates.staging.Staging.discard", no_undo)
        with contextlib.suppress(Cut, StoreFullError):
            act()
    return count


@pytest.mark.parametrize("what", ["publish", "rotate", "recover"])
def test_after_any_cut_a_client_finds_a_whole_repository(
    installation: Installation,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    what: str,
) -> None:
    _publish(installation, "1.0")
    client.refresh()
    pristine = _updates(installation).rename(tmp_path / "pristine")
    acts: dict[str, Callable[[], object]] = {
        "publish": lambda: _publish(installation, "1.1"),
        "rotate": lambda: rotate_update_key(installation, "timestamp", SIGNING, NEW_KEYS),
        "recover": lambda: recover_update_role(installation, "targets", SIGNING, NEW_KEYS),
    }

    def fresh() -> None:
        files.remove_tree(_updates(installation))
        os.system(f"cp -a '{pristine}' '{_updates(installation)}'")

    fresh()
    total = _writes(monkeypatch, acts[what], None)
    assert total >= 4
    for limit in range(total):
        fresh()
        _writes(monkeypatch, acts[what], limit)
        renew_updates(installation)
        again = Client(installation, tmp_path / f"client-{limit}", client.clock)
        again.born_with = client.born_with
        found = again.targets()
        assert "unix/1.0.json" in found
        assert [each.target for each in list_releases(installation)] == found
        waits = show_update_keys(installation).waits
        if what == "publish":
            assert waits == ""
        elif waits:
            with pytest.raises(ConflictError):
                acts[what]()
            discard_update_change(installation)
        if what != "publish" or "unix/1.1.json" not in found:
            acts[what]()
        listed = {"unix/1.0.json", "unix/1.1.json"} if what == "publish" else {"unix/1.0.json"}
        assert set(again.targets()) == listed


@pytest.mark.parametrize("what", ["create", "publish", "sign", "rotate", "recover"])
def test_a_disk_that_is_full_stops_nobody_for_good(
    bare: Installation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: Clock,
    what: str,
) -> None:
    """Whichever write fails: the repository is whole, and the same order works afterwards."""
    disk = tmp_path / "disk"
    if what == "create":
        _updates(bare).mkdir(parents=True)
    else:
        make_update_keys(bare)
        _publish(bare, "1.0")
    pristine = _updates(bare).rename(tmp_path / "pristine")
    built = release_of_files(Board.UNIX, parse_version("1.1"), AGENT, {"a.txt": b"new"})
    to_disk = NewKeys(lambda _: PASSPHRASE, disk)
    acts: dict[str, Callable[[], object]] = {
        "create": lambda: create_update_keys(bare, to_disk),
        "publish": lambda: sign_release(bare, [built], SIGNING, publish=True),
        "sign": lambda: sign_release(bare, [built], SIGNING),
        "rotate": lambda: rotate_update_key(bare, "root-2", SIGNING, to_disk),
        "recover": lambda: recover_update_role(bare, "targets", SIGNING, to_disk),
    }

    def fresh() -> None:
        for folder in (_updates(bare), disk):
            files.remove_tree(folder)
        os.system(f"cp -a '{pristine}' '{_updates(bare)}'")

    fresh()
    total = _writes(monkeypatch, acts[what], None)
    assert total >= 3
    for limit in range(total):
        fresh()
        _writes(monkeypatch, acts[what], limit, OSError(errno.ENOSPC, "full"))
        renew_updates(bare)
        is_done = what == "publish" and len(list_releases(bare)) == 2
        is_done |= root_metadata(_updates(bare)) is not None and (
            what == "create" or show_update_keys(bare).roles[0].version > 1
        )
        if not is_done:
            assert not list(disk.glob("*.pem"))
            acts[what]()
        Client(bare, tmp_path / f"client-{limit}", clock).refresh()
        show_update_keys(bare)

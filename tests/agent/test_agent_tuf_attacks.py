"""Each attack of the TUF specification's list, on the device's client and the real MicroPython.

An attack must be refused for the reason that belongs to it, leave what was
trusted alone, and not keep the device from the true repository afterwards.
"""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import MetaFile
from tuf_rig import NOW, TARGET, Device, Outcome, Repository, build_site, new_signer

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "served")


@pytest.fixture
def device(tmp_path: Path, site: Path, repository: Repository) -> Device:
    """A device that has seen the repository once."""
    device = Device(tmp_path / "device", site).bear(repository.sign("root"))
    assert device.refresh(repository).changed is True
    return device


def served_after(repository: Repository, tmp_path: Path) -> Path:
    """Return a copy of what is served, to do harm in."""
    return Path(shutil.copytree(repository.served, tmp_path / "mirror"))


def assert_refused(outcome: Outcome, reason: str) -> None:
    assert outcome.refused == reason, outcome


def assert_recovers(device: Device, repository: Repository) -> None:
    """The true repository goes on, and the device with it."""
    repository.add_target("unix/9.json", b"later")
    repository.publish("targets")
    assert device.refresh(repository).changed is True
    assert device.find("unix/9.json").found is not None


# Arbitrary software


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_arbitrary_software_signed_by_a_stranger(
    role: str, device: Device, repository: Repository
) -> None:
    before = device.trusted()
    own = repository.signers[role]
    repository.signers[role] = [new_signer()]
    repository.add_target("unix/9.json", b"evil")
    repository.publish("targets")
    assert_refused(device.refresh(repository), "bad-signature")
    assert device.find("unix/9.json").refused == "unknown-target"
    assert device.trusted()[f"{role}.json"] == before[f"{role}.json"]
    repository.signers[role] = own
    assert_recovers(device, repository)


def test_arbitrary_software_without_any_signature(device: Device, repository: Repository) -> None:
    before = device.trusted()
    repository.signers["timestamp"] = []
    repository.publish("targets")
    assert_refused(device.refresh(repository), "bad-signature")
    assert device.trusted() == before


def test_arbitrary_software_under_a_strangers_root(device: Device, repository: Repository) -> None:
    repository.root.version += 1
    repository.serve("root", repository.sign("root", [new_signer()]))
    assert_refused(device.refresh(repository), "bad-signature")
    assert device.version("root") == 1


def test_arbitrary_software_in_a_document_that_was_changed(
    device: Device, repository: Repository, tmp_path: Path
) -> None:
    repository.publish("targets")
    mirror = served_after(repository, tmp_path)
    path = mirror / "timestamp.json"
    path.write_bytes(path.read_bytes().replace(b'"version":2', b'"version":3'))
    assert_refused(device.refresh(mirror), "bad-signature")
    assert_recovers(device, repository)


# Rollback


def test_rollback_to_an_older_timestamp(
    device: Device, repository: Repository, tmp_path: Path
) -> None:
    mirror = served_after(repository, tmp_path)
    repository.publish("targets")
    assert device.refresh(repository).changed
    before = device.trusted()
    assert_refused(device.refresh(mirror), "rollback")
    assert device.trusted() == before
    assert_recovers(device, repository)


def test_rollback_to_an_older_snapshot(device: Device, repository: Repository) -> None:
    repository.publish("targets")
    assert device.refresh(repository).changed
    repository.documents["snapshot"].version = 0
    repository.publish()
    assert_refused(device.refresh(repository), "rollback")
    assert (device.version("timestamp"), device.version("snapshot")) == (2, 2)
    repository.documents["snapshot"].version = 2
    assert_recovers(device, repository)


def test_rollback_to_older_targets(device: Device, repository: Repository) -> None:
    repository.publish("targets")
    assert device.refresh(repository).changed
    repository.targets.version = 0
    repository.publish("targets")
    assert_refused(device.refresh(repository), "rollback")
    assert (device.version("snapshot"), device.version("targets")) == (2, 2)
    repository.targets.version = 2
    assert_recovers(device, repository)


def test_rollback_by_leaving_a_role_out(device: Device, repository: Repository) -> None:
    repository.delegate("team", ["team/*"])
    repository.publish("targets", "team")
    assert device.refresh(repository).changed
    listed = repository.documents["snapshot"].meta.pop("team.json")
    repository.publish()
    assert_refused(device.refresh(repository), "rollback")
    repository.documents["snapshot"].meta["team.json"] = listed
    assert_recovers(device, repository)


@pytest.mark.parametrize(("version", "reason"), [(1, "rollback"), (3, "wrong-version")])
def test_rollback_of_the_root(
    version: int, reason: str, device: Device, repository: Repository
) -> None:
    repository.root.version = version
    (repository.served / "2.root.json").write_bytes(repository.sign("root"))
    assert_refused(device.refresh(repository), reason)
    assert device.version("root") == 1


# Fast-forward, and stolen keys


@pytest.mark.parametrize("stolen", ["timestamp", "snapshot", "targets"])
def test_a_stolen_key_is_recovered_from_by_rotating_it(
    stolen: str, device: Device, repository: Repository
) -> None:
    """With one online key stolen, numbers are driven as high as they go; a new root ends it."""
    honest = repository.documents[stolen].version
    repository.documents[stolen].version = 2_000_000_000
    # Whoever has the snapshot or targets key needs the roles above it to be heard: they are
    # automatic, and list whatever is there.
    repository.publish(*(["targets"] if stolen == "targets" else []))
    assert device.refresh(repository).changed
    assert device.version(stolen) == 2_000_000_001
    thief = repository.rotate(stolen)
    if stolen == "targets":
        repository.rotate("snapshot")  # it remembers the number of targets (TUF, 6.1)
    repository.documents[stolen].version = honest
    repository.add_target("unix/2.json", b"honest")
    repository.publish("root", "targets")
    assert device.refresh(repository).changed is True
    assert device.version(stolen) == honest + 1
    assert device.find("unix/2.json").found is not None
    # What the thief signs is worth nothing from now on.
    before = device.trusted()
    repository.signers[stolen] = thief
    repository.publish("targets")
    assert_refused(device.refresh(repository), "bad-signature")
    assert device.trusted()[f"{stolen}.json"] == before[f"{stolen}.json"]


@pytest.mark.parametrize("gone", ["timestamp", "snapshot"])
def test_rotating_either_online_key_forgets_both_documents(
    gone: str, device: Device, repository: Repository
) -> None:
    """5.3.11: a thief of one key may have raised the version of either."""
    for role in ("timestamp", "snapshot"):
        repository.documents[role].version = 900
    repository.publish("targets")
    assert device.refresh(repository).changed
    repository.rotate(gone)
    for role in ("timestamp", "snapshot"):
        repository.documents[role].version = 1
    repository.publish("root", "targets")
    assert device.refresh(repository).changed is True
    assert (device.version("timestamp"), device.version("snapshot")) == (2, 2)


def test_what_a_rotated_targets_key_signed_counts_no_more(
    device: Device, repository: Repository
) -> None:
    """Even if the document stays where it is, unchanged, and listed."""
    assert device.find().found is not None
    repository.rotate("targets")
    repository.publish_root()
    assert_refused(device.refresh(repository), "bad-signature")
    assert_refused(device.find(), "unknown-target")
    repository.publish("targets")
    assert device.refresh(repository).changed is True
    assert device.find().found is not None


def test_fewer_stolen_root_keys_than_the_threshold_change_nothing(
    tmp_path: Path, site: Path
) -> None:
    repository = Repository(tmp_path / "served")
    repository.signers["root"] += [new_signer(), new_signer()]
    for signer in repository.signers["root"]:
        repository.root.add_key(signer.public_key, "root")
    repository.root.roles["root"].threshold = 2
    repository.publish("root")
    device = Device(tmp_path / "device", site).bear(repository.sign("root"))
    assert device.refresh(repository).changed
    keys = repository.signers["root"]
    evil = new_signer()
    repository.root.add_key(evil.public_key, "root")
    repository.publish_root([keys[0], evil])
    assert_refused(device.refresh(repository), "bad-signature")
    repository.serve("root", repository.sign("root", keys[1:]))
    assert device.refresh(repository).changed is True


# Freeze


def test_freeze_with_the_same_timestamp_is_told_once_it_expires(
    device: Device, repository: Repository
) -> None:
    assert device.refresh(repository, at=NOW + timedelta(days=6)).changed is False
    assert_refused(device.refresh(repository, at=NOW + timedelta(days=8)), "expired")
    for role in ("root", "timestamp", "snapshot", "targets"):
        repository.documents[role].expires = NOW + timedelta(days=30)
    repository.publish("root", "targets")
    assert device.refresh(repository, at=NOW + timedelta(days=8)).changed is True


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_an_expired_document_is_refused(role: str, device: Device, repository: Repository) -> None:
    repository.documents[role].expires = NOW - timedelta(seconds=1)
    repository.publish("root", "targets")
    assert_refused(device.refresh(repository), "expired")
    # An expired root is kept (5.3.10 comes after 5.3.8), nothing else is.
    assert device.version(role) == (2 if role == "root" else 1)


def test_a_document_expires_at_its_second(device: Device, repository: Repository) -> None:
    repository.documents["timestamp"].expires = NOW + timedelta(hours=1)
    repository.publish()
    last = NOW + timedelta(hours=1, seconds=-1)
    assert device.refresh(repository, at=last).changed is True
    outcome = device.refresh(repository, at=last + timedelta(seconds=1))
    assert_refused(outcome, "expired")


# Endless data


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize(
    "name", ["timestamp.json", "2.root.json", "2.snapshot.json", "2.targets.json"]
)
def test_endless_data(
    name: str, patient: bool, device: Device, repository: Repository, tmp_path: Path
) -> None:
    repository.publish("targets")
    mirror = served_after(repository, tmp_path)
    path = mirror / name
    data = path.read_bytes() if path.exists() else b""
    path.write_bytes(data + b" " * 1_000_000)
    assert_refused(device.refresh(mirror, patient=patient), "endless-data")
    # What is written is never more than was asked for, or than a document may have.
    assert max(path.stat().st_size for path in device.trust.iterdir()) <= 65_536
    assert_recovers(device, repository)


def test_a_length_that_is_signed_is_no_licence(device: Device, repository: Repository) -> None:
    repository.publish("targets")
    repository.documents["timestamp"].snapshot_meta.length = 10**9
    repository.documents["timestamp"].snapshot_meta.hashes = None
    repository.documents["timestamp"].version += 1
    repository.serve("timestamp", repository.sign("timestamp"))
    repository.serve("snapshot", repository.sign("snapshot") + b" " * 1_000_000)
    assert_refused(device.refresh(repository), "endless-data")


# Extraneous dependencies, wrong software


def test_a_target_that_nobody_signed_is_unknown(
    device: Device, repository: Repository, tmp_path: Path
) -> None:
    repository.publish("targets")
    mirror = served_after(repository, tmp_path)
    path = mirror / "2.targets.json"
    document = json.loads(path.read_bytes())
    document["signed"]["targets"]["unix/extra.json"] = document["signed"]["targets"][TARGET]
    path.write_text(json.dumps(document))
    # Hashes name what belongs together: it is found out before any signature is looked at.
    assert device.refresh(mirror).refused in ("mix-and-match", "endless-data")
    assert_refused(device.find("unix/extra.json"), "unknown-target")
    assert_recovers(device, repository)


def test_a_delegated_role_has_no_say_beyond_its_paths(
    device: Device, repository: Repository
) -> None:
    repository.delegate("team", ["team/*.json"])
    repository.add_target("unix/evil.json", b"evil", role="team")
    repository.add_target("team/a/evil.json", b"evil", role="team")
    repository.add_target("team/good.json", b"good", role="team")
    repository.publish("targets", "team")
    assert device.refresh(repository).changed
    found = device.locate(repository, "team/good.json").found
    assert found == [4, sha256(b"good").hexdigest(), {}]
    for target in ("unix/evil.json", "team/a/evil.json"):
        assert_refused(device.locate(repository, target), "unknown-target")


def test_a_target_is_what_its_name_says(device: Device, repository: Repository) -> None:
    """Wrong software: what is found is the length and hash that were signed under that name."""
    repository.add_target("esp32/1.0.0.json", b"for another board", {"board": "esp32"})
    repository.publish("targets")
    assert device.refresh(repository).changed
    assert device.find("esp32/1.0.0.json").found == [
        17,
        sha256(b"for another board").hexdigest(),
        {"board": "esp32"},
    ]
    assert device.find().found == [
        12,
        sha256(b"the manifest").hexdigest(),
        {"board": "unix", "version": "1.0.0"},
    ]
    for name in ("unix", "unix/", TARGET + "/", TARGET.upper(), "", "unix/1.0.0.jso"):
        assert_refused(device.find(name), "unknown-target")


@pytest.mark.parametrize(("role", "disguise"), [("snapshot", "timestamp"), ("targets", "snapshot")])
def test_a_document_of_another_role_is_none_even_if_one_key_signs_both(
    role: str, disguise: str, device: Device, repository: Repository
) -> None:
    signer = repository.signers[disguise][0]
    repository.root.add_key(signer.public_key, role)
    repository.signers[role] = [signer]
    repository.publish("root", "targets")
    document = json.loads(repository.sign(role))
    for member in ("meta", "version"):
        document["signed"][member] = json.loads(repository.sign(disguise))["signed"][member]
    document["signatures"] = resign(document, signer)
    repository.serve(disguise, json.dumps(document).encode())
    if disguise == "snapshot":
        repository.documents["timestamp"].snapshot_meta.hashes = None
        repository.documents["timestamp"].snapshot_meta.length = None
        repository.serve("timestamp", repository.sign("timestamp"))
    assert_refused(device.refresh(repository), "malformed")


def resign(document: dict[str, Any], signer: Any) -> list[dict[str, str]]:
    """Return the signatures of a document that python-tuf would not make."""
    from securesystemslib.formats import encode_canonical

    data = encode_canonical(document["signed"])
    assert data is not None
    return [signer.sign(data.encode()).to_dict()]


# Mix-and-match


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_mix_and_match_of_documents_that_never_were_together(
    role: str, device: Device, repository: Repository, tmp_path: Path
) -> None:
    repository.publish("targets")
    repository.publish("targets")
    mirror = served_after(repository, tmp_path)
    shutil.copyfile(mirror / f"2.{role}.json", mirror / f"3.{role}.json")
    # Signatures differ in length: it may already be too long.
    assert device.refresh(mirror).refused in ("mix-and-match", "endless-data")
    assert device.version(role) == 1
    assert_recovers(device, repository)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_mix_and_match_without_hashes_is_told_by_the_version(
    role: str, device: Device, repository: Repository, tmp_path: Path
) -> None:
    for _ in range(2):
        repository.targets.version += 1
        repository.serve("targets", repository.sign("targets"))
        repository.documents["snapshot"].meta["targets.json"] = MetaFile(repository.targets.version)
        repository.documents["snapshot"].version += 1
        repository.serve("snapshot", repository.sign("snapshot"))
        listed = MetaFile(repository.documents["snapshot"].version)
        repository.documents["timestamp"].snapshot_meta = listed
        repository.documents["timestamp"].version += 1
        repository.serve("timestamp", repository.sign("timestamp"))
    mirror = served_after(repository, tmp_path)
    shutil.copyfile(mirror / f"2.{role}.json", mirror / f"3.{role}.json")
    assert_refused(device.refresh(mirror), "mix-and-match")
    assert device.refresh(repository).changed is True
    assert device.version(role) == 3


# Malicious mirrors


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
@pytest.mark.parametrize("harm", ["gone", "empty", "truncated", "garbage"])
def test_a_malicious_mirror_does_not_keep_one_from_a_good_one(
    name: str, harm: str, device: Device, repository: Repository, tmp_path: Path
) -> None:
    repository.publish("targets")
    mirror = served_after(repository, tmp_path)
    path = mirror / name
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "truncated": data[:-1], "garbage": b"\0{[" * 200}[harm])
    allowed = {
        "gone": ("missing",),
        "empty": ("malformed", "mix-and-match"),
        "truncated": ("malformed", "mix-and-match"),
        "garbage": ("malformed", "mix-and-match", "endless-data"),
    }
    assert device.refresh(mirror).refused in allowed[harm]
    assert device.refresh(repository).changed is True
    assert device.version("targets") == 2


def test_without_a_network_nothing_changes(device: Device, repository: Repository) -> None:
    before = device.trusted()
    repository.publish("targets")
    outcome = device.refresh(repository, offline=True)
    assert (outcome.failed, outcome.refused) == (113, None)
    assert device.trusted() == before
    assert device.refresh(repository).changed is True

"""How the device's TUF client keeps its trust: polls, thresholds, delegations, damage, heap."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Delegations, Key, Metadata, MetaFile, TargetFile, Targets
from tuf_rig import NOW, TARGET, Device, Repository, build_site, new_signer

pytestmark = pytest.mark.system

SEED = 20270301


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "served")


@pytest.fixture
def newborn(tmp_path: Path, site: Path, repository: Repository) -> Device:
    """A device that knows its first root alone."""
    root = (repository.served / "1.root.json").read_bytes()
    return Device(tmp_path / "device", site).bear(root)


@pytest.fixture
def device(newborn: Device, repository: Repository) -> Device:
    """A device that has seen the repository once."""
    assert newborn.refresh(repository).changed is True
    return newborn


def signed(document: dict[str, Any], signers: list[Any]) -> bytes:
    """Return a document with signatures that python-tuf would not make."""
    data = encode_canonical(document["signed"])
    assert data is not None
    document["signatures"] = [signer.sign(data.encode()).to_dict() for signer in signers]
    return json.dumps(document, sort_keys=True).encode()


# Polls


def test_a_first_refresh_takes_everything_in_order(newborn: Device, repository: Repository) -> None:
    outcome = newborn.refresh(repository)
    assert outcome.changed is True
    assert outcome.fetched == ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
    served = {path.name: path.read_bytes() for path in repository.served.iterdir()}
    assert newborn.trusted() == {
        "root.json": served["1.root.json"],
        "timestamp.json": served["timestamp.json"],
        "snapshot.json": served["1.snapshot.json"],
        "targets.json": served["1.targets.json"],
    }


def test_an_unchanged_poll_verifies_no_signature(device: Device, repository: Repository) -> None:
    before = device.trusted()
    outcome = device.refresh(repository)
    assert (outcome.changed, outcome.verified) == (False, 0)
    assert outcome.fetched == ["2.root.json", "timestamp.json"]
    assert device.trusted() == before
    assert sorted(path.name for path in device.trust.iterdir()) == [
        "new",
        "root.json",
        "seen",
        "snapshot.json",
        "targets.json",
        "timestamp.json",
    ]


def test_a_renewed_timestamp_costs_one_verification(device: Device, repository: Repository) -> None:
    repository.documents["timestamp"].expires += timedelta(days=1)
    repository.documents["timestamp"].version += 1
    repository.serve("timestamp", repository.sign("timestamp"))
    outcome = device.refresh(repository)
    assert (outcome.changed, outcome.verified) == (True, 1)


def test_a_timestamp_of_the_same_version_changes_nothing(
    device: Device, repository: Repository
) -> None:
    before = device.trusted()
    repository.documents["timestamp"].snapshot_meta.version = 9
    repository.serve("timestamp", repository.sign("timestamp"))
    assert device.refresh(repository).changed is False
    assert device.trusted() == before


def test_a_root_signed_by_its_own_keys_alone_is_not_believed(
    device: Device, repository: Repository
) -> None:
    repository.rotate("root")
    repository.publish_root()
    assert device.refresh(repository).refused == "bad-signature"
    assert device.version("root") == 1


def test_a_chain_of_roots_is_followed_and_bounded(device: Device, repository: Repository) -> None:
    for _ in range(40):
        old = repository.rotate("root")
        repository.publish_root(old + repository.signers["root"])
    outcome = device.refresh(repository)
    # At most 32 in one refresh; the roles that did not change are still good.
    assert (outcome.changed, device.version("root")) == (True, 33)
    assert device.refresh(repository).changed is True
    assert device.version("root") == 41
    assert device.refresh(repository).changed is False


def test_without_consistent_snapshots_names_have_no_versions(
    newborn: Device, repository: Repository
) -> None:
    repository.root.consistent_snapshot = False
    repository.publish("root", "targets")
    for role in ("snapshot", "targets"):
        version = repository.documents[role].version
        (repository.served / f"{version}.{role}.json").rename(repository.served / f"{role}.json")
    outcome = newborn.refresh(repository)
    assert outcome.fetched[-2:] == ["snapshot.json", "targets.json"]
    assert newborn.find().found is not None


def test_other_tasks_have_their_turn_between_signatures(
    newborn: Device, repository: Repository
) -> None:
    repository.publish("root", "targets")
    outcome = newborn.refresh(repository)
    assert outcome.verified >= 5
    assert outcome.ticks >= outcome.verified


# Keys and thresholds


def test_a_threshold_needs_that_many_different_keys(
    newborn: Device, repository: Repository
) -> None:
    keys = [new_signer() for _ in range(3)]
    repository.signers["timestamp"] = keys[:2]
    for signer in keys:
        repository.root.add_key(signer.public_key, "timestamp")
    repository.root.roles["timestamp"].threshold = 3
    repository.publish("root", "targets")
    assert newborn.refresh(repository).refused == "bad-signature"
    repository.signers["timestamp"] = keys
    repository.publish()
    assert newborn.refresh(repository).changed is True


def test_a_key_that_is_listed_as_signing_twice_spoils_the_document(
    newborn: Device, repository: Repository
) -> None:
    document = json.loads(repository.sign("timestamp"))
    document["signatures"] *= 2
    repository.serve("timestamp", json.dumps(document).encode())
    assert newborn.refresh(repository).refused == "malformed"
    document["signatures"] = document["signatures"][:1]
    repository.serve("timestamp", json.dumps(document).encode())
    assert newborn.refresh(repository).changed is True


def test_one_key_under_two_ids_is_one_key(newborn: Device, repository: Repository) -> None:
    document = json.loads(repository.sign("root"))
    root = document["signed"]
    own = repository.signers["timestamp"][0]
    keyid = own.public_key.keyid
    other = "00" * 32
    root["keys"][other] = root["keys"][keyid]
    root["roles"]["timestamp"] = {"keyids": [keyid, other], "threshold": 2}
    newborn.bear(signed(document, repository.signers["root"]))
    timestamp = json.loads(repository.sign("timestamp"))
    twin = {"keyid": other, "sig": timestamp["signatures"][0]["sig"]}
    timestamp["signatures"].append(twin)
    repository.serve("timestamp", json.dumps(timestamp).encode())
    assert newborn.refresh(repository).refused == "bad-signature"


@pytest.mark.parametrize("threshold", [0, -1, "1", None, True, 2])
def test_a_threshold_that_is_none_is_not_reached(
    threshold: Any, newborn: Device, repository: Repository
) -> None:
    document = json.loads(repository.sign("root"))
    document["signed"]["roles"]["timestamp"]["threshold"] = threshold
    newborn.bear(signed(document, repository.signers["root"]))
    refused = newborn.refresh(repository).refused
    assert refused == ("bad-signature" if threshold == 2 else "malformed")


@pytest.mark.parametrize("count", [20, 100])
def test_signatures_of_strangers_are_passed_over_in_bounds(
    count: int, newborn: Device, repository: Repository
) -> None:
    document = json.loads(repository.sign("timestamp"))
    strangers = [{"keyid": sha256(bytes((n,))).hexdigest(), "sig": "00" * 70} for n in range(count)]
    document["signatures"] = strangers + document["signatures"]
    repository.serve("timestamp", json.dumps(document).encode())
    outcome = newborn.refresh(repository)
    assert outcome.refused == (None if count == 20 else "malformed")


def test_broken_signatures_beside_a_good_one_do_no_harm(
    newborn: Device, repository: Repository
) -> None:
    spare = [new_signer() for _ in range(5)]
    for signer in spare:
        repository.root.add_key(signer.public_key, "timestamp")
    repository.publish("root")
    document = json.loads(repository.sign("timestamp"))
    broken = ["", "zz", "0", "30" * 100, "00"]
    document["signatures"] = [
        {"keyid": signer.public_key.keyid, "sig": sig}
        for signer, sig in zip(spare, broken, strict=True)
    ] + document["signatures"]
    repository.serve("timestamp", json.dumps(document).encode())
    assert newborn.refresh(repository).changed is True


@pytest.mark.parametrize("bits", [2048, 4096])
def test_rsa_keys_sign_as_well(bits: int, tmp_path: Path, site: Path) -> None:
    repository = Repository(tmp_path / "served", lambda: CryptoSigner.generate_rsa(size=bits))
    device = Device(tmp_path / "device", site).bear(repository.sign("root"))
    assert device.refresh(repository).changed is True
    own, repository.signers["targets"] = (
        repository.signers["targets"],
        [CryptoSigner.generate_rsa(size=bits)],
    )
    repository.publish("targets")
    assert device.refresh(repository).refused == "bad-signature"
    repository.signers["targets"] = own
    repository.publish("targets")
    assert device.refresh(repository).changed is True


def test_keys_of_an_unknown_kind_have_no_say(newborn: Device, repository: Repository) -> None:
    """They may be in a root: others than devices can read it."""
    unknown = CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha512")
    repository.root.add_key(unknown.public_key, "timestamp")
    repository.publish("root")
    own = repository.signers["timestamp"]
    repository.signers["timestamp"] = [unknown]
    repository.publish()
    assert newborn.refresh(repository).refused == "bad-signature"
    repository.signers["timestamp"] = [unknown, *own]
    repository.publish()
    assert newborn.refresh(repository).changed is True


# Delegations


@pytest.fixture
def delegating(repository: Repository) -> Repository:
    """Roles a (team/*), b (*/*, and by it c: team/deep/*) and by hashes."""
    repository.delegate("a", ["team/*.json"])
    repository.delegate("b", ["*/*", "team/deep/*"])
    repository.delegate("c", ["team/deep/*"], by="b")
    prefix = sha256(b"hashed/one").hexdigest()[:3]
    repository.delegate("hashed", None, prefixes=[prefix])
    repository.add_target("team/x.json", b"by a", role="a")
    repository.add_target("team/x.json", b"by b, longer", role="b")
    repository.add_target("other/x.json", b"by b too", role="b")
    repository.add_target("team/deep/x", b"by c, deep down", role="c")
    repository.add_target("hashed/one", b"hashed", role="hashed")
    repository.publish("targets", "a", "b", "c", "hashed")
    return repository


@pytest.mark.parametrize(
    ("target", "length", "roles"),
    [
        ("team/x.json", 4, ["a"]),
        ("other/x.json", 8, ["b"]),
        ("team/deep/x", 15, ["b", "c"]),
        ("hashed/one", None, ["b"]),  # paths by hash are not for devices
        ("team/none.json", None, ["a", "b"]),
        (TARGET, 12, []),
    ],
)
def test_delegations_are_searched_in_the_order_of_trust(
    target: str, length: int | None, roles: list[str], newborn: Device, delegating: Repository
) -> None:
    assert newborn.refresh(delegating).changed
    outcome = newborn.locate(delegating, target)
    assert outcome.fetched == [f"1.{role}.json" for role in roles]
    if length is None:
        assert outcome.refused == "unknown-target"
    else:
        assert outcome.found is not None
        assert outcome.found[0] == length
        # What was fetched is kept; it is verified anew.
        again = newborn.locate(delegating, target)
        assert (again.found, again.fetched) == (outcome.found, [])
        assert again.verified == len(roles)


def test_a_terminating_delegation_ends_the_search(newborn: Device, repository: Repository) -> None:
    repository.delegate("a", ["team/*"], terminating=True)
    repository.delegate("b", ["team/*"])
    repository.add_target("team/x", b"by b", role="b")
    repository.publish("targets", "a", "b")
    assert newborn.refresh(repository).changed
    outcome = newborn.locate(repository, "team/x")
    assert (outcome.refused, outcome.fetched) == ("unknown-target", ["1.a.json"])


def test_a_circle_of_delegations_ends(newborn: Device, repository: Repository) -> None:
    repository.delegate("a", ["*"])
    repository.delegate("b", ["*"], by="a")
    repository.documents["b"].delegations = repository.documents["targets"].delegations
    repository.publish("targets", "a", "b")
    assert newborn.refresh(repository).changed
    outcome = newborn.locate(repository, "none")
    assert (outcome.refused, outcome.fetched) == ("unknown-target", ["1.a.json", "1.b.json"])


def test_no_more_than_a_few_roles_are_looked_into(newborn: Device, repository: Repository) -> None:
    names = [f"r{n}" for n in range(30)]
    for name in names:
        repository.delegate(name, ["*"])
    repository.publish("targets", *names)
    assert newborn.refresh(repository).changed
    outcome = newborn.locate(repository, "none")
    assert outcome.refused == "unknown-target"
    assert len(outcome.fetched) < 16


def test_a_delegated_role_signed_by_a_stranger(newborn: Device, delegating: Repository) -> None:
    delegating.signers["a"] = [new_signer()]
    delegating.publish("a")
    assert newborn.refresh(delegating).changed
    assert newborn.locate(delegating, "team/x.json").refused == "bad-signature"
    assert newborn.version("a") is None


def test_a_delegated_role_that_no_snapshot_lists(newborn: Device, delegating: Repository) -> None:
    del delegating.documents["snapshot"].meta["a.json"]
    delegating.publish()
    assert newborn.refresh(delegating).changed
    outcome = newborn.locate(delegating, "team/x.json")
    assert (outcome.refused, outcome.fetched) == ("missing", [])


def test_a_delegated_role_that_has_expired(newborn: Device, delegating: Repository) -> None:
    delegating.documents["a"].expires = NOW - timedelta(seconds=1)
    delegating.publish("a")
    assert newborn.refresh(delegating).changed
    assert newborn.locate(delegating, "team/x.json").refused == "expired"


@pytest.mark.parametrize("name", ["root", "ROOT", "Timestamp", "targets", "snapshot"])
def test_a_delegated_role_cannot_take_the_place_of_another(
    name: str, newborn: Device, repository: Repository
) -> None:
    repository.delegate("a", ["team/*"])
    repository.publish("a")
    document = json.loads(repository.sign("targets"))
    role = document["signed"]["delegations"]["roles"][0]
    role["name"] = name
    document["signed"]["version"] = 2
    repository.targets.version = 2
    data = signed(document, repository.signers["targets"])
    repository.serve("targets", data)
    snapshot = repository.documents["snapshot"]
    snapshot.meta["targets.json"].version = 2
    snapshot.meta["targets.json"].length = len(data)
    snapshot.meta["targets.json"].hashes = {"sha256": sha256(data).hexdigest()}
    snapshot.meta[f"{name}.json"] = snapshot.meta.pop("a.json")
    if name == "targets":
        snapshot.meta["targets.json"].version = 2
    repository.publish()
    newborn.refresh(repository)
    before = newborn.trusted()
    outcome = newborn.locate(repository, "team/x")
    assert outcome.found is None
    assert newborn.trusted() == before


@pytest.mark.parametrize("name", ["team", "new"])
def test_whatever_a_role_is_called_nobody_signs_what_is_below_it_but_its_keys(
    name: str, newborn: Device, repository: Repository
) -> None:
    """`new` is where documents are while they are verified."""
    repository.delegate(name, ["*/*"])
    repository.delegate("leaf", ["*/*"], by=name)
    repository.publish("targets", "leaf", name)
    for role in (name, "leaf"):  # no hashes, as python-tuf writes it
        versions = repository.documents["snapshot"].meta
        versions[f"{role}.json"] = MetaFile(versions[f"{role}.json"].version)
    repository.publish()
    assert newborn.refresh(repository).changed
    # A thief of nothing at all gives his key the id of the genuine one.
    (key_id,) = repository.documents[name].delegations.keys
    leaf, thief = repository.documents["leaf"], new_signer()
    forged = Targets(version=leaf.version, expires=leaf.expires)
    forged.targets["x/evil.json"] = TargetFile.from_data("x/evil.json", b"evil", ["sha256"])
    forged.delegations = Delegations(
        {key_id: Key.from_dict(key_id, thief.public_key.to_dict())}, {}
    )
    document = Metadata(forged)
    document.sign(thief)
    (signature,) = document.signatures.values()
    signature.keyid = key_id
    document.signatures = {key_id: signature}
    (repository.served / f"{leaf.version}.leaf.json").write_bytes(document.to_bytes())
    assert newborn.locate(repository, "x/evil.json").found is None


@pytest.mark.parametrize("name", ["../up", "/abs", "a b", "ä", "?", "#", "a/../../b", ".", ".."])
def test_names_of_roles_are_no_paths(name: str, newborn: Device, repository: Repository) -> None:
    repository.delegate(name, ["team/*"])
    repository.add_target("team/x", b"x", role=name)
    repository.documents[name].version = 1
    data = repository.sign(name)
    from urllib.parse import quote

    (repository.served / f"1.{quote(name, safe='')}.json").write_bytes(data)
    from tuf.api.metadata import MetaFile

    repository.documents["snapshot"].meta[f"{name}.json"] = MetaFile(1)
    repository.publish("targets")
    assert newborn.refresh(repository).changed
    assert newborn.locate(repository, "team/x").found is not None
    assert sorted(path.name for path in newborn.folder.iterdir()) == ["root.json", "trust"]
    assert (newborn.trust / f"{quote(name, safe='')}.json").exists()


# Forms


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": -1},
        {"version": "2"},
        {"version": True},
        {"version": None},
        {"expires": "2027-13-01"},
        {"expires": ""},
        {"expires": 5},
        {"expires": None},
        {"expires": "9999-99-99 99:99:99Z"},
        {"_type": "snapshot"},
        {"_type": 1},
        {"spec_version": "2.0.0"},
        {"spec_version": 1},
        {"meta": {}},
        {"meta": []},
        {"meta": {"snapshot.json": {}}},
        {"meta": {"snapshot.json": {"version": 0}}},
        {"meta": {"snapshot.json": {"version": "1"}}},
        {"meta": {"snapshot.json": {"version": 1, "length": "9"}}},
        {"meta": {"snapshot.json": {"version": 1, "hashes": {}}}},
        {"meta": {"snapshot.json": {"version": 1, "hashes": {"md5": "00"}}}},
        {"meta": {"snapshot.json": {"version": 1, "hashes": [1]}}},
    ],
    ids=str,
)
def test_a_timestamp_of_the_wrong_form_is_refused_though_it_is_signed(
    change: dict[str, Any], device: Device, repository: Repository
) -> None:
    before = device.trusted()
    document = json.loads(repository.sign("timestamp"))
    document["signed"]["version"] = 2
    document["signed"].update(change)
    data = json.dumps(document["signed"], sort_keys=True, separators=(",", ":")).encode()
    document["signatures"] = [repository.signers["timestamp"][0].sign(data).to_dict()]
    repository.serve("timestamp", json.dumps(document).encode())
    outcome = device.refresh(repository)
    # Hashes of no kind that we know are malformed, too: they cannot be checked.
    expected = {"malformed", "missing"} if "meta" in change else {"malformed"}
    assert outcome.refused in expected
    assert device.trusted() == before


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"length": 1},
        {"length": "1", "hashes": {"sha256": "00" * 32}},
        {"length": -1, "hashes": {"sha256": "00" * 32}},
        {"length": 1, "hashes": {"sha256": "00" * 31}},
        {"length": 1, "hashes": {"sha256": "zz" * 32}},
        {"length": 1, "hashes": {"sha512": "00" * 64}},
        {"length": 1, "hashes": []},
        [],
        1,
    ],
    ids=str,
)
def test_a_target_of_the_wrong_form_is_refused_though_it_is_signed(
    target: Any, device: Device, repository: Repository
) -> None:
    document = json.loads(repository.sign("targets"))
    document["signed"]["targets"]["unix/odd.json"] = target
    document["signed"]["version"] = 2
    repository.targets.version = 2
    data = signed(document, repository.signers["targets"])
    repository.serve("targets", data)
    listed = repository.documents["snapshot"].meta["targets.json"]
    listed.version, listed.length = 2, len(data)
    listed.hashes = {"sha256": sha256(data).hexdigest()}
    repository.publish()
    assert device.refresh(repository).changed
    assert device.find("unix/odd.json").refused == "malformed"
    assert device.find().found is not None


def test_garbled_documents_never_crash_and_never_pass(
    device: Device, repository: Repository, tmp_path: Path
) -> None:
    """A timestamp with bytes changed, cut out, put in: refused, or it says what was signed."""
    repository.publish("targets")
    good = (repository.served / "timestamp.json").read_bytes()
    chance = random.Random(SEED)
    orders: list[dict[str, Any]] = []
    variants = []
    for n in range(400):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 20)]
                case 2:
                    data[at:at] = chance.choice([b"{", b"[", b'"', b"\\", b"\0", b",", b"1", b" "])
                case _:
                    data[at:at] = data[chance.randrange(len(data)) :][: chance.randint(1, 99)]
        mirror = tmp_path / f"mirror{n}"
        mirror.mkdir()
        (mirror / "timestamp.json").write_bytes(data)
        variants.append(bytes(data))
        orders.append({"do": "refresh", "served": str(mirror)})
    signed_part = json.loads(good)["signed"]
    passed = 0
    for outcome, data in zip(device.obey(*orders), variants, strict=True):
        if outcome.refused == "missing":  # the timestamp passed, and the snapshot is not there
            assert json.loads(data)["signed"] == signed_part
            passed += 1
        else:
            assert outcome.refused in ("malformed", "bad-signature"), (outcome, data)
    assert passed < 100
    assert device.refresh(repository).changed is True


# Damage


def test_lost_and_damaged_files_are_made_good_again(device: Device, repository: Repository) -> None:
    whole = device.trusted()
    for name in ("root.json", "timestamp.json", "snapshot.json", "targets.json", "seen"):
        path = device.trust / name
        data = path.read_bytes()
        for damaged in (None, b"", data[: len(data) // 2], bytes(len(data)), data[:-1] + b"\xff"):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            outcome = device.refresh(repository)
            assert outcome.refused is None, (name, damaged, outcome)
            assert device.trusted() == whole
            assert device.find().found is not None
    assert device.refresh(repository).verified == 0


def test_a_lost_root_is_followed_up_again_from_birth(
    device: Device, repository: Repository
) -> None:
    for _ in range(3):
        repository.publish_root()
    assert device.refresh(repository).changed
    (device.trust / "root.json").unlink()
    assert device.refresh(repository).refused is None
    assert device.version("root") == 4


def test_a_device_without_any_root_trusts_nobody(device: Device, repository: Repository) -> None:
    (device.trust / "root.json").unlink()
    (device.folder / "root.json").unlink()
    outcome = device.refresh(repository)
    assert (outcome.refused, outcome.fetched) == ("missing", [])


def test_a_root_of_birth_that_is_not_signed_by_itself_is_none(
    newborn: Device, repository: Repository
) -> None:
    newborn.bear(repository.sign("root", [new_signer()]))
    outcome = newborn.refresh(repository)
    assert (outcome.refused, outcome.fetched) == ("bad-signature", [])


def test_damage_does_not_let_one_be_rolled_back(
    device: Device, repository: Repository, tmp_path: Path
) -> None:
    """Without `seen` the documents are verified again, and still count."""
    import shutil

    mirror = Path(shutil.copytree(repository.served, tmp_path / "mirror"))
    repository.publish("targets")
    assert device.refresh(repository).changed
    (device.trust / "seen").unlink()
    assert device.refresh(mirror).refused == "rollback"


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_replacement_that_was_cut_is_finished(
    role: str, deleted: bool, device: Device, repository: Repository
) -> None:
    """Power went between the renames: the verified one is there under another name."""
    before = device.trusted()
    repository.publish("root", "targets")
    assert device.refresh(repository).changed
    after = device.trusted()
    (device.trust / f"{role}.json").rename(device.trust / f"{role}.ok")
    if not deleted:
        (device.trust / f"{role}.json").write_bytes(before[f"{role}.json"])
    outcome = device.refresh(repository)
    assert (outcome.changed, outcome.verified) == (False, 0)
    assert device.trusted() == after


# Heap


@pytest.mark.parametrize(
    ("make", "heap"),
    [(new_signer, "34k"), (CryptoSigner.generate_rsa, "48k")],
    ids=["ecdsa", "rsa"],
)
def test_a_refresh_fits_into_a_small_heap(
    make: Callable[[], Any], heap: str, tmp_path: Path, site: Path
) -> None:
    """With 5 root keys of 3 needed, and 200 targets; a connected agent needs the other half."""
    repository = Repository(tmp_path / "served", make)
    root = [make() for _ in range(5)]
    for signer in root:
        repository.root.add_key(signer.public_key, "root")
    repository.root.roles["root"].threshold = 3
    repository.signers["root"] = root[:3] + repository.signers["root"]
    for n in range(200):
        repository.add_target(
            f"unix/1.0.{n}.json", b"x" * n, {"board": "unix", "version": f"1.0.{n}"}
        )
    repository.publish("root", "targets")
    device = Device(tmp_path / "device", site, heap=heap).bear(
        (repository.served / "1.root.json").read_bytes()
    )
    assert device.refresh(repository).changed is True
    assert device.find("unix/1.0.199.json").found is not None
    assert device.refresh(repository).changed is False

"""Each attack and each bad input as a person sees it: its reason in the roll-out's status.

The device is the whole agent on the real MicroPython, the server the real daemon; only what
the device downloads comes from a server that has turned. What runs must stay as it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agent_rig import Agent
from securesystemslib.signer import CryptoSigner
from update_mirror import Mirror
from update_rig import HEAP, PASSPHRASE, UpdateSite, slot_is_whole, slots, update_site_in

from seawall.errors import ConflictError
from seawall.model.rollout import Plan, Way, WayState
from seawall.operations.abort_rollout import abort_rollout
from seawall.operations.change_update_keys import recover_update_role
from seawall.operations.show_rollout import show_rollout
from seawall.operations.start_rollout import NewRollout, start_rollout
from seawall.operations.update_signing import NewKeys, Signing

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

Attack = Callable[[Mirror, str], None]
PLAN = Plan(cohorts=(100,), soak_ms=0, halt_percent=100)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpdateSite]:
    with update_site_in(tmp_path_factory.mktemp("attacks") / "site") as site:
        yield site


@pytest.fixture(scope="module")
def release(site: UpdateSite) -> str:
    """One for all attacks: none of them may bring it onto a device."""
    return site.release()[0]


@pytest.fixture
def mirror(site: UpdateSite) -> Iterator[Mirror]:
    mirror = Mirror(site.site)
    yield mirror
    mirror.close()


def _device(site: UpdateSite, mirror: Mirror, name: str) -> Agent:
    """Return a device that runs, connected to the daemon, and downloads from the mirror."""
    agent = site.site.agent(name, heap=HEAP, updates={"port": mirror.port})
    site.site.take_in()
    agent.start().wait_stored(1)
    return agent


def _offer(site: UpdateSite, agent: Agent, target: str) -> Way:
    """Roll a release out to a device; return its way once it has an end."""
    new = NewRollout(target.removesuffix(".json"), pattern=agent.name, plan=PLAN, again=True)
    started = start_rollout(site.site.installation, new).rollout

    def ended() -> Way | None:
        (way,) = show_rollout(site.site.installation, started.rollout_id).ways
        is_end = way.state in (WayState.REFUSED, WayState.FAILED, WayState.ROLLED_BACK)
        return way if is_end or way.state is WayState.CONFIRMED else None

    way: Way = agent.wait(ended, 60, "an end of the device's way")
    with contextlib.suppress(ConflictError):  # over, if the device will not be asked again
        abort_rollout(site.site.installation, started.rollout_id)
    return way


def _assert_untouched(agent: Agent, live: str = "a") -> None:
    stored = len(agent.lines("stored"))
    agent.wait(lambda: len(agent.lines("stored")) > stored + 2, what="that it goes on measuring")
    found = slots(agent)
    assert (found["live"], found["trial"]) == (live, "-")
    assert slot_is_whole(agent.bundle / live)
    agent.assert_sane()


# By a server that has turned, and by thieves of keys


def _stranger(mirror: Mirror, _target: str) -> None:
    mirror.put_timestamp(lambda _: None, CryptoSigner.generate_ecdsa())


def _strangers_root(mirror: Mirror, _target: str) -> None:
    root = mirror.document("root")
    root.signed.version += 1
    mirror.put("root", root, CryptoSigner.generate_ecdsa())


def _freeze(mirror: Mirror, _target: str) -> None:
    def expire(timestamp: Any) -> None:
        timestamp.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

    mirror.put_timestamp(expire)


def _endless_metadata(mirror: Mirror, _target: str) -> None:
    mirror.instead["metadata/timestamp.json"] = bytes(1_000_000)


def _truncated_metadata(mirror: Mirror, _target: str) -> None:
    data = mirror.read("metadata/timestamp.json")
    assert data is not None
    mirror.instead["metadata/timestamp.json"] = data[: len(data) // 2]


def _nothing_there(mirror: Mirror, _target: str) -> None:
    mirror.instead["metadata/timestamp.json"] = None


def _mixed(mirror: Mirror, _target: str) -> None:
    # Of the right version, rightly signed, and not the one that the timestamp lists.
    snapshot = mirror.document("snapshot")
    size = len(snapshot.to_bytes())
    while True:
        snapshot.signed.expires += timedelta(seconds=1)
        # Signatures differ in length; and what is longer than listed has another name.
        if len(mirror.put("snapshot", snapshot)) == size:
            return


def _unsigned_release(mirror: Mirror, target: str) -> None:
    mirror.put_targets(lambda targets: targets.targets.pop(target))


def _of_another(field: str, value: str) -> Attack:
    def attack(mirror: Mirror, target: str) -> None:
        def change(targets: Any) -> None:
            targets.targets[target].unrecognized_fields["custom"][field] = value

        mirror.put_targets(change)

    return attack


def _manifest(**changes: Any) -> Attack:
    return lambda mirror, target: mirror.put_manifest(target, mirror.manifest_of(target) | changes)


def _listing(*entry: Any) -> Attack:
    def attack(mirror: Mirror, target: str) -> None:
        manifest = mirror.manifest_of(target)
        mirror.put_manifest(target, manifest | {"files": [*manifest["files"], list(entry)]})

    return attack


def _no_manifest(mirror: Mirror, target: str) -> None:
    mirror.put_manifest(target, b"\0" * 100)


def _huge_manifest(mirror: Mirror, target: str) -> None:
    mirror.put_manifest(target, b" " * 16_385)


def _served_manifest(change: Callable[[bytes], bytes]) -> Attack:
    def attack(mirror: Mirror, target: str) -> None:
        path = mirror.path_of(target)
        data = mirror.read(path)
        assert data is not None
        mirror.instead[path] = change(data)

    return attack


def _served_file(change: Callable[[bytes], bytes | None]) -> Attack:
    def attack(mirror: Mirror, target: str) -> None:
        path = mirror.application_of(target)
        data = mirror.read(path)
        assert data is not None
        mirror.instead[path] = change(data)

    return attack


def _withheld(mirror: Mirror, target: str) -> None:
    mirror.withheld.add(mirror.application_of(target))


def _changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


DIGEST = "00" * 32
ATTACKS: dict[str, tuple[Attack, str, str, bool]] = {
    "a-strangers-timestamp": (_stranger, "refused", "bad-signature", False),
    "a-strangers-root": (_strangers_root, "refused", "bad-signature", False),
    "a-freeze": (_freeze, "refused", "expired", True),
    "endless-metadata": (_endless_metadata, "refused", "endless-data", False),
    "truncated-metadata": (_truncated_metadata, "refused", "malformed", False),
    "no-metadata": (_nothing_there, "refused", "missing", True),
    "mix-and-match": (_mixed, "refused", "mix-and-match", False),
    "a-release-that-nobody-signed": (_unsigned_release, "refused", "unknown-target", False),
    "a-target-for-another-board": (_of_another("board", "rp2"), "refused", "wrong-board", False),
    "a-target-of-another-version": (
        _of_another("version", "65535"), "refused", "wrong-version", False
    ),
    "a-manifest-for-another-board": (_manifest(board="rp2"), "refused", "wrong-board", False),
    "a-manifest-of-another-version": (
        _manifest(version="65535"), "refused", "wrong-version", False
    ),
    "a-manifest-of-another-format": (_manifest(format=2), "refused", "wrong-version", False),
    "a-manifest-of-another-kind": (_manifest(kind="image"), "refused", "wrong-kind", False),
    "a-path-that-climbs": (_listing("../main.py", 1, DIGEST), "refused", "bad-path", False),
    "a-path-from-the-root": (_listing("/etc/passwd", 1, DIGEST), "refused", "bad-path", False),
    "a-negative-length": (_listing("x.py", -1, DIGEST), "refused", "malformed", False),
    "no-manifest": (_no_manifest, "refused", "malformed", False),
    "a-huge-manifest": (_huge_manifest, "refused", "too-large", False),
    "a-changed-manifest": (_served_manifest(_changed), "refused", "wrong-hash", False),
    "a-truncated-manifest": (
        _served_manifest(lambda data: data[:-9]), "refused", "wrong-hash", False
    ),
    "an-oversized-manifest": (
        _served_manifest(lambda data: data + b" "), "refused", "endless-data", False
    ),
    "a-changed-file": (_served_file(_changed), "refused", "wrong-hash", False),
    "a-truncated-file": (_served_file(lambda data: data[:-1]), "refused", "wrong-hash", False),
    "an-oversized-file": (_served_file(lambda data: data + b"x"), "refused", "endless-data", False),
    "an-endless-file": (_served_file(lambda _: bytes(5_000_000)), "refused", "endless-data", False),
    "a-missing-file": (_served_file(lambda _: None), "failed", "missing", True),
    # A freeze by the network alone: metadata come through each time.
    "a-withheld-file": (_withheld, "failed", "network", True),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_by_name_and_changes_nothing(
    name: str, site: UpdateSite, release: str, mirror: Mirror
) -> None:
    attack, state, reason, again = ATTACKS[name]
    agent = _device(site, mirror, name)
    attack(mirror, release)
    way = _offer(site, agent, release)
    assert (way.state, way.reason, way.again) == (state, reason, again)
    _assert_untouched(agent)
    agent.kill()


def test_a_full_flash_is_told_and_changes_nothing(
    site: UpdateSite, release: str, mirror: Mirror
) -> None:
    agent = _device(site, mirror, "full-1")
    (agent.bundle / "trust").mkdir(exist_ok=True)
    (agent.bundle / "trust" / "new").symlink_to("/dev/full")
    way = _offer(site, agent, release)
    assert (way.state, way.reason, way.again) == ("failed", "flash-full", True)
    _assert_untouched(agent)
    (agent.bundle / "trust" / "new").unlink()
    assert _offer(site, agent, release).state is WayState.CONFIRMED


def test_a_rollback_is_refused_and_an_online_key_that_was_stolen_is_recovered_from(
    site: UpdateSite, mirror: Mirror
) -> None:
    agent = _device(site, mirror, "rollback-1")
    old = mirror.read("metadata/timestamp.json")
    first, second = site.release()[0], site.release()[0]
    assert _offer(site, agent, first).state is WayState.CONFIRMED
    mirror.instead["metadata/timestamp.json"] = old
    way = _offer(site, agent, second)
    assert (way.state, way.reason, way.again) == ("refused", "rollback", False)
    _assert_untouched(agent, "b")

    # Fast-forward: nobody but the thief could sign what comes next.
    def raise_version(timestamp: Any) -> None:
        timestamp.version = 1_000_000

    mirror.put_timestamp(raise_version)
    third = site.release()[0]
    assert _offer(site, agent, second).state is WayState.CONFIRMED
    mirror.instead.clear()
    way = _offer(site, agent, third)
    assert (way.state, way.reason, way.again) == ("refused", "rollback", False)
    _assert_untouched(agent)
    recover_update_role(
        site.site.installation, "timestamp", Signing(lambda _: PASSPHRASE), NewKeys()
    )
    assert _offer(site, agent, third).state is WayState.CONFIRMED

"""What the registry says is enforced, also after an attempt that failed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Broker
from seawall.daemon.registry_watch import RegistryWatch
from seawall.daemon.supervision import supervise
from seawall.errors import KeyAccessError
from seawall.ingest.service import Ingest
from seawall.model.device import Board, Device, DeviceStatus, Profile, Trust
from seawall.model.event import Event
from seawall.model.installation import Settings, StatePaths
from seawall.operations.disable_device import disable_device
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.testing.memory_store import MemoryStore

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Eventually = Callable[..., Awaitable[Any]]


class Place:
    """An installation with one device, and listeners of the policy that fail when they are told."""

    def __init__(self, state: Path) -> None:
        Keystore.create(state / "pki", ("localhost",), NOW)
        self.installation = Installation(
            StatePaths(state),
            Settings(),
            MemoryStore(),
            Keystore.open(state / "pki"),
            lambda: 0,
            "me",
        )
        device = Device(
            "a", Board.UNIX, DeviceStatus.ACTIVE, Profile.SEAWALL_1, Trust.CA, 1, "5f", "", 0, 0, 0
        )
        self.installation.store.put_device(device, Event(0, "device-added", "a"))
        self.failing: dict[str, int] = {}
        self.failed: list[str] = []
        self.in_force: dict[str, AccessPolicy] = {}
        self.told: list[int] = []
        self.watch = RegistryWatch(
            self.installation, cast("Ingest", self), cast("Broker", self), self.taken_in
        )
        self.watch.also = lambda policy: self.take("also", policy)
        policy = self.watch.read()
        self.in_force = {"broker": policy, "also": policy}

    def take(self, who: str, policy: AccessPolicy) -> None:
        if self.failing.get(who, 0):
            self.failing[who] -= 1
            self.failed.append(who)
            raise KeyAccessError("the key cannot be read just now")
        self.in_force[who] = policy

    async def apply(self, policy: AccessPolicy) -> None:
        self.take("broker", policy)

    def update_devices(self, devices: object, master: object) -> None:
        """See `Ingest`."""

    def taken_in(self, revision: int, lent: Collection[str]) -> None:
        self.told.append(revision)

    def refusing(self, name: str) -> set[str]:
        return {who for who, policy in self.in_force.items() if name in policy.refused}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("seawall.daemon.registry_watch.POLL_INTERVAL_S", 0.001)
    monkeypatch.setattr("seawall.daemon.supervision.FIRST_DELAY_S", 0.001)
    return Place(tmp_path / "state")


@contextlib.asynccontextmanager
async def watching(place: Place) -> AsyncIterator[None]:
    task = asyncio.create_task(supervise("registry", place.watch.run))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("who", ["broker", "also"])
@pytest.mark.parametrize("times", [1, 2])
async def test_what_failed_is_enforced_by_the_next_attempt(
    place: Place, eventually: Eventually, who: str, times: int
) -> None:
    place.failing[who] = times
    disable_device(place.installation, "a")
    async with watching(place):
        await eventually(lambda: place.refusing("a") == {"broker", "also"})
        await eventually(lambda: place.told)
    assert place.failed == [who] * times
    assert place.told == [place.installation.store.registry_revision()]


async def test_a_list_that_cannot_be_read_once_is_read_again(
    place: Place, eventually: Eventually
) -> None:
    path = place.installation.keystore.path / "crl.pem"
    away = path.rename(path.with_suffix(".away"))
    disable_device(place.installation, "a")
    with pytest.raises(OSError, match="crl"):
        await place.watch.take_in()
    assert place.refusing("a") == set()
    away.rename(path)
    async with watching(place):
        await eventually(lambda: place.refusing("a") == {"broker", "also"})


async def test_a_failure_without_a_change_of_the_registry_is_made_good_too(
    place: Place, eventually: Eventually
) -> None:
    """As when a renewed revocation list is to be taken in."""
    place.failing["also"] = 1
    with pytest.raises(KeyAccessError):
        await place.watch.take_in()
    before = place.in_force["also"]
    async with watching(place):
        await eventually(lambda: place.in_force["also"] is not before)


async def test_until_all_is_in_force_no_new_revision_is_told(place: Place) -> None:
    before = place.watch.revision
    disable_device(place.installation, "a")
    place.failing["also"] = 1
    with pytest.raises(KeyAccessError):
        await place.watch.take_in()
    assert (place.watch.revision, place.told) == (before, [])
    await place.watch.take_in()
    assert place.watch.revision == place.installation.store.registry_revision() > before


async def test_releases_are_shut_although_the_broker_fails(place: Place) -> None:
    disable_device(place.installation, "a")
    place.failing["broker"] = 1
    with pytest.raises(KeyAccessError):
        await place.watch.take_in()
    assert place.refusing("a") == {"also"}

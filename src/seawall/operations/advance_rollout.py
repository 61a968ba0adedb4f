"""Carries a roll-out one step further: decides, signs the orders, and writes it all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seawall.model.command import QueuedCommand
from seawall.model.device import Device
from seawall.model.rollout import DeviceSoftware, Rollout, RolloutChange, Way
from seawall.operations.installation import Installation
from seawall.pki.secrets import derive_device_key
from seawall.updates.rollout import Decision, DeviceFacts, decide, offered
from seawall.wire.commands import abort_update, seal_command, update


@dataclass(frozen=True, slots=True)
class FleetNow:
    """What is known of the fleet while roll-outs are carried out.

    Attributes:
        devices: The registry, by id.
        software: What devices run, by id.
        online: Who is connected.
        listening_since_ms: Since when devices can reach the server, UTC milliseconds.
    """

    devices: Mapping[str, Device]
    software: Mapping[str, DeviceSoftware]
    online: frozenset[str]
    listening_since_ms: int

    def facts(self) -> dict[str, DeviceFacts]:
        """Return what the roll-out's machine needs of it."""
        return {
            name: DeviceFacts(device.status, name in self.online, self.software.get(name))
            for name, device in self.devices.items()
        }


def advance_rollout(
    installation: Installation, rollout: Rollout, ways: Sequence[Way], fleet: FleetNow
) -> Decision | None:
    """Do what is to be done now; orders and what is noted of them are one transaction.

    Wherever the process ends, an order is either queued and noted, or neither.

    Returns:
        What was decided, if anything was written.

    Raises:
        ConflictError: the roll-out, a way or the queue changed since it was read: read it
            again, and decide again.
        StoreError: the store failed; nothing has changed.
    """
    now_ms = installation.now_ms()
    decision = decide(rollout, ways, fleet.facts(), now_ms, fleet.listening_since_ms)
    if not decision.changes(rollout):
        return None
    orders = _Orders(installation, fleet.devices, rollout, now_ms)
    offers = [offered(way, orders.offer(way.device_id), now_ms) for way in decision.offers]
    for device_id in decision.recalls:
        orders.recall(device_id)
    events = [
        installation.event(kind, rollout.rollout_id, **detail) for kind, detail in decision.events
    ]
    events += [
        installation.event(
            "update-offered", way.device_id, rollout=rollout.rollout_id, n=str(way.n)
        )
        for way in offers
    ]
    installation.store.change_rollout(
        RolloutChange(decision.rollout, [*decision.ways, *offers], orders.queued, events)
    )
    return decision


class _Orders:
    """Commands that are numbered and signed, and not queued yet."""

    def __init__(
        self,
        installation: Installation,
        devices: Mapping[str, Device],
        rollout: Rollout,
        now_ms: int,
    ) -> None:
        self.queued: list[QueuedCommand] = []
        self._store = installation.store
        self._master = installation.keystore.master_key()
        self._devices = devices
        self._rollout = rollout
        self._now_ms = now_ms

    def offer(self, device_id: str) -> int:
        """Have a device get the release; return the number of the command."""
        n, rollout = self._number(device_id), self._rollout
        body = update(n, rollout.target, rollout.version, rollout.plan.trial_s)
        self._queue(device_id, n, "update", body)
        return n

    def recall(self, device_id: str) -> None:
        """Have a device drop the order that it does not try yet; one that is gone has none."""
        if device_id in self._devices:
            n = self._number(device_id)
            self._queue(device_id, n, "update-abort", abort_update(n))

    def _number(self, device_id: str) -> int:
        # Numbers follow the clock: see `operations.send_command`.
        return max(self._store.last_command_number(device_id) + 1, self._now_ms)

    def _queue(self, device_id: str, n: int, name: str, body: bytes) -> None:
        device = self._devices[device_id]
        key = derive_device_key(self._master, device_id, device.key_generation)
        _, payload = seal_command(body, device_id, key)
        actor = f"rollout:{self._rollout.rollout_id}"
        self.queued.append(QueuedCommand(device_id, n, name, payload, self._now_ms, actor))

"""Sends a signed command to a device."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from seawall.errors import ConflictError, UsageError
from seawall.model.device import DeviceStatus
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation
from seawall.pki.secrets import derive_device_key
from seawall.wire import commands

Publish = Callable[[str, bytes], Awaitable[None]]
"""Hands a topic and a payload to the broker, which keeps it for a sleeping device."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a device is to do; ``interval_ms`` belongs to ``interval``."""

    name: Literal["identify", "restart", "interval"]
    interval_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SealedCommand:
    """A command ready to be published: its number, topic and payload."""

    n: int
    topic: str
    payload: bytes


async def send_command(
    installation: Installation, device_id: str, order: Order, publish: Publish
) -> int:
    """Send a command and return its number, which the device's reply repeats.

    Raises:
        NotFoundError: there is no such device.
        ConflictError: the device may not connect.
        UsageError: the order is incomplete or out of range.
        ServiceError: the broker did not take it; the number is spent.
        StoreError: the store failed; nothing was sent.
    """
    sealed = await asyncio.to_thread(seal_order, installation, device_id, order)
    await publish(sealed.topic, sealed.payload)
    await asyncio.to_thread(_record, installation, device_id, order, sealed.n)
    return sealed.n


def seal_order(installation: Installation, device_id: str, order: Order) -> SealedCommand:
    """Number and sign a command (see `send_command`)."""
    device = find_device(installation, device_id)
    if device.status is not DeviceStatus.ACTIVE:
        raise ConflictError(
            f"device {device_id} is {device.status.value} and takes no commands",
            reference="device-not-active",
        )
    # Numbers follow the clock, so that a store restored from an old backup does
    # not begin below what the device has accepted.
    n = installation.store.next_command_number(device_id, installation.now_ms())
    master = installation.keystore.master_key()
    key = derive_device_key(master, device_id, device.key_generation)
    return SealedCommand(n, *commands.seal_command(_body(order, n), device_id, key))


def _body(order: Order, n: int) -> bytes:
    if order.name == "identify":
        return commands.identify(n)
    if order.name == "restart":
        return commands.restart(n)
    if order.interval_ms is None:
        raise UsageError("the command 'interval' needs milliseconds")
    return commands.set_interval(n, order.interval_ms)


def _record(installation: Installation, device_id: str, order: Order, n: int) -> None:
    event = installation.event("command-sent", device_id, command=order.name, n=str(n))
    if order.interval_ms is None:
        installation.store.log([event])
        return
    # The next bundle of this device is to say the same. Alone, so that no
    # revocation in between is written over.
    with installation.keystore.exclusive():
        device = find_device(installation, device_id)
        installation.store.put_device(replace(device, interval_ms=order.interval_ms), event)

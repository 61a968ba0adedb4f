"""Queues a signed command for a device; the running daemon delivers it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from seawall.errors import ConflictError, UsageError
from seawall.model.command import COMMAND_LIFETIME_MS, MAX_OPEN_COMMANDS, QueuedCommand
from seawall.model.device import Device, DeviceStatus
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation
from seawall.pki.secrets import derive_device_key
from seawall.wire import commands

OrderName = Literal["identify", "restart", "interval"]


@dataclass(frozen=True, slots=True)
class Order:
    """What a device is to do; ``interval_ms`` belongs to ``interval``."""

    name: OrderName
    interval_ms: int | None = None


def send_command(installation: Installation, device_id: str, order: Order) -> QueuedCommand:
    """Number and sign a command, and queue it; it is durable once this returns.

    The daemon sends it when the device is connected, and again on each of its
    connections, until it answers or `model.command.COMMAND_LIFETIME_MS` is over.
    The device obeys a number once.

    Raises:
        NotFoundError: there is no such device.
        ConflictError: the device may not connect, or too many commands wait for it.
        UsageError: the order is incomplete or out of range.
        StoreError: the store failed; nothing was queued.
    """
    device = find_device(installation, device_id)
    _check(installation, device)
    command = _queue(installation, device, order)
    if order.name == "interval" and order.interval_ms is not None:
        _register_interval(installation, device_id, order.interval_ms)
    return command


def _check(installation: Installation, device: Device) -> None:
    if device.status is not DeviceStatus.ACTIVE:
        raise ConflictError(
            f"device {device.device_id} is {device.status.value} and takes no commands",
            reference="device-not-active",
        )
    waiting = installation.store.commands(device_id=device.device_id, only_open=True)
    # The daemon closes what is too old; while none runs, nobody does.
    newest_dead_ms = installation.now_ms() - COMMAND_LIFETIME_MS
    if sum(command.at_ms >= newest_dead_ms for command in waiting) >= MAX_OPEN_COMMANDS:
        raise ConflictError(
            f"{MAX_OPEN_COMMANDS} commands wait for device {device.device_id} already",
            reference="command-queue-full",
            hint=f"'seawall device commands {device.device_id}' lists them; find out why it "
            "does not connect",
        )


def _queue(installation: Installation, device: Device, order: Order) -> QueuedCommand:
    store, device_id = installation.store, device.device_id
    key = derive_device_key(installation.keystore.master_key(), device_id, device.key_generation)
    while True:
        # Numbers follow the clock, so that a store restored from an old backup does
        # not begin below what the device has accepted.
        now_ms = installation.now_ms()
        n = max(store.last_command_number(device_id) + 1, now_ms)
        _, payload = commands.seal_command(_body(order, n), device_id, key)
        command = QueuedCommand(
            device_id, n, order.name, payload, now_ms, installation.actor, order.interval_ms
        )
        event = installation.event("command-queued", device_id, command=order.name, n=str(n))
        try:
            store.add_command(command, event)
        except ConflictError:
            continue  # somebody else took the number
        return command


def _body(order: Order, n: int) -> bytes:
    if order.name == "identify":
        return commands.identify(n)
    if order.name == "restart":
        return commands.restart(n)
    if order.interval_ms is None:
        raise UsageError("the command 'interval' needs milliseconds")
    return commands.set_interval(n, order.interval_ms)


def _register_interval(installation: Installation, device_id: str, interval_ms: int) -> None:
    # The next bundle of this device is to say the same. Alone, so that no
    # revocation in between is written over.
    with installation.keystore.exclusive():
        device = find_device(installation, device_id)
        if device.interval_ms != interval_ms:
            event = installation.event("interval-changed", device_id, ms=str(interval_ms))
            installation.store.put_device(replace(device, interval_ms=interval_ms), event)

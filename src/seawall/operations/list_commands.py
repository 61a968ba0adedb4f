"""Lists the commands to a device, and waits for the answer to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from seawall.errors import NotFoundError, UsageError
from seawall.model.command import QueuedCommand
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation
from seawall.store.contract import Store

Pause = Callable[[], None]


def list_commands(
    installation: Installation, device_id: str, *, last: int | None = None
) -> list[QueuedCommand]:
    """Return the commands to a device that are kept, oldest first.

    Raises:
        NotFoundError: there is no such device.
        UsageError: fewer than one is asked for.
        StoreError: the store failed.
    """
    if last is not None and last < 1:
        raise UsageError(f"{last} commands are asked for", hint="ask for at least 1")
    find_device(installation, device_id)
    return installation.store.commands(device_id=device_id, last=last)


def find_command(store: Store, device_id: str, n: int) -> QueuedCommand:
    """Return one command as it stands.

    Raises:
        NotFoundError: it is not kept any more.
        StoreError: the store failed.
    """
    for command in reversed(store.commands(device_id=device_id)):
        if command.n == n:
            return command
    raise NotFoundError(
        f"command {n} of device {device_id} is not kept", reference="command-not-found"
    )


def watch_command(store: Store, command: QueuedCommand, pause: Pause) -> Iterator[QueuedCommand]:
    """Yield a command as it stands, after each pause, until it is closed.

    Args:
        store: Where it is queued.
        command: Which.
        pause: Waits a moment; called before each look but the first.

    Raises:
        NotFoundError: it is not kept any more.
        StoreError: the store failed.
    """
    revision = store.command_revision()
    command = find_command(store, command.device_id, command.n)
    yield command
    while command.state.is_open:
        pause()
        newer = store.command_revision()
        if newer != revision:
            revision = newer
            command = find_command(store, command.device_id, command.n)
        yield command

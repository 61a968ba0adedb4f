"""Ends one live session without touching any other.

Mosquitto 2.0 has no order for that: SIGHUP reloads the ACL and the revocation
list and drops nobody. What it has is the rule that a second connection with
the same client id closes the first [MQTT-3.1.4-2]. Devices cannot choose their
id (it is the certificate's name); the control socket's users can.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from seawall.broker.drivers.mosquitto.configuration import CONTROL_SOCKET, CONTROL_USER
from seawall.broker.drivers.mosquitto.workspace import Workspace
from seawall.errors import ServiceError
from seawall.model.topics import Channel, topic_of
from seawall.wire.mqtt.client import ClientConnection, Connected, Lost, Published
from seawall.wire.mqtt.packets import Connect

_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 0.02
_READ_BYTES: Final = 65_536
_OFFLINE: Final = b'{"online":false}'


async def take_over(workspace: Workspace, password: str, client_id: str, *, forget: bool) -> None:
    """End a device's session; return once its connection is closed.

    The broker closes the old connection before it sends our CONNACK.

    Args:
        workspace: Where the control socket stands.
        password: Of the control user.
        client_id: Whose session.
        forget: Drop the session's subscriptions and queued orders too, and say
            on the device's behalf that it is offline: its own last will is
            denied already. Otherwise the session waits for the device.

    Raises:
        ServiceError: the broker does not answer or does not let us in.
    """
    await _meet(workspace, _connect(client_id, password, clean=forget), tell_offline=forget)


async def answer(workspace: Workspace, password: str) -> None:
    """Return once the broker answers: what it was doing before is done, it has one thread.

    Raises:
        ServiceError: the broker does not answer or does not let us in.
    """
    await _meet(workspace, _connect(CONTROL_USER, password, clean=True), tell_offline=False)


def _connect(client_id: str, password: str, *, clean: bool) -> Connect:
    return Connect(
        client_id,
        clean_start=clean,
        keep_alive_s=30,
        username=CONTROL_USER,
        password=password.encode(),
    )


async def _meet(workspace: Workspace, connect: Connect, *, tell_offline: bool) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await _open(workspace)
            try:
                await _converse(reader, writer, connect, tell_offline)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise _failure(connect.client_id, str(error) or "no answer") from error


async def _open(workspace: Workspace) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            with workspace.address(CONTROL_SOCKET) as address:
                return await asyncio.open_unix_connection(address)
        except BlockingIOError:  # its queue is full
            await asyncio.sleep(_RETRY_S)


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    connect: Connect,
    tell_offline: bool,
) -> None:
    machine = ClientConnection(connect, now=time.monotonic())
    awaited: type[Connected | Published] = Connected
    while True:
        writer.write(machine.data_to_send())
        data = await reader.read(_READ_BYTES)
        for event in machine.receive_data(data, time.monotonic()):
            if isinstance(event, Lost):
                raise _failure(connect.client_id, str(event.error))
            if not isinstance(event, awaited):
                continue
            if isinstance(event, Connected) and tell_offline:
                awaited = Published
                topic = topic_of(connect.client_id, Channel.STATUS)
                machine.publish(topic, _OFFLINE, now=time.monotonic(), qos=1, retain=True)
                continue
            machine.disconnect(now=time.monotonic())
            writer.write(machine.data_to_send())
            return


def _failure(client_id: str, reason: str) -> ServiceError:
    return ServiceError(
        f"the session of {client_id} could not be ended: {reason}",
        reference="broker-unresponsive",
    )

"""Fuzz the MQTT codec and both machines: python -m fuzz.mqtt [--seconds N] [--seed S] [TARGET ...]

Streams of valid packets are damaged at random and fed in random pieces.
Whatever comes, a target must neither raise anything unforeseen, nor keep more
than its limits allow, nor depend on how the stream was cut. A failure prints
the seed that repeats it. The targets take bytes, so any other fuzzer can drive
them as well.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

from seawall.errors import ProtocolError
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.client import ClientConnection, Lost
from seawall.wire.mqtt.codes import V5, V311, Property
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.events import Arrived, Closing, Forbidden, Opening, ServerLimits
from seawall.wire.mqtt.server import ServerConnection
from seawall.wire.mqtt.session import Outgoing, ServerSession

MAX_PACKET = 512
LIMITS = ServerLimits(max_packet_bytes=MAX_PACKET, max_in_flight=8, max_burst_bytes=4096)

_USER = {Property.USER_PROPERTY: [("k", "v")], Property.CONTENT_TYPE: "x"}
_WILL = p.Will("devices/a/status", b"gone", 1, True)
SEEDS: dict[int, list[p.Packet]] = {
    V311: [
        p.Connect("a", False, 30, will=_WILL, username="u", password=b"p"),
        p.Connect(""),
        p.ConnAck(True),
        p.Publish("devices/a/readings", b"x" * 200, 1, packet_id=1),
        p.Publish("devices/a/status", b"", 2, True, packet_id=2),
        p.Publish("devices/b/readings", b"x"),
        p.PubAck(1),
        p.PubRec(1),
        p.PubRel(2),
        p.PubComp(1),
        p.Subscribe(3, (p.Subscription("devices/a/#", 1), p.Subscription("#"))),
        p.SubAck(3, (1, 0x80)),
        p.Unsubscribe(4, ("devices/a/#",)),
        p.UnsubAck(4),
        p.PingReq(),
        p.PingResp(),
        p.Disconnect(),
    ],
    V5: [
        p.Connect("a", True, 1, V5, properties={Property.SESSION_EXPIRY: 9}),
        p.Connect("", version=V5, properties={Property.MAXIMUM_PACKET_SIZE: 40}),
        p.ConnAck(False, 0x87),
        p.Publish("devices/a/readings", b"x", 1, packet_id=1, properties=dict(_USER)),
        p.Publish("devices/a/readings", b"x", 2, packet_id=2),
        p.Publish("devices/b/readings", b"x", 1, packet_id=3),
        p.PubAck(1, 0x87, {Property.REASON_STRING: "no"}),
        p.PubRel(2),
        p.Subscribe(3, (p.Subscription("devices/a/#", 1, True, True, 1),)),
        p.Unsubscribe(4, ("devices/a/#",)),
        p.Disconnect(4),
        p.Auth(0x18, {Property.AUTH_METHOD: "x"}),
    ],
}


def codec(data: bytes) -> None:
    """Decode at once and in pieces: the same packets, or an error in both."""
    version = V5 if data[:1] > b"\x7f" else V311
    whole = Decoder(MAX_PACKET, version=version)
    pieces = Decoder(MAX_PACKET, version=version)
    expected = _drain(whole, data)
    got: list[p.Packet] = []
    for start in range(0, len(data), 7):
        got += _drain(pieces, data[start : start + 7])
        if pieces.buffered_bytes > MAX_PACKET + 7:
            raise AssertionError(f"{pieces.buffered_bytes} bytes are kept")
        if pieces.error:
            break
    if got != expected or (whole.error and not pieces.error):
        raise AssertionError("the cut changes what is decoded")


def _drain(decoder: Decoder, data: bytes) -> list[p.Packet]:
    try:
        return decoder.feed(data)
    except ProtocolError:
        return []


def server(data: bytes) -> None:
    """Be a server to these bytes: never raise, end once, take nothing that is forbidden."""
    machine = ServerConnection(LIMITS, now=0.0)
    session = ServerSession("a")
    session.add_command("devices/a/commands", b"order")
    ended = 0
    for now, start in enumerate(range(0, len(data), 61)):
        events = machine.receive_data(data[start : start + 61], float(now))
        for event in events:
            if isinstance(event, Opening):
                events += machine.accept(
                    session,
                    present=False,
                    may_publish=lambda topic: topic.startswith("devices/a/"),
                    may_subscribe=lambda wanted: wanted.startswith("devices/a/"),
                )
            elif isinstance(event, Arrived):
                _take(machine, session, event)
            ended += isinstance(event, Closing)
            if ended > 1 or (ended and isinstance(event, Arrived | Forbidden)):
                raise AssertionError("something follows the end")
        machine.tick(float(now))
        if len(machine.data_to_send()) > 64_000:
            raise AssertionError("too much is sent")
    machine.take_will()


def _take(machine: ServerConnection, session: ServerSession, event: Arrived) -> None:
    for message in event.messages:
        if not message.topic.startswith("devices/a/"):
            raise AssertionError(f"{message.topic!r} was taken")
        session.add_message(Outgoing(message.topic, message.payload, message.qos & 1))
        if message.qos == 1:
            machine.acknowledge([message.packet_id])
        elif message.qos == 2:
            machine.acknowledge_received(message.packet_id)
    machine.pump()


def client(data: bytes) -> None:
    """Be a client to these bytes: never raise, be lost once."""
    version = V5 if data[:1] > b"\x7f" else V311
    machine = ClientConnection(p.Connect("a", version=version), now=0.0, max_packet_bytes=512)
    machine.publish("devices/a/readings", b"x", now=0.0, qos=1)
    lost = 0
    for now, start in enumerate(range(0, len(data), 61)):
        for event in machine.receive_data(data[start : start + 61], float(now)):
            lost += isinstance(event, Lost)
        machine.data_to_send()
    if lost > 1:
        raise AssertionError("lost twice")


TARGETS: dict[str, Callable[[bytes], None]] = {"codec": codec, "server": server, "client": client}


def stream(rng: random.Random) -> bytes:
    """Make a stream: mostly valid, then damaged a little."""
    version = rng.choice((V311, V5))
    packets = SEEDS[version]
    chosen = [packets[0]] if rng.random() < 0.8 else []
    chosen += rng.choices(packets, k=rng.randrange(12))
    data = bytearray(b"".join(encode(packet, version) for packet in chosen))
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        _damage(rng, data)
    return bytes(data)


def _damage(rng: random.Random, data: bytearray) -> None:
    if not data:
        data += rng.randbytes(rng.randrange(40))
        return
    at = rng.randrange(len(data))
    match rng.randrange(6):
        case 0:
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        case 2:
            del data[at : at + rng.randrange(1, 9)]
        case 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        case 4:
            data[at:at] = data[at : at + rng.randrange(1, 60)]
        case _:
            del data[at:]


def fuzz(names: list[str], seconds: float, seed: int) -> int:
    """Run targets in turn; return how many streams were fed."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        rng = random.Random(seed + count)
        data = stream(rng)
        for name in names:
            try:
                TARGETS[name](data)
            except Exception:
                print(f"{name} fails: --seed {seed + count}, data {data.hex()}")
                raise
        count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    unknown = set(options.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    count = fuzz(options.targets or list(TARGETS), options.seconds, options.seed)
    print(f"{count} streams, nothing found")


if __name__ == "__main__":
    main()

"""Publications with one header are taken together, with the same outcome as one by one."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5, V311, PacketError
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.events import Arrived, Closing, Event, Forbidden, ServerLimits
from seawall.wire.mqtt.server import ServerConnection
from seawall.wire.mqtt.session import ServerSession

OWN, OTHER, FORBIDDEN = "devices/a/readings", "devices/a/readingz", "devices/b/readings"


@st.composite
def publications(draw: st.DrawFn) -> p.Packet:
    """Few enough kinds that runs of one header are common, and breaks in them as well."""
    if draw(st.integers(0, 9)) == 0:
        return p.PingReq()
    qos = draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
    return p.Publish(
        draw(st.sampled_from([OWN] * 6 + [OTHER, FORBIDDEN])),
        draw(st.sampled_from([b"12", b"34", b"567", b"8" * 200])),
        qos,
        draw(st.sampled_from([False, False, False, True])),
        bool(qos) and draw(st.sampled_from([False, False, False, True])),
        draw(st.integers(1, 65_535)) if qos else 0,
    )


streams = st.lists(publications(), max_size=30)
versions = st.sampled_from([V311, V5])


def decoded(pieces: list[bytes], version: int) -> tuple[list[p.Packet], str | None]:
    decoder = Decoder(1 << 20, version=version)
    packets: list[p.Packet] = []
    for piece in pieces:
        try:
            packets += decoder.feed(piece)
        except PacketError:
            break
    return packets, str(decoder.error) if decoder.error else None


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in pairwise(edges)]


@given(streams, versions, st.lists(st.integers(0, 10_000), max_size=4))
def test_runs_are_decoded_like_single_packets(
    packets: list[p.Packet], version: int, places: list[int]
) -> None:
    stream = b"".join(encode(packet, version) for packet in packets)
    assert decoded(cut(stream, places), version) == (packets, None)


@given(streams, st.integers(0, 10_000), st.integers(0, 255))
def test_damage_within_a_run_is_noticed_as_in_single_packets(
    packets: list[p.Packet], place: int, value: int
) -> None:
    stream = bytearray(b"".join(encode(packet) for packet in packets))
    if stream:
        stream[place % len(stream)] = value
    whole = decoded([bytes(stream)], V311)
    assert whole == decoded([bytes([byte]) for byte in stream], V311)


def test_identifier_zero_within_a_run_ends_it_after_what_is_good() -> None:
    one = encode(p.Publish(OWN, b"x", 1, packet_id=7))
    bad = one.replace(b"\0\7x", b"\0\0x")
    packets, error = decoded([one * 3 + bad + one], V311)
    assert packets == [p.Publish(OWN, b"x", 1, packet_id=7)] * 3
    assert error is not None
    assert "packet identifier 0" in error


def test_what_is_alike_is_counted_from_the_front() -> None:
    one = encode(p.Publish(OWN, b"x", 1, packet_id=7))
    decoder = Decoder(1000)
    for data, alike in [
        (one * 4, 4),
        (one * 3 + encode(p.PingReq()), 3),
        (encode(p.PingReq()) + one * 3, 0),
        (one * 3 + encode(p.Publish(OWN, b"xy", 1, packet_id=7)) * 2, 3),
        (one * 2 + one[:5], 2),
        (one[5:], 0),
        (encode(p.Publish(OWN, b"x")) * 3, 0),
    ]:
        decoder.feed(data)
        assert decoder.alike == alike


# -- the server's machine


def outcome(pieces: list[bytes], version: int) -> tuple[list[object], int, bytes]:
    """What a machine tells of a stream: publications and other events, in order."""
    machine = ServerConnection(ServerLimits(), now=0.0)
    machine.receive_data(encode(p.Connect("a", version=version)), 0.0)
    machine.accept(
        ServerSession("a"),
        present=False,
        may_publish=lambda topic: topic.startswith("devices/a/"),
        may_subscribe=lambda _: False,
    )
    told: list[object] = []
    for piece in pieces:
        for event in machine.receive_data(piece, 1.0):
            told += flat(event)
    return told, machine.unsettled, machine.data_to_send()


def flat(event: Event) -> list[object]:
    if isinstance(event, Arrived):
        assert event.retained == [message for message in event.messages if message.retain]
        return list(event.messages)
    assert isinstance(event, Forbidden | Closing)
    return [event]


@given(streams, versions)
def test_a_machine_tells_the_same_however_packets_are_grouped(
    packets: list[p.Packet], version: int
) -> None:
    single = [encode(packet, version) for packet in packets]
    assert outcome([b"".join(single)], version) == outcome(single, version)

"""Bytes to packets: incremental, strict and total.

Whatever arrives, a `Decoder` gives packets or raises `PacketError`; it never
keeps more than one packet's worth of unread bytes, because the fixed header
says how long a packet will be before it is collected.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from seawall.wire.mqtt.bodies import decode_body
from seawall.wire.mqtt.codes import V5, V311, PacketError, PacketType, Property, ReasonCode
from seawall.wire.mqtt.fields import Reader, check_topic_name, decode_text
from seawall.wire.mqtt.packets import Connect, Packet, Publish
from seawall.wire.mqtt.properties import Properties, read_properties


def _publish_flags(first: int) -> tuple[int, bool, bool] | None:
    qos = first >> 1 & 3
    dup = bool(first & 8)
    if first >> 4 != PacketType.PUBLISH or qos == 3 or (dup and not qos):
        return None
    return qos, bool(first & 1), dup


_PUBLISH_FLAGS: Final = tuple(_publish_flags(first) for first in range(256))
"""First byte to (QoS, RETAIN, DUP); None if it begins no valid PUBLISH."""

_FIXED_FLAGS: Final = {
    PacketType.PUBREL: 2,
    PacketType.SUBSCRIBE: 2,
    PacketType.UNSUBSCRIBE: 2,
}


def check_first_byte(first: int, version: int) -> None:
    """Judge the first byte of a packet before the rest of it is there.

    Raises:
        PacketError: an unknown type, or flags that must not be (2.1.2, 2.1.3).
    """
    kind, flags = first >> 4, first & 15
    if kind == PacketType.PUBLISH:
        if _PUBLISH_FLAGS[first] is None:
            raise PacketError("QoS 3, or DUP with QoS 0 [MQTT-3.3.1-4], [MQTT-3.3.1-2]")
        return
    if kind == 0 or (kind == PacketType.AUTH and version != V5):
        raise PacketError(f"packet type {kind} is reserved (2.1.2)")
    if flags != _FIXED_FLAGS.get(PacketType(kind), 0):
        raise PacketError(f"flags {flags:04b} of packet type {kind} are reserved [MQTT-2.1.3-1]")


class Decoder:
    """Takes bytes as they come and gives whole packets.

    Packets that stand before a malformed one are given first; the error is
    raised by the next call (and `error` tells of it at once).

    Args:
        max_packet_bytes: A longer packet is refused when its fixed header is seen.
        version: Protocol level; a CONNECT that is decoded sets it.
        max_topics: So many topic names are remembered, to decode each but once.
    """

    __slots__ = (
        "_max_packet_bytes",
        "_max_topics",
        "_partial",
        "_topics",
        "alike",
        "error",
        "version",
    )

    def __init__(self, max_packet_bytes: int, *, version: int = V311, max_topics: int = 64) -> None:
        self._max_packet_bytes = max_packet_bytes
        self._max_topics = max_topics
        self._partial = b""
        self._topics: dict[bytes, str] = {}
        self.version = version
        self.error: PacketError | None = None
        self.alike = 0
        """So many packets at the front of the last call's are PUBLISH with one header, or 0."""

    @property
    def buffered_bytes(self) -> int:
        """How much of an unfinished packet is kept."""
        return len(self._partial)

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes; return the packets that they complete.

        Raises:
            PacketError: the first bytes not yet decoded break the protocol; the
                decoder is of no use any more.
        """
        if self.error is not None:
            raise self.error
        if self._partial:
            data = self._partial + data
        packets: list[Packet] = []
        self.alike = 0
        position = 0
        try:
            while len(data) - position >= 2:
                after = self._publishes(data, position, packets)
                if after == position:
                    after = self._packet(data, position, packets)
                    if after == position:
                        break
                position = after
        except PacketError as error:
            self.error = error
            self._partial = b""
            if not packets:
                raise
            return packets
        self._partial = data[position:]
        return packets

    def _publishes(self, data: bytes, position: int, packets: list[Packet]) -> int:  # noqa: PLR0912
        """Decode a run of PUBLISH packets; return where it ends.

        This is the path of almost every byte, so it is written flat: about a
        microsecond a packet.
        """
        end = len(data)
        limit = self._max_packet_bytes
        topics = self._topics
        append = packets.append
        make = tuple.__new__
        flags_of = _PUBLISH_FLAGS
        v5 = self.version == V5
        try:
            while True:
                flags = flags_of[data[position]]
                if flags is None:
                    return position
                length = data[position + 1]
                at = position + 2
                if length > 127:
                    high = data[at]
                    if 0 < high < 128:
                        length += (high << 7) - 128
                        at += 1
                    else:
                        length, at = self._length(data, position)
                        if length < 0:
                            return position
                stop = at + length
                if stop - position > limit or stop > end:
                    return position
                qos, retain, dup = flags
                top = at + 2 + (data[at] << 8 | data[at + 1])
                raw = data[at + 2 : top]
                topic = topics.get(raw)
                if topic is None:
                    topic = self._topic(raw)
                if qos:
                    packet_id = data[top] << 8 | data[top + 1]
                    top += 2
                    if not packet_id:
                        raise PacketError("packet identifier 0 [MQTT-2.2.1-3]", 0x82)
                else:
                    packet_id = 0
                properties = None
                if v5:
                    if top < stop and not data[top]:
                        top += 1
                    else:
                        properties, top = _publish_properties(data, top, stop)
                if top > stop:
                    raise PacketError("PUBLISH is shorter than its fields (2.1.4)")
                append(
                    make(Publish, (topic, data[top:stop], qos, retain, dup, packet_id, properties))
                )
                if qos and not v5 and data[stop : stop + 2] == data[position : position + 2]:
                    stop = self._alike(data, position, top - 2, packets)
                position = stop
        except IndexError:
            # Either the buffer ended between two packets, or a field was read
            # behind the end of a packet that is whole.
            return self._after_index_error(data, position)

    def _alike(self, data: bytes, position: int, top: int, packets: list[Any]) -> int:
        """Decode what follows a PUBLISH and has its header, so that only identifiers are judged.

        A device sends the same few lengths on one topic: this takes half the time.

        Args:
            data: What came.
            position: Where the model begins, a PUBLISH of 3.1.1 with an identifier.
            top: Where its header ends: flags, remaining length and topic.
            packets: Grows; the model is the last of it.

        Returns:
            Where the last that is like it ends.
        """
        topic, payload, qos, retain, dup, _, _ = packets[-1]
        head = data[position:top]
        layout = Struct(f">{len(head)}sH{len(payload)}s")
        is_first = len(packets) == 1
        append = packets.append
        make = tuple.__new__
        position += layout.size
        whole = (len(data) - position) // layout.size * layout.size
        for its_head, packet_id, payload in layout.iter_unpack(
            memoryview(data)[position : position + whole]
        ):
            if its_head != head:
                break
            if not packet_id:
                raise PacketError("packet identifier 0 [MQTT-2.2.1-3]", 0x82)
            append(make(Publish, (topic, payload, qos, retain, dup, packet_id, None)))
            position += layout.size
        if is_first:
            self.alike = len(packets)
        return position

    def _after_index_error(self, data: bytes, position: int) -> int:
        if len(data) - position >= 2:
            length, at = self._length(data, position)
            if 0 <= length <= len(data) - at:
                raise PacketError("PUBLISH is shorter than its fields (2.1.4)")
        return position

    def _topic(self, raw: bytes) -> str:
        if not raw and self.version == V5:
            # Topic Alias Maximum is 0 on both sides, so an empty topic names nothing.
            raise PacketError(
                "a topic alias is used, but the maximum is 0 [MQTT-3.3.2-9]",
                ReasonCode.TOPIC_ALIAS_INVALID,
            )
        topic = check_topic_name(decode_text(raw))
        if len(self._topics) < self._max_topics:
            self._topics[raw] = topic
        return topic

    def _length(self, data: bytes, position: int) -> tuple[int, int]:
        """Read the remaining length (2.1.4): value, and where the packet goes on.

        The value is -1 if the length itself is not there in whole.
        """
        length = 0
        at = position + 1
        for shift in (0, 7, 14, 21):
            if at >= len(data):
                return -1, at
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 128:
                if byte == 0 and shift and self.version == V5:
                    raise PacketError("the remaining length is longer than need be [MQTT-1.5.5-1]")
                return length, at
        raise PacketError("the remaining length is longer than four bytes (2.1.4)")

    def _packet(self, data: bytes, position: int, packets: list[Packet]) -> int:
        """Decode one packet of any type; return where it ends, or ``position`` if it is not whole.

        Raises:
            PacketError: it is malformed, or will be longer than allowed.
        """
        first = data[position]
        check_first_byte(first, self.version)
        length, at = self._length(data, position)
        if length < 0:
            return position
        stop = at + length
        if stop - position > self._max_packet_bytes:
            raise PacketError(
                f"a packet of {stop - position} bytes is over the limit of "
                f"{self._max_packet_bytes} [MQTT-3.2.2-15]",
                ReasonCode.PACKET_TOO_LARGE,
            )
        if stop > len(data):
            return position
        packet = decode_body(first, data[at:stop], self.version)
        if type(packet) is Connect:
            self.version = packet.version
        packets.append(packet)
        return stop


def _publish_properties(data: bytes, top: int, stop: int) -> tuple[Properties | None, int]:
    if top >= stop:
        raise PacketError("PUBLISH ends before its properties (3.3.2.3)")
    reader = Reader(data[top:stop])
    properties = read_properties(reader, PacketType.PUBLISH)
    if properties is not None and Property.TOPIC_ALIAS in properties:
        raise PacketError(
            "a topic alias is used, but the maximum is 0 [MQTT-3.3.2-9]",
            ReasonCode.TOPIC_ALIAS_INVALID,
        )
    return properties, stop - reader.left

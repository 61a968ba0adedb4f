"""The data types that packets are made of (MQTT 5.0, 1.5), strictly read and written."""

from __future__ import annotations

from typing import Final

from seawall.wire.mqtt.codes import PacketError, ReasonCode

MAX_VARIABLE_INTEGER: Final = 268_435_455
"""Largest value of four bytes of seven bits (1.5.5)."""
MAX_STRING_BYTES: Final = 65_535
"""Longest string and longest binary data (1.5.4, 1.5.6)."""


def decode_text(raw: bytes) -> str:
    """Decode UTF-8 as MQTT wants it: no surrogates, no NUL, no overlong form.

    Raises:
        PacketError: [MQTT-1.5.4-1], [MQTT-1.5.4-2].
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise PacketError(f"text is not UTF-8: {error.reason} [MQTT-1.5.4-1]") from None
    if "\0" in text:
        raise PacketError("text contains U+0000 [MQTT-1.5.4-2]")
    return text


def encode_text(text: str) -> bytes:
    """Encode a string with its two bytes of length.

    Raises:
        PacketError: NUL, a surrogate, or more than 65,535 bytes.
    """
    if "\0" in text:
        raise PacketError("text contains U+0000 [MQTT-1.5.4-2]")
    try:
        return encode_binary(text.encode())
    except UnicodeEncodeError:
        raise PacketError("text contains a surrogate [MQTT-1.5.4-1]") from None


def encode_binary(data: bytes) -> bytes:
    """Encode binary data with its two bytes of length.

    Raises:
        PacketError: if it is longer than 65,535 bytes.
    """
    if len(data) > MAX_STRING_BYTES:
        raise PacketError(f"a field of {len(data)} bytes is longer than 65,535 (1.5.6)")
    return len(data).to_bytes(2, "big") + data


def encode_variable(value: int) -> bytes:
    """Encode a variable byte integer (1.5.5).

    Raises:
        PacketError: if it does not fit into four bytes.
    """
    if 0 <= value < 128:
        return bytes((value,))
    if not 0 <= value <= MAX_VARIABLE_INTEGER:
        raise PacketError(f"{value} does not fit a variable byte integer (1.5.5)")
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def check_topic_name(topic: str) -> str:
    """Return ``topic`` if one can publish on it.

    Raises:
        PacketError: it is empty or has a wildcard [MQTT-3.3.2-2], [MQTT-4.7.3-1].
    """
    if not topic:
        raise PacketError("a topic name is empty [MQTT-4.7.3-1]", ReasonCode.TOPIC_NAME_INVALID)
    if "#" in topic or "+" in topic:
        raise PacketError(
            "a topic name has a wildcard [MQTT-3.3.2-2]", ReasonCode.TOPIC_NAME_INVALID
        )
    return topic


def check_topic_filter(topic_filter: str) -> str:
    """Return ``topic_filter`` if one can subscribe to it.

    Raises:
        PacketError: it is empty or a wildcard stands wrongly (4.7.1), or a shared
            subscription has no name or no filter (MQTT 5.0, 4.8.2).
    """
    code = ReasonCode.TOPIC_FILTER_INVALID
    if not topic_filter:
        raise PacketError("a topic filter is empty [MQTT-4.7.3-1]", code)
    levels = topic_filter.split("/")
    for level in levels[:-1]:
        if "#" in level:
            raise PacketError("'#' is not the last level of a filter [MQTT-4.7.1-1]", code)
    for level in levels:
        if len(level) > 1 and ("#" in level or "+" in level):
            raise PacketError("a wildcard does not fill its level [MQTT-4.7.1-2]", code)
    if levels[0] == "$share" and (len(levels) < 3 or not levels[1] or levels[1] in "+#"):
        raise PacketError("a shared subscription has no name or filter [MQTT-4.8.2-1]", code)
    return topic_filter


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a topic name matches a topic filter (4.7); ``$`` hides from wildcards."""
    if topic_filter == topic:
        return True
    wanted = topic_filter.split("/")
    if topic.startswith("$") and wanted[0] in {"#", "+"}:
        return False
    levels = topic.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(levels) or level not in {"+", levels[position]}:
            return False
    return len(wanted) == len(levels)


class Reader:
    """Takes one packet apart, field by field; never reads past its end.

    Args:
        data: The bytes of the packet after its fixed header.
    """

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = len(data)

    @property
    def left(self) -> int:
        """How many bytes are unread."""
        return self._end - self._position

    def take(self, count: int) -> bytes:
        """Read exactly ``count`` bytes."""
        start = self._position
        stop = start + count
        if stop > self._end:
            raise PacketError("a packet is shorter than its fields (MQTT 5.0, 2.1.4)")
        self._position = stop
        return self._data[start:stop]

    def byte(self) -> int:
        """Read one byte."""
        return self.take(1)[0]

    def integer(self, size: int) -> int:
        """Read a big-endian integer of ``size`` bytes (1.5.2, 1.5.3)."""
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        """Read a variable byte integer in its shortest form [MQTT-1.5.5-1]."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 128:
                if byte == 0 and shift:
                    raise PacketError("an integer is longer than it need be [MQTT-1.5.5-1]")
                return value
        raise PacketError("an integer is longer than four bytes (1.5.5)")

    def binary(self) -> bytes:
        """Read binary data with its length (1.5.6)."""
        return self.take(self.integer(2))

    def text(self) -> str:
        """Read a UTF-8 string with its length (1.5.4)."""
        return decode_text(self.binary())

    def packet_id(self) -> int:
        """Read a packet identifier; it is never 0 [MQTT-2.2.1-3]."""
        number = self.integer(2)
        if number == 0:
            raise PacketError("packet identifier 0 [MQTT-2.2.1-3]", ReasonCode.PROTOCOL_ERROR)
        return number

    def part(self, count: int) -> Reader:
        """Return a reader of the next ``count`` bytes alone."""
        return Reader(self.take(count))

    def rest(self) -> bytes:
        """Read everything that is left."""
        return self.take(self.left)

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self.left:
            raise PacketError(f"{self.left} bytes follow the last field of a packet (2.1.4)")

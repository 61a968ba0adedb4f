"""As much of an MQTT 3.1.1 client as the agent needs, on two fixed buffers.

Clean session; publishes and subscribes with QoS 1. Section numbers are of the
OASIS standard MQTT Version 3.1.1.
"""

from micropython import const

_TX_BYTES = const(1024)
_RX_BYTES = const(512)


class MqttError(Exception):
    """The server broke the protocol, or refused."""


def _text(data):
    return bytes((len(data) >> 8, len(data) & 255)) + data


class Mqtt:
    """One connection to a server.

    Args:
        transport: Connected; see transport.Transport.
        on_puback: Called with a packet identifier.
        on_message: Called with topic and payload (bytes) of a publication received.

    Attributes:
        sent: Whether anything was written since it was last made False.
        answered: Whether a PINGRESP arrived since it was last made False.
    """

    def __init__(self, transport, on_puback, on_message):
        self._transport = transport
        self._on_puback = on_puback
        self._on_message = on_message
        self._tx = bytearray(_TX_BYTES)
        self._tx_view = memoryview(self._tx)
        self._tx_end = self._tx_try = 0
        self._rx = bytearray(_RX_BYTES)
        self._rx_view = memoryview(self._rx)
        self._rx_end = self._skip = 0
        self.sent = False
        self.answered = True

    async def connect(self, client_id, keepalive_s, will_topic, will):
        """Send CONNECT (3.1) with a retained QoS 1 will; the handshake ends with it."""
        body = b"".join(
            (
                b"\0\4MQTT\4\x2e",  # clean session, will, will QoS 1, will retain
                bytes((keepalive_s >> 8, keepalive_s & 255)),
                _text(client_id),
                _text(will_topic),
                _text(will),
            )
        )
        await self._transport.drain(b"\x10" + _length(len(body)) + body)

    async def connack(self):
        """Await CONNACK (3.2)."""
        while self._rx_end < 4:
            await self._fill()
        if self._rx[0] != 0x20 or self._rx[1] != 2:
            raise MqttError("no CONNACK")
        if self._rx[3]:
            raise MqttError("refused by the server, code %d" % self._rx[3])
        self._take(4)
        self._parse()

    def publish(self, topic, payload, packet_id, dup=False, retain=False):
        """Queue a QoS 1 PUBLISH (3.3). False if there is no room now."""
        return self._queue(
            0x32 | dup << 3 | retain, _text(topic), packet_id, payload, len(payload)
        )

    def subscribe(self, topic, packet_id):
        """Queue a SUBSCRIBE (3.8) with QoS 1."""
        return self._queue(0x82, b"", packet_id, _text(topic) + b"\1", len(topic) + 3)

    def ping(self):
        """Queue a PINGREQ (3.12)."""
        self.answered = False
        return self._put(b"\xc0\0")

    def _queue(self, kind, start, packet_id, rest, rest_bytes):
        length = len(start) + 2 + rest_bytes
        head = bytes((kind,)) + _length(length)
        if self._tx_end + len(head) + length > _TX_BYTES and not self.flush():
            return False
        self._put(head)
        self._put(start)
        self._put(bytes((packet_id >> 8, packet_id & 255)))
        return self._put(rest)

    def _put(self, data):
        end = self._tx_end + len(data)
        if end > _TX_BYTES:
            raise MqttError("packet too large")
        self._tx[self._tx_end : end] = data
        self._tx_end = end
        return True

    def flush(self):
        """Write what is queued; False if some of it has to wait."""
        while self._tx_end:
            size = self._tx_try or self._tx_end
            count = self._transport.write(self._tx_view[:size])
            if not count:
                self._tx_try = size
                return False
            self._tx_try = 0
            self.sent = True
            rest = self._tx_end - count
            if rest:
                self._tx[:rest] = self._tx[count : self._tx_end]
            self._tx_end = rest
        return True

    async def run(self):
        """Receive until the connection ends.

        Raises:
            OSError, MqttError, ValueError: it has ended, this is why.
        """
        while True:
            await self._fill()
            self._parse()

    async def _fill(self):
        count = await self._transport.readinto(self._rx_view[self._rx_end :])
        if not count:
            raise MqttError("closed by the server")
        self._rx_end += count

    def _take(self, count):
        rest = self._rx_end - count
        if rest > 0:
            self._rx[:rest] = self._rx[count : self._rx_end]
        self._rx_end = max(rest, 0)

    def _parse(self):
        # Handles the whole packets at the start of the buffer.
        rx = self._rx
        while True:
            if self._skip:
                skip = min(self._skip, self._rx_end)
                self._take(skip)
                self._skip -= skip
            length = shift = 0
            start = 1
            while True:
                if start >= self._rx_end:
                    return
                length |= (rx[start] & 127) << shift
                start += 1
                if rx[start - 1] < 128:
                    break
                shift += 7
                if shift > 21:
                    raise MqttError("malformed length")
            end = start + length
            if end > self._rx_end and (end <= _RX_BYTES or self._rx_end < _RX_BYTES):
                return
            self._handle(rx[0], start, end)
            self._skip = max(end - self._rx_end, 0)
            self._take(end)

    def _handle(self, kind, start, end):
        rx = self._rx
        length = end - start
        if kind == 0x40 and length == 2:
            self._on_puback(rx[start] << 8 | rx[start + 1])
        elif kind == 0xD0 and not length:
            self.answered = True
        elif kind == 0x90 and length == 3:
            if rx[start + 2] > 1:
                raise MqttError("subscription refused")
        elif kind >> 4 == 3 and kind & 6 < 4 and length > 2:
            self._handle_publish(kind, start, end)
        else:
            raise MqttError("unexpected packet %d" % kind)

    def _handle_publish(self, kind, start, end):
        rx = self._rx
        at = start + 2 + (rx[start] << 8 | rx[start + 1])
        payload = at + (kind & 2)  # QoS 1 has a packet identifier of two bytes
        if payload > end or payload > _RX_BYTES:
            raise MqttError("malformed PUBLISH")
        if end <= _RX_BYTES:  # else too large for a command: acknowledged, not read
            self._on_message(bytes(rx[start + 2 : at]), bytes(rx[payload:end]))
        if kind & 2:
            if self._tx_end > _TX_BYTES - 4 and not self.flush():
                raise MqttError("server does not read")
            self._put(b"\x40\2" + bytes(rx[at:payload]))
            self.flush()

    def close(self):
        """Close the connection; without DISCONNECT, so that the will tells the others."""
        self._transport.close()


def _length(count):
    # Remaining length, 2.2.3.
    out = bytearray()
    while count > 127:
        out.append(count & 127 | 128)
        count >>= 7
    out.append(count)
    return out

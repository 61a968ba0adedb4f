"""As much of an MQTT 3.1.1 client as the agent needs all the time; connecting is in dial.py.

Clean session, QoS 1 in both directions. Section numbers are of the OASIS
standard MQTT Version 3.1.1.
"""

from struct import pack
from time import ticks_ms

from micropython import const

from . import core

# As errno has them: numbers take less memory than words; farewell.py has the words.
_RESET = const(104)
_PROTOCOL = const(71)


def until(queue, s):
    """Wait until a socket can be read or written: ``queue`` is the loop's for one or the other."""
    yield queue(s)


class Mqtt:
    """A connection to a server; dial.py makes it.

    A subclass has ``on_puback(packet_id)`` and ``on_message(payload)``.

    Attributes:
        s: A socket that does not block, with TLS or without; None: not connected.
        out: Packets that could not be written yet.
        sent: When something was written last (ticks).
        pinged: When a PINGREQ was sent that is not answered yet (ticks), or None.
        buf: What was received: a memoryview; a larger command is acknowledged and not read.
        end: How much was received.
        skip: How much of a large packet is still to come.
    """

    def put(self, kind, data):
        """Write a packet, now or by a later `flush`."""
        n = len(data)
        self.out.append(bytes((kind, n) if n < 128 else (kind, n & 127 | 128, n >> 7)) + data)
        self.flush()

    def publish(self, topic, payload, packet_id, dup=0, retain=0):
        """Write a QoS 1 PUBLISH (3.3)."""
        n = len(topic)
        self.put(50 | dup << 3 | retain, pack(">H%dsH" % n, n, topic, packet_id) + payload)
        return True

    def flush(self):
        """Write what waits; tell whether nothing waits any more."""
        out = self.out
        while out:
            count = self.s.write(out[0])
            if not count:
                return False  # and Mbed TLS wants the same bytes again
            self.sent = ticks_ms()
            out[0] = out[0][count:]
            if not out[0]:
                out.pop(0)
        return True

    async def read(self):
        """Receive something, and act on it.

        Raises:
            OSError, ValueError: the connection has ended, this is why.
        """
        await until(core._io_queue.queue_read, self.s)
        count = self.s.readinto(self.buf[self.end :])
        if count == 0:
            raise OSError(_RESET)
        self.end += count or 0
        while self.take():
            pass

    def take(self):
        """Take one packet, or the rest of a skipped one, from the front of the buffer."""
        buf = self.buf
        end = self.end
        size = self.skip
        if not size:
            at = shift = 0
            while not at or buf[at] > 127:
                at += 1
                if at >= end:
                    return False
                size |= (buf[at] & 127) << shift
                shift += 7
                if at > 4:
                    raise OSError(_PROTOCOL)
            at += 1
            size += at
            if size > end and end < len(buf):
                return False
            self.handle(buf[0], buf[at : min(size, end)], size <= end)
        rest = max(end - size, 0)
        buf[:rest] = bytes(buf[end - rest : end])
        self.end = rest
        self.skip = max(size - end, 0)
        return rest

    def handle(self, kind, data, whole):
        """Act on a packet; ``whole``: data is all of it."""
        n = len(data)
        if kind == 0x40 and n == 2:
            self.on_puback(data[0] << 8 | data[1])
        elif kind == 0xD0 and not n:
            self.pinged = None
        elif kind & 0xF4 == 0x30 and n > 1:
            at = 2 + (data[0] << 8 | data[1])
            start = at + (kind & 2)  # with QoS 1 there is a packet identifier
            if start > n:
                raise OSError(_PROTOCOL)
            if whole:
                self.on_message(bytes(data[start:]))
            if kind & 2:
                self.put(0x40, bytes(data[at:start]))
        elif kind != 0x90 or n != 3 or data[2] > 1:
            raise OSError(_PROTOCOL)

"""Keeps the device connected, and brings the outbox to the server in order.

As much of an MQTT 3.1.1 client as is needed all the time: clean session, QoS 1
in both directions. Section numbers are of the OASIS standard MQTT Version
3.1.1. How a connection begins and ends is in dial.py and farewell.py.
"""

from struct import pack
from time import ticks_diff, ticks_ms

from micropython import const

from . import core, load, log, signer

_WINDOW = const(8)  # sent and not settled
_IDS = const(32_768)  # packet identifiers 1 to 32,768 are readings; what is above is not
# As errno has them: numbers take less memory than words.
_ABORTED = const(103)  # by us: the server broke the protocol
_RESET = const(104)
_TIMED_OUT = const(110)


def until(queue, s):
    """Wait until a socket can be read or written: ``queue`` is the loop's for one or the other."""
    yield queue(s)


class Link:
    """The connection to the server, made again for ever; see joining.py.

    Attributes:
        agent: The device that speaks.
        outbox: What it has to say.
        pins: SHA-256 of certificates, one after the other; the server's must be among them; or b"".
        broker: host, port, server name, keep-alive, time-out, time to settle (all in
            milliseconds), and whether only a `stored` command settles.
        topic: ``devices/ID/``, bytes.
        spare: Memory in one piece for the next TLS socket, while it is made ready.
        task: What connects and receives; None between attempts.
        up: Whether the server has accepted us.
        down: Why the connection has ended, or None.
        at: When to connect, or when something last moved (ticks).
        tries: Attempts since a reading was settled.
        next: Ordinal to send next.
        old: What is before may have been sent on an earlier connection: DUP.
        ids: boot and seq, rings over the ordinals from outbox.start to ``next``.
        done: The same, a bit for each.
        s: A socket that does not block; None: not connected.
        raw: The TCP socket below it.
        out: Packets that could not be written yet.
        sent: When something was written last (ticks).
        pinged: When a PINGREQ was sent that is not answered yet (ticks), or None.
        buf: What was received: a memoryview; a larger command is acknowledged and not read.
        end: How much was received.
        skip: How much of a large packet is still to come.
    """

    def step(self):
        """Do what is due; to be called a few times a second."""
        now = ticks_ms()
        passed = ticks_diff(now, self.at)
        limit = self.broker[4]
        if not self.task:
            # What a TLS socket takes, as soon as the last one has gone: between attempts small
            # things would settle in its place, and then there is none, of all that is free.
            self.spare = self.spare or bytearray(520)
            if passed >= 0:
                self.at = now
                self.task = core.create_task(self.run())
            return
        self.pump()
        if not self.up:
            late = passed > 2 * limit
        elif self.pinged:
            late = ticks_diff(now, self.pinged) > limit
        else:
            late = self.next > self.outbox.start and passed > self.broker[5]
        if late:
            self.down = OSError(_TIMED_OUT)
        if self.down:
            load("farewell").close(self)

    async def run(self):
        """Connect, and receive until the connection ends."""
        try:
            if self.agent.board or self.agent.ntp:
                await load("clock").settle(self.agent)
            await load("dial").dial(self)
            self.pump()
            while True:
                await until(core._io_queue.queue_read, self.s)
                count = self.s.readinto(self.buf[self.end :])
                if count == 0:
                    raise OSError(_RESET)
                self.end += count or 0
                while self.take():
                    pass
        except Exception as error:
            self.down = error

    def pump(self):
        """Send what may be sent now."""
        outbox = self.outbox
        try:
            while self.up and self.flush():
                o = self.next = max(self.next, outbox.start)
                if o >= outbox.end or o - outbox.start >= _WINDOW:
                    if not self.pinged and ticks_diff(ticks_ms(), self.sent) > self.broker[3] // 2:
                        self.pinged = ticks_ms() or 1
                        self.put(0xC0, b"")
                    return
                if o == outbox.start:
                    self.at = ticks_ms()
                record = outbox.read(o)
                i = o % _WINDOW
                if record:
                    self.done &= ~(1 << i)
                    self.ids[i], self.ids[i + _WINDOW], body = record
                    self.send(b"readings", body, o % _IDS + 1, o < self.old)
                else:
                    self.done |= 1 << i  # lost by flash: nothing to wait for
                self.next = o + 1
        except MemoryError:
            outbox.backlog = None  # again soon, with what that gives back
            self.agent.starved += 1
        except Exception as error:
            self.down = error

    def settle(self, bits):
        """Take what the bits say, of the rings, for settled."""
        self.done |= bits
        end = start = self.outbox.start
        while end < self.next and self.done >> end % _WINDOW & 1:
            end += 1
        if end > start:
            self.outbox.settle(end)
            self.at = ticks_ms()
            self.tries = self.agent.starved = 0
            i = (end - 1) % _WINDOW
            log("stored boot=%d seq=%d" % (self.ids[i], self.ids[i + _WINDOW]))
            self.pump()

    def send(self, channel, body, packet_id, dup=0):
        """Seal a body and PUBLISH (3.3) it with QoS 1."""
        topic = self.topic + channel
        n = len(topic)
        wire = signer.seal(self.agent.pads, body, topic)
        self.put(50 | dup << 3, pack(">H%dsH" % n, n, topic, packet_id) + wire)

    def put(self, kind, data):
        """Write a packet, now or by a later `flush`."""
        n = len(data)
        self.out.append(bytes((kind, n) if n < 128 else (kind, n & 127 | 128, n >> 7)) + data)
        self.flush()

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
                    raise OSError(_ABORTED)
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
            packet_id = data[0] << 8 | data[1]
            o = self.outbox.start
            o += (packet_id - 1 - o) % _IDS
            # Else it is of a record that has been lost, or of nothing that we sent.
            if packet_id <= _IDS and o < self.next and not self.broker[6]:
                self.settle(1 << o % _WINDOW)
        elif kind == 0xD0 and not n:
            self.pinged = None
        elif kind & 0xF4 == 0x30 and n > 1:
            at = 2 + (data[0] << 8 | data[1])
            start = at + (kind & 2)  # with QoS 1 there is a packet identifier
            if start > n:
                raise OSError(_ABORTED)
            if whole:
                self.outbox.backlog = None  # makes room
                load("commands").obey(self.agent, bytes(data[start:]))
            if kind & 2:
                self.put(0x40, bytes(data[at:start]))
        elif kind != 0x90 or n != 3 or data[2] > 1:
            raise OSError(_ABORTED)

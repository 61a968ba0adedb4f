"""Keeps the device connected, and brings the outbox to the server in order."""

from hashlib import sha256
from time import ticks_diff, ticks_ms

from micropython import const

from . import core, load, log, signer
from .mqtt import Mqtt

_WINDOW = const(8)  # sent and not settled
_TIMED_OUT = const(110)
_IDS = const(32_768)  # packet identifiers 1 to 32,768 are readings; what is above is not


class Link(Mqtt):
    """The connection to the server, made again for ever; see `start.link`.

    Attributes:
        agent: The device that speaks.
        outbox: What it has to say.
        pins: SHA-256 of certificates, one after the other; the server's must be among them; or b"".
        judged: Whether a certificate has been judged in this handshake, and was accepted.
        broker: host, port, server name, keep-alive, time-out, time to settle (all in
            milliseconds), and whether only a `stored` command settles.
        topic: ``devices/ID/``, bytes.
        task: What connects and receives; None between attempts.
        up: Whether the server has accepted us.
        down: Why the connection has ended, or None.
        at: When to connect, or when something last moved (ticks).
        failures: Attempts since a reading was settled.
        next: Ordinal to send next.
        old: What is before may have been sent on an earlier connection: DUP.
        known: The same for the next connection.
        ids: boot and seq, rings over the ordinals from outbox.tail to ``next``.
        settled: The same, a bit for each.
    """

    def tick(self):
        """Do what is due; to be called a few times a second."""
        now = ticks_ms()
        passed = ticks_diff(now, self.at)
        limit = self.broker[4]
        late = None
        if not self.task:
            if passed >= 0:
                self.at = now
                self.task = core.create_task(self.run())
            return
        if not self.up:
            if passed > 2 * limit:
                late = "connecting"
        elif self.pinged and ticks_diff(now, self.pinged) > limit:
            late = "ping"
        elif self.next > self.outbox.tail and passed > self.broker[5]:
            late = "reading"
        self.pump()
        if late:
            self.down = OSError(_TIMED_OUT, late)
        if self.down:
            load("farewell").hang_up(self)

    async def run(self):
        """Connect, and receive until the connection ends."""
        try:
            await load("clock").settle(self.agent)
            await load("dial").dial(self)
            self.pump()
            while True:
                await self.read()
        except Exception as error:
            self.down = error

    def judge(self, cert, depth):
        """Judge a certificate of the server's chain, the leaf (depth 0) last: Mbed TLS's callback.

        It must not raise: the exception would jump out of C code. What it
        returns is "fatal" (MBEDTLS_ERR_X509_FATAL_ERROR) whatever verify_mode
        says; its "verify failed" CERT_OPTIONAL would forgive.
        """
        try:
            # Pins are public: comparing them needs no constant time.
            if depth:
                return 0
            if not self.pins or not self.pins.find(sha256(cert).digest()) % 32:
                self.judged = True
                return 0
        except Exception:
            pass  # no memory
        return -0x3000

    def pump(self):
        """Send what may be sent now."""
        outbox = self.outbox
        try:
            while self.up and self.flush():
                o = self.next = max(self.next, outbox.tail)
                if o >= outbox.head or o - outbox.tail >= _WINDOW:
                    if not self.pinged and ticks_diff(ticks_ms(), self.sent) > self.broker[3] // 2:
                        self.pinged = ticks_ms() or 1
                        self.put(0xC0, b"")
                    return
                if o == outbox.tail:
                    self.at = ticks_ms()
                record = outbox.read(o)
                i = o % _WINDOW
                if record:
                    self.settled &= ~(1 << i)
                    self.ids[i], self.ids[i + _WINDOW], body = record
                    self.send(b"readings", body, o % _IDS + 1, o < self.old)
                else:
                    self.settled |= 1 << i  # lost by flash: nothing to wait for
                self.next = o + 1
                self.known = max(self.known, o + 1)
        except Exception as error:
            self.down = error

    def send(self, channel, body, packet_id, dup=0):
        """Seal and publish; tell whether that was possible."""
        topic = self.topic + channel
        return self.up and self.publish(
            topic, signer.seal(self.agent.pads, body, topic), packet_id, dup
        )

    def on_puback(self, packet_id):
        """Note that the server has a message."""
        tail = self.outbox.tail
        o = tail + (packet_id - 1 - tail) % _IDS
        # Else it is of a record that has been dropped, or of nothing that we sent.
        if packet_id <= _IDS and o < self.next and not self.broker[6]:
            self.settle(1 << o % _WINDOW)

    def on_message(self, wire):
        """Hand a command on."""
        load("talk").obey(self.agent, wire)

    def settle(self, bits):
        """Take what the bits say, of the rings, for settled."""
        self.settled |= bits
        end = tail = self.outbox.tail
        while end < self.next and self.settled >> end % _WINDOW & 1:
            end += 1
        if end > tail:
            self.outbox.settle(end)
            self.at = ticks_ms()
            self.failures = 0
            i = (end - 1) % _WINDOW
            log("stored boot=%d seq=%d" % (self.ids[i], self.ids[i + _WINDOW]))
            self.pump()

"""Keeps the device connected, and brings the outbox to the server in order."""

import asyncio
import random
from array import array
from time import ticks_diff, ticks_ms

from micropython import const

from .mqtt import Mqtt, MqttError
from .transport import Transport

_IN_FLIGHT = const(8)  # without PUBACK
_WINDOW = const(32)  # sent and not settled
_IDS = const(32_768)  # packet identifiers 1 to 32,768 are readings; what is above is not
_TICK_MS = const(250)
_LONGEST_S = const(60)
# What ends a connection; a ValueError is how Mbed TLS says what a certificate lacks.
_ENDS = (OSError, MqttError, ValueError, asyncio.TimeoutError)


class Link:
    """The connection to the server, made again for ever.

    Args:
        agent: Has ``config``, ``outbox``, ``signer``, ``trust``, ``log(text)``,
            ``ready()`` (a coroutine, awaited before each attempt) and
            ``order(topic, payload)``.

    Attributes:
        connected: Whether the server has accepted us.
    """

    def __init__(self, agent):
        self._agent = agent
        self._outbox = agent.outbox
        self._broker = broker = agent.config["broker"]
        self._timeout_ms = broker["timeout_s"] * 1000
        self._stored_timeout_ms = broker["stored_timeout_s"] * 1000
        self._by_command = broker["ack"] == "stored"
        topic = "devices/" + agent.config["device_id"] + "/"
        self._topic = topic.encode()
        self._readings = self._topic + b"readings"
        # A ring over the ordinals from outbox.tail to self._next.
        self._boots = array("I", range(_WINDOW))
        self._seqs = array("I", range(_WINDOW))
        self._acknowledged = bytearray(_WINDOW)
        self._next = self._outbox.tail
        self._known = self._outbox.head  # what is before may have been sent before: DUP
        self._mqtt = None
        self._other = 0
        self._down = None
        self._failures = 0
        self.connected = False

    async def run(self):
        """Connect, serve, wait, for ever."""
        while True:
            await self._agent.ready()
            try:
                await self._session()
            except _ENDS as error:
                self._explain(error)
            finally:
                self._end()
            # 1 to 60 s, doubled at each failure, less a random part so that a fleet spreads.
            ceiling = min(_LONGEST_S, 2 << min(self._failures, 5)) * 1000
            self._failures += 1
            await asyncio.sleep_ms(max(1000, ceiling // 2 + random.randrange(ceiling // 2)))

    def _explain(self, error):
        if isinstance(error, asyncio.TimeoutError):
            text = "timed out"
        elif isinstance(error, ValueError):
            text = "refused server certificate: " + str(error).strip().replace("\n", ", ")
        elif self._agent.trust.pinned is False and error.args[0] == -0x3000:
            text = "refused server certificate: not pinned"
        else:
            text = "not connected: " + str(error)
        self._agent.log(text)

    async def _session(self):
        agent = self._agent
        broker = self._broker
        transport = Transport(broker["host"], broker["port"])
        self._mqtt = mqtt = Mqtt(transport, self._on_puback, agent.order)
        agent.trust.forget()
        limit_s = broker["timeout_s"]
        await asyncio.wait_for(
            transport.open(agent.trust.context, broker["server_name"]), limit_s
        )
        status = self._topic + b"status"
        await asyncio.wait_for(
            mqtt.connect(
                agent.config["device_id"].encode(),
                broker["keepalive_s"],
                status,
                b'{"online":false}',
            ),
            limit_s,
        )
        if agent.trust.pinned is False:
            raise MqttError("no certificate was judged")
        await asyncio.wait_for(mqtt.connack(), limit_s)
        agent.log("connected")
        mqtt.subscribe(self._topic + b"commands", self._id())
        mqtt.publish(status, b'{"online":true}', self._id(), retain=True)
        self._next = self._outbox.tail
        self._known_now = self._known
        self._moved = self._settled = ticks_ms()
        self.connected = True
        self._down = None
        reader = asyncio.create_task(self._read(mqtt))
        try:
            await self._keep(mqtt)
        finally:
            reader.cancel()
        raise self._down

    async def _read(self, mqtt):
        try:
            await mqtt.run()
        except _ENDS as error:
            self._down = error

    async def _keep(self, mqtt):
        keepalive_ms = self._broker["keepalive_s"] * 1000
        sent = pinged = ticks_ms()
        while not self._down:
            self.pump()
            now = ticks_ms()
            if mqtt.sent:
                mqtt.sent = False
                sent = now
            if not mqtt.answered:
                if ticks_diff(now, pinged) > self._timeout_ms:
                    raise MqttError("ping not answered")
            elif ticks_diff(now, sent) > keepalive_ms // 2:
                mqtt.ping()
                pinged = now
            if self._waiting() and ticks_diff(now, self._moved) > self._timeout_ms:
                raise MqttError("reading not acknowledged")
            if self._next > self._outbox.tail and (
                ticks_diff(now, self._settled) > self._stored_timeout_ms
            ):
                raise MqttError("reading not settled")
            await asyncio.sleep_ms(_TICK_MS)

    def _end(self):
        self.connected = False
        mqtt, self._mqtt = self._mqtt, None
        if mqtt:
            mqtt.close()

    def _id(self):
        self._other = self._other % 32_000 + 1
        return _IDS + self._other

    def _waiting(self):
        # How many were sent and not acknowledged.
        count = 0
        for ordinal in range(self._outbox.tail, self._next):
            count += not self._acknowledged[ordinal % _WINDOW]
        return count

    def pump(self):
        """Send what may be sent now."""
        if not self.connected:
            return
        try:
            self._fill()
            self._mqtt.flush()
        except _ENDS as error:
            self._down = error

    def _fill(self):
        outbox = self._outbox
        self._next = max(self._next, outbox.tail)
        waiting = self._waiting()
        while (
            self._next < outbox.head
            and waiting < _IN_FLIGHT
            and self._next - outbox.tail < _WINDOW
            and self._send(self._next)
        ):
            if not waiting:
                self._moved = ticks_ms()
            if self._next == outbox.tail:
                self._settled = ticks_ms()
            waiting += 1
            self._next += 1
        self._known = max(self._known, self._next)

    def _send(self, ordinal):
        record = self._outbox.read(ordinal)
        slot = ordinal % _WINDOW
        if record is None:  # lost by flash: nothing to send, nothing to wait for
            self._acknowledged[slot] = 2
            return True
        boot, seq, body = record
        sealed = self._agent.signer.seal(body, self._readings)
        if not self._mqtt.publish(
            self._readings, sealed, ordinal % _IDS + 1, dup=ordinal < self._known_now
        ):
            return False
        self._boots[slot] = boot
        self._seqs[slot] = seq
        self._acknowledged[slot] = 0
        return True

    def say(self, channel, body):
        """Send a sealed message that is not a reading, once; False if that cannot be now."""
        if not self.connected:
            return False
        topic = self._topic + channel
        try:
            return self._mqtt.publish(
                topic, self._agent.signer.seal(body, topic), self._id()
            ) and (self._mqtt.flush() or True)
        except _ENDS as error:
            self._down = error
            return False

    def _on_puback(self, packet_id):
        if packet_id > _IDS:
            return
        tail = self._outbox.tail
        ordinal = tail + (packet_id - 1 - tail) % _IDS
        if ordinal >= self._next:
            return  # of a record that has been dropped, or of nothing that we sent
        self._acknowledged[ordinal % _WINDOW] = 1
        self._moved = ticks_ms()
        self._failures = 0
        if not self._by_command:
            end = tail
            while end < self._next and self._acknowledged[end % _WINDOW]:
                end += 1
            self._settle(end)
        self.pump()

    def settle_to(self, boot, seq):
        """Settle what was sent up to (boot, seq), as the server has stored it."""
        end = self._outbox.tail
        while end < self._next:
            slot = end % _WINDOW
            if self._acknowledged[slot] != 2:
                if (self._boots[slot], self._seqs[slot]) > (boot, seq):
                    break
            end += 1
        self._settle(end)
        self.pump()

    def _settle(self, end):
        if end <= self._outbox.tail:
            return
        slot = (end - 1) % _WINDOW
        self._outbox.settle(end)
        self._settled = ticks_ms()
        self._agent.log("stored boot=%d seq=%d" % (self._boots[slot], self._seqs[slot]))

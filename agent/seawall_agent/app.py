"""The agent, wired: measure, keep, sign, send, obey."""

import asyncio
import gc
import os
import sys
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .clock import Clock
from .commands import Refused, accept
from .config import ConfigError, load
from .link import Link
from .outbox import Outbox
from .sensors import open_sensors
from .signer import Signer
from .state import State
from .trust import Trust

_EVENTS = const(4)  # kept while there is no connection
_DAY_S = const(86_400)

class Agent:
    """One device.

    Args:
        config: As config.load returns it.
        board: The hardware port.
    """

    def __init__(self, config, board):
        self.config = config
        self._board = board
        self._state = state = State("state")
        state.begin_boot(config["first_boot"])
        self._clock = Clock(state.floor_s, board, config["clock"]["ntp"])
        trust = config["trust"]
        self.trust = Trust(
            trust["mode"], trust["pins"], _file("ca.der"), _file("cert.der"), _file("key.der")
        )
        self.signer = Signer(_file("hmac.key", 32))
        limits = config["outbox"]
        self.outbox = Outbox("state/outbox", limits["max_readings"], limits["sync"])
        self._sensors = open_sensors(config["sensors"], board)
        self._faults = {}
        self._events = []
        self._seq = self._told = 0
        self._interval_ms = state.interval_ms or config["interval_ms"]
        self._commands = ("devices/%s/commands" % config["device_id"]).encode()
        self._again = asyncio.Event()
        self.link = Link(self)

    def log(self, text):
        """Print a line."""
        print("seawall:", text)

    async def run(self):
        """Run until the agent is told to start again."""
        self.log("device %s boot=%d" % (self.config["device_id"], self._state.boot))
        tasks = [asyncio.create_task(self._measure()), asyncio.create_task(self.link.run())]
        try:
            await self._again.wait()
            await asyncio.sleep_ms(200)  # for the reply to leave
        finally:
            for task in tasks:
                task.cancel()
            self.outbox.close()
        self._board.restart()

    async def ready(self):
        """Prepare for a connection: network, clock, and a collected heap."""
        gc.collect()
        await self._board.connect_network(self.config["wifi"])
        if not self._clock.good:
            await self._clock.synchronise()
            if not self._clock.good:
                self.log("the time is not known")
        self._keep_floor(0)

    def _keep_floor(self, by_s):
        if self._clock.raise_floor(by_s):
            self._state.floor_s = self._clock.floor_s
            self._state.save()

    async def _measure(self):
        due = ticks_ms()
        while True:
            self._take_reading()
            while (wait := ticks_diff(due, ticks_ms()) + self._interval_ms) > 0:
                await asyncio.sleep_ms(min(wait, 1000))
            # After a long pause go on from now, without a burst.
            due = ticks_add(due, self._interval_ms) if wait > -1000 else ticks_ms()

    def _take_reading(self):
        body = self._body()
        if body:
            # Without gaps: the server tells by them that something was lost on the way.
            if self.outbox.append(self._state.boot, self._seq + 1, body):
                self._seq += 1
            else:
                self.log("reading lost: flash is full")
            self.link.pump()
        if self.outbox.dropped > self._told and self.link.say(
            b"events",
            b'{"event":"readings-dropped","count":%d,"boot":%d}'
            % (self.outbox.dropped, self._state.boot),
        ):
            self._told = self.outbox.dropped
        while self._events and self.link.say(b"events", self._events[0]):
            self._events.pop(0)

    def _body(self):
        members = []
        for sensor in self._sensors:
            try:
                text, fault = sensor.measure()
            except (OSError, ValueError) as error:
                self.log("sensor %s: %s" % (sensor.name, error))
                text, fault = None, "unreadable"
            if text:
                members.append(text)
            if fault != self._faults.get(sensor.name, ""):
                self._faults[sensor.name] = fault
                self.log("sensor %s: %s" % (sensor.name, fault or "works again"))
                self._events.append(
                    b'{"event":"sensor-fault","sensor":"%s","fault":"%s","boot":%d}'
                    % (sensor.name, fault, self._state.boot)
                )
                del self._events[:-_EVENTS]
        if not members:
            return None
        members.append('"boot":%d,"seq":%d' % (self._state.boot, self._seq + 1))
        if self._clock.good:
            members.append('"ts":%d' % self._clock.now_ms())
        return ("{" + ",".join(members) + "}").encode()

    def order(self, topic, payload):
        """Obey a command, if it is one; called by the link."""
        state = self._state
        try:
            order = accept(payload, self._commands, self.signer, state.command)
        except Refused as refusal:
            self.log("command refused: %s" % refusal)
            return
        name = order["cmd"]
        if name == "stored":
            self.link.settle_to(order["boot"], order["seq"])
            return
        before = state.command, state.interval_ms
        state.command = order["n"]
        state.interval_ms = order.get("ms", state.interval_ms)
        try:
            state.save()  # before acting: no cut makes us obey twice
        except OSError:
            state.command, state.interval_ms = before
            self.log("command not kept: flash is full")
            return
        self.log("command %s n=%d" % (name, state.command))
        self.link.say(b"replies", b'{"re":%d,"ok":true}' % state.command)
        if name == "restart":
            self._again.set()
        elif name == "interval":
            self._interval_ms = state.interval_ms
        else:
            self._board.identify()


def _file(name, size=None):
    try:
        with open(name, "rb") as f:
            data = f.read()
    except OSError:
        raise ConfigError("%s cannot be read" % name)
    if size and len(data) != size:
        raise ConfigError("%s has not %d bytes" % (name, size))
    return data


def _prepare(argv):
    if len(argv) > 1:
        if sys.path and sys.path[0][:1] != "/":
            sys.path[0] = os.getcwd() + "/" + sys.path[0]
        os.chdir(argv[1])
    for folder in ("state", "state/outbox"):
        try:
            os.mkdir(folder)
        except OSError:
            pass  # it is there; if not, the first write says so


def _start():
    config = load()
    if config["board"] == "unix":
        from .hardware_unix import Board
    else:
        from .hardware_board import Board
    agent = Agent(config, Board(config))
    gc.collect()
    gc.threshold(gc.mem_free() // 4 + gc.mem_alloc())
    asyncio.run(agent.run())
    asyncio.new_event_loop()


def main(argv):
    """Run the agent in this folder, or in ``argv[1]``; return an exit status."""
    try:
        _prepare(argv)
        while True:
            _start()
    except KeyboardInterrupt:
        return 0
    except ConfigError as error:
        print("seawall: error:", error)
        return 1

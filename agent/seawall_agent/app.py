"""The agent: measure, keep, send."""

import gc
import time

from . import core, link, load, outbox, sensors  # noqa: F401  what stays, side by side


class Agent:
    """One device; see assembling.py.

    Attributes:
        pads: Of the device's key; see signer.py.
        context: The ``tls.SSLContext``; of the class, for it outlives an agent that starts again.
        facts: What state.py keeps.
        board: Network, clock and light, or None on a computer.
        sensors: In the order of the configuration.
        ntp: Servers; none: the host's clock is trusted.
        wifi: That section of the configuration.
        ahead_ms: What to add to the host's time for UTC; None: not known.
        interval_ms: How often to measure.
        due: When to measure next (ticks).
        seq: Of the last reading.
        outbox, link: Where readings go.
        events: Bodies of events that wait for a connection.
        told: How many lost readings have been reported.
        again: Whether to start again; 75: by way of the guard.
        tried: What the guard gave, if this boot began on trial.
        session: What is told of updates, or updates: a task, or None.
        starved: How often memory ran out since a reading was settled.
    """

    context = None

    async def run(self):
        """Run until the device is told to start again."""
        self.due = self.link.at = time.ticks_ms()
        # When memory runs out again and again, only to begin anew puts the free pieces together.
        # Readings are on flash.
        while not self.again and self.starved < 9:
            wait = time.ticks_diff(self.due, time.ticks_ms())
            try:
                if wait <= 0:
                    self.measure()
                    # After a long pause go on from now, without a burst.
                    start = self.due if wait > -1000 else time.ticks_ms()
                    self.due = time.ticks_add(start, self.interval_ms)
                self.link.step()
            except MemoryError:
                self.starved += 1
                self.outbox.backlog = None
                gc.collect()
                wait = 200
            await core.sleep_ms(max(0, min(wait, 200)))
        if self.link.s:
            self.link.s.close()
        if self.board:
            self.board.restart()

    def measure(self):
        """Take a reading, and report what is wrong."""
        members = []
        for sensor in self.sensors:
            before = sensor.fault
            text = sensor.measure()
            if text:
                members.append(text)
            if sensor.fault != before:
                load("events").fault(self, sensor)
        if members:
            # Without gaps: the server tells by them that something was lost on the way.
            boot, seq = self.facts[1], self.seq + 1
            members.append('"boot":%d,"seq":%d' % (boot, seq))
            if self.ahead_ms is not None:
                members.append('"ts":%d' % (time.time_ns() // 1_000_000 + self.ahead_ms))
            if self.outbox.append(boot, seq, b"{%s}" % ",".join(members).encode()):
                self.seq = seq
            self.link.pump()
        if self.link.up and (self.events or self.told < self.outbox.lost):
            load("events").send(self)


async def _run(trial):
    # Put together in here, and not before, because the collector takes what is left on the stack
    # for pointers: in here it is soon overwritten.
    agent = load("assembling").start(trial)
    if not agent:
        return 1
    await agent.run()
    return 75 if trial else agent.again or True


def main(trial=None):
    """Run the agent of the bundle in this folder; return an exit status, 75: start again.

    Args:
        trial: What the guard gives to a version that has to prove itself.
    """
    status = True
    try:
        while status is True:
            core.new_event_loop()
            status = core.run(_run(trial))
        return status
    finally:
        # Or all that was would stay in memory, beside the version that comes after a failed one.
        core.new_event_loop()
        core.cur_task = None

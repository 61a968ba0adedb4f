"""Cuts the power at every operation of a story, and has each outcome judged.

A story is told once, from a snapshot of the flash, while the flash records its
operations. A file system is deterministic, so what a cut at operation k leaves
is the snapshot, the operations before k, and as much of operation k as the mode
of the cut says. From there the judge boots the device anew; what it does is
recorded in its turn, and cut again.
"""

import random

from flash import MODES


class Failure(Exception):
    """A device that did not come back as it should."""


class Tale:
    """What was done to the flash, and what had happened outside of the device by then.

    Attributes:
        log: The flash's operations.
        marks: (length of the log, phase, facts), in order. Facts hold from there on.
    """

    def __init__(self, flash, facts):
        self.log = flash.log = []
        self.marks = []
        self.facts = facts
        self.phase = "start"
        self.mark()

    def mark(self, phase=None, **facts):
        """Note that a phase begins, or that something became true outside."""
        self.phase = phase or self.phase
        self.facts.update(facts)
        self.marks.append((len(self.log), self.phase, dict(self.facts)))


class Counts:
    """What the sweep has done.

    Attributes:
        points: Cuts judged, by (phase, mode).
        boots: Distinct contents of flash that were booted.
        second: How many of the points were cuts during a recovery.
        failures: Texts.
    """

    def __init__(self):
        self.points = {}
        self.boots = self.second = self.operations = 0
        self.failures = []


class Sweep:
    """One sweep over one story.

    Args:
        stage: The medium.
        judge: Called with a Tale after each cut; raises Failure.
        seed: Of the garbage, and of the choice of second cuts.
        share: (which, of how many) parts of the cuts to judge.
        points: Of all shares together about so many are judged, of each phase; 0: all.
        phases: Cuts in these alone, if there are any.
        second: (every, cuts): a recovery out of so many is itself cut, in so many places.
        patience: Ends after so many failures.
    """

    def __init__(self, stage, judge, seed, share, points, phases, second, patience):
        self.stage = stage
        self.flash = stage.flash
        self.judge = judge
        self.part, self.parts = share
        self.points = points
        self.phases = phases
        self.second_every, self.second_cuts = second
        self.patience = patience
        self.seen = {}
        self.counts = Counts()
        self.recoveries = 0
        random.seed(seed)

    def noise(self, size):
        """Return random bytes."""
        return bytes(random.getrandbits(8) for _ in range(size))

    def run(self, tale):
        """Cut a tale that was recorded from what the flash holds now, at every operation."""
        flash = self.flash
        flash.log = None
        log = tale.log
        self.counts.operations = len(log)
        marks = Marks(tale.marks)
        chosen = self.choose(log, tale.marks)
        for at in range(len(log)):
            phase, facts = marks.at(at)
            if at in chosen:
                self.cut_at(log[at], at, phase, facts)
                if len(self.counts.failures) >= self.patience:
                    return
            flash.put(*flash.done(log[at]))

    def choose(self, log, marks):
        """Return the operations to cut: all of our share, or some of each phase."""
        phases = {}
        marks = Marks(marks)
        for at in range(len(log)):
            phase = marks.at(at)[0]
            if (not self.phases or phase in self.phases) and self.stage.may_cut(log[at]):
                phases.setdefault(phase, []).append(at)
        chosen = set()
        for found in phases.values():
            step = 1
            if self.points:
                step = max(1, len(found) * len(phases) * len(MODES) // self.points)
            chosen.update(found[::step][self.part :: self.parts])
        return chosen

    def cut_at(self, operation, at, phase, facts):
        """Judge the four cuts at one operation."""
        flash = self.flash
        for mode in MODES:
            key = phase, mode
            self.counts.points[key] = self.counts.points.get(key, 0) + 1
            flash.save()
            flash.put(*flash.cut(operation, mode, self.noise))
            fault = self.verdict(facts, phase, True)
            flash.restore()
            if fault:
                self.fail("operation %d %s, %s, %s" % (at, name_of(operation), phase, mode), fault)

    def fail(self, where, fault):
        """Keep what went wrong, once for each sort of it."""
        if len(self.counts.failures) < 50:
            self.counts.failures.append("%s: %s" % (where, fault))

    def verdict(self, facts, phase, again):
        """Boot what the flash holds, unless that was done; return what is wrong, or None."""
        flash = self.flash
        flash.save()
        tale = Tale(flash, dict(facts))
        known = str(sorted(facts.items()))
        key = self.stage.digest(), known
        is_new = False
        fault = self.seen.get(key, "")
        if fault == "":
            seen = self.stage.visible(), known
            fault = self.seen.get(seen, "")
            is_new = fault == ""
            if is_new:
                fault = self.boot(tale)
            if len(self.seen) > 800:  # what is alike lies close together
                self.seen.clear()
            self.seen[key] = self.seen[seen] = fault
        flash.log = None
        flash.restore()
        if again and is_new and fault is None:
            self.recoveries += 1
            if self.recoveries % self.second_every == 0:
                fault = self.cut_recovery(tale, phase)
        return fault

    def boot(self, tale):
        """Have the judge boot what the flash holds; return what is wrong, or None."""
        self.counts.boots += 1
        try:
            self.judge(tale)
        except Exception as error:  # the device's code may raise whatever it likes
            return words(error)
        return None

    def cut_recovery(self, tale, phase):
        """Cut what the device did after a cut, in some places; return what is wrong, or None."""
        flash = self.flash
        log = tale.log
        marks = Marks(tale.marks)
        flash.save()
        step = max(1, len(log) // self.second_cuts)
        start = random.getrandbits(16) % step
        found = None
        for at in range(len(log)):
            _, facts = marks.at(at)
            if at % step == start and found is None and self.stage.may_cut(log[at]):
                mode = MODES[random.getrandbits(2)]
                key = "second-cut", mode
                self.counts.points[key] = self.counts.points.get(key, 0) + 1
                flash.save()
                flash.put(*flash.cut(log[at], mode, self.noise))
                fault = self.verdict(facts, phase, False)
                flash.restore()
                if fault:
                    found = "and again at operation %d %s, %s: %s" % (
                        at,
                        name_of(log[at]),
                        mode,
                        fault,
                    )
            flash.put(*flash.done(log[at]))
        flash.restore()
        return found


class Marks:
    """Finds the phase and the facts at a position; positions must not fall."""

    def __init__(self, marks):
        self.marks = marks
        self.next = 0

    def at(self, position):
        """Return the phase and the facts that held before this operation."""
        while self.next + 1 < len(self.marks) and self.marks[self.next + 1][0] <= position:
            self.next += 1
        return self.marks[self.next][1:]


def words(error):
    """Return an exception in words."""
    return str(error) if isinstance(error, Failure) else "%s %s" % (type(error).__name__, error)


def name_of(operation):
    """Return an operation in words."""
    at, data = operation
    return "erase %#x" % at if data is None else "program %#x+%d" % (at, len(data))

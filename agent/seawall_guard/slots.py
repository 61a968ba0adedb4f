"""Which slot boots: the one thing that decides what code a device runs.

Part of the guard: it is never updated over the air. The guard (main.py) and the
agent in a slot use this one implementation.

On flash there are two copies of one record, ``slot0`` and ``slot1``: 112 bytes
of text (the members of `Slots` in the order of ``_FIELDS``, ``-`` for none,
padded with blanks), then their CRC-32 in 8 hex digits. Record number ``seq`` is
written to copy ``seq & 1``. So the copy that is overwritten is the older one, or
the one that a cut has torn, and never the newest whole one.

States, by ``trial`` and ``outcome``:

- *confirmed*: no trial, nothing to tell. ``live`` boots.
- *trial*: ``trial`` boots while there are ``tries``; each boot burns one before
  a line of its code is run. ``live`` is untouched.
- *told of*: no trial; ``outcome`` is ``confirmed``, or why ``version`` was rolled
  back. ``live`` boots, and reports it, and then says `told`.

What must hold, at any cut:

1. A slot is written only while it is neither ``live`` nor ``trial``, and not
   before ``outcome`` was told. (`told` is the second record after a trial's end:
   both copies name the same live slot before the other one is touched.)
2. `begin_trial` comes after every file of the slot is on flash and verified.
3. `burn_try` is on flash before the trial's code runs.
4. ``floor`` never falls, and no trial is begun below it.
5. Each operation is one write of one copy: before it counts the old state, after
   it the new one, and in between whichever of the two is read.
"""

from binascii import crc32

from .run import newest, read

# Lists, because a tuple of constants would hold these names once more.
_FIELDS = ["seq", "live", "trial", "tries", "trial_s", "n", "version", "floor", "outcome"]
_NUMBERS = ["seq", "tries", "trial_s", "n"]
_NEW = "0 a - 0 0 0 - 0 -"


def write(name, data):
    """Put bytes in the place of a file's; they survive once this returns.

    A record overwrites one of its own length: on FAT no cluster is freed, and no
    directory entry changes its size.
    """
    try:
        f = open(name, "r+b")
    except OSError:
        f = open(name, "wb")
    with f:
        f.write(data)


class Slots:
    """The state of selection; every operation is on flash when it returns.

    An operation that cannot be written raises OSError, and changes nothing here.

    Attributes:
        seq: Number of the record; 0: there is none yet.
        live: Slot of the confirmed version.
        trial: Slot of the version on trial, or ``-``. A name other than ``a`` and ``b`` is an
            ESP32 partition's: then ``live`` does not change.
        tries: Boots that the trial has left.
        trial_s: Seconds that it has in each boot, from when it could prove itself.
        n: Number of the command that ordered the last trial.
        version: Of the last trial.
        floor: Lowest version that may be tried: the highest confirmed one.
        outcome: Of the last trial, for as long as the server has not been told; or ``-``.
    """

    def __init__(self):
        # The newest whole copy; without one, the state in which a bundle is born.
        found = newest()
        self._take(found if found[0] else _NEW.split())

    def _take(self, values):
        for name, value in zip(_FIELDS, values):
            setattr(self, name, int(value) if name in _NUMBERS else value)

    def _write(self, live, trial, tries, outcome, **changes):
        values = [changes.get(name, getattr(self, name)) for name in _FIELDS]
        values[0] += 1
        values[1:4] = live, trial, tries
        values[8] = outcome
        data = b"%-112s" % " ".join([str(value) for value in values]).encode()
        data += b"%08x" % crc32(data)
        name = "state/slot%d" % (values[0] & 1)
        write(name, data)
        if len(data) != 120 or read(name) != data:
            raise OSError(5)  # flash that does not keep what it is told
        self._take(values)

    def begin_trial(self, slot, version, n, max_boots, trial_s=30):
        """Let a complete and verified slot boot, on trial.

        Raises:
            ValueError: it is live, a trial is on, one has ended and was not told, or the
                version is below the floor.
        """
        if slot == self.live or self.trial != "-" or self.outcome != "-":
            raise ValueError
        if numbers(version) < numbers(self.floor):
            raise ValueError
        changes = {"n": n, "version": version, "trial_s": trial_s}
        self._write(self.live, slot, max_boots, "-", **changes)

    def burn_try(self):
        """Take one of the trial's tries."""
        if self.trial == "-" or self.tries < 1:
            raise ValueError
        self._write(self.live, self.trial, self.tries - 1, "-")

    def confirm(self):
        """The version on trial has proved itself: from now on it is the live one."""
        if self.trial == "-":
            raise ValueError
        live = self.trial if self.trial in "ab" else self.live
        self._write(live, "-", 0, "confirmed", floor=self.version)

    def roll_back(self, reason):
        """The version on trial has failed; ``live`` boots again."""
        if self.trial == "-":
            raise ValueError
        self._write(self.live, "-", 0, reason)

    def told(self):
        """The server knows the outcome of the last trial."""
        self._write(self.live, "-", 0, "-")


def numbers(version):
    """Return what versions are compared by: ``1.2`` is ``1.2.0.0``.

    Raises:
        ValueError: it is none.
    """
    parts = version.split(".")
    found = [int(part) for part in parts if part.isdigit()]
    if not len(found) == len(parts) < 5 or max(found) > 65_535:
        raise ValueError
    return found + [0] * (4 - len(found))

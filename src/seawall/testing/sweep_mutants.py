"""Bugs planted into the agent's real sources, each of which the power-cut sweep has to catch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.errors import StateError


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug.

    Attributes:
        name: In kebab-case; what the bug is.
        story: Which story of the sweep has to catch it.
        changes: (path below ``agent/``, text that is there exactly once, what takes its place).
        file_systems: Where it is tried, in this order, until it is caught.
        phases: Only there is the power cut, so that it is caught soon; none: everywhere.
    """

    name: str
    story: str
    changes: tuple[tuple[str, str, str], ...]
    file_systems: tuple[str, ...] = ("lfs", "fat", "fat-raw")
    phases: tuple[str, ...] = ()

    def plant(self, agent: Path) -> None:
        """Change the copy of the sources in a folder.

        Raises:
            StateError: a text is not there, or not once: the mutant has to follow the code.
        """
        for path, old, new in self.changes:
            source = agent / path
            text = source.read_text(encoding="utf-8") if source.is_file() else ""
            if text.count(old) != 1:
                raise StateError(
                    f"mutant {self.name}: {old!r} is {text.count(old)} times in {path}",
                    hint="the code has changed: change testing/sweep_mutants.py with it",
                )
            source.write_text(text.replace(old, new), encoding="utf-8")


_SLOTS: Final = "seawall_guard/slots.py"
_RUN: Final = "seawall_guard/run.py"
_BOOT: Final = "seawall_guard/boot.py"
_UPDATE: Final = "seawall_agent/update.py"
_BUILD: Final = "seawall_agent/build.py"
_SOFTWARE: Final = "seawall_agent/software.py"
_COMMANDS: Final = "seawall_agent/commands.py"

_BUILT: Final = '            slot = await load("build").build(source, slots.live)\n'
_BEGUN: Final = '            await load("software").begin(source, slots, slot)\n'
_NAME: Final = 'name = "state/slot%d" % (values[0] & 1)'
_RAISED: Final = "values[0] += 1"
_CHECKED: Final = """\
        if await source.digest_of(slot + path) != digest:
            raise Exception("wrong-hash")
    with"""
_THERE: Final = """\
        if await source.digest_of(slot + path) == digest:
            todo"""
_SOME: Final = """\
        if _size(slot + path):
            todo"""
_TORN: Final = ("fat-raw",)
_ENDS: Final = ("trial", "confirm", "report", "begin-trial", "roll-back", "idle")

MUTANTS: Final = (
    Mutant(
        "flip-before-write",
        "updating",
        (
            (_UPDATE, _BUILT, ""),
            (
                _UPDATE,
                _BEGUN,
                '            slot = "b" if slots.live == "a" else "a"\n'
                + _BEGUN
                + "            source.agent.again = False\n"
                + _BUILT
                + "            source.agent.again = True\n",
            ),
        ),
        phases=("begin-trial",),
    ),
    Mutant(
        "no-crc-check",
        "updating",
        (
            (
                _RUN,
                'if data and len(data) == 120 and b"%08x" % crc32(data[:112]) == data[112:]:',
                "if data and len(data) == 120:",
            ),
        ),
        _TORN,
        _ENDS,
    ),
    Mutant(
        "newest-copy-overwritten",
        "updating",
        ((_SLOTS, _NAME, 'name = "state/slot0"'),),
        _TORN,
        _ENDS,
    ),
    Mutant(
        "sequence-not-raised-by-roll-back",
        "updating",
        ((_SLOTS, _RAISED, 'values[0] += outcome in ("-", "confirmed")'),),
        _TORN,
        _ENDS,
    ),
    Mutant(
        "confirmed-before-acknowledged",
        "updating",
        (
            (
                _SOFTWARE,
                "while not link.up or outbox.start - outbox.lost <= first:",
                "while not link.up:",
            ),
        ),
    ),
    Mutant(
        "confirmed-when-it-starts",
        "updating",
        (
            (
                _BOOT,
                "            slots.burn_try()\n",
                "            slots.confirm()\n            return slots.live, None\n",
            ),
        ),
    ),
    Mutant(
        "slot-written-in-place",
        "updating",
        (
            (_BUILD, 'slot = "b/" if live == "a" else "a/"', 'slot = live + "/"'),
            (_SLOTS, "if slot == self.live or self.trial", "if self.trial"),
        ),
    ),
    Mutant(
        "try-not-on-flash",
        "updating",
        ((_BOOT, "            slots.burn_try()\n", "            slots.tries -= 1\n"),),
    ),
    Mutant(
        "try-burnt-after-the-code",
        "updating",
        (
            (_BOOT, "            slots.burn_try()\n", ""),
            (
                _BOOT,
                "    again = status == 75\n",
                "    again = status == 75\n    if trial and not trial.over:\n"
                "        trial.slots.burn_try()\n",
            ),
        ),
    ),
    Mutant(
        "half-a-file-taken-for-whole",
        "updating",
        ((_BUILD, _CHECKED, "        pass\n    with"), (_BUILD, _THERE, _SOME)),
        phases=("download",),
    ),
    Mutant(
        "half-a-file-not-made-whole",
        "updating",
        ((_BUILD, _THERE, _SOME),),
        phases=("download",),
    ),
    Mutant(
        "what-was-there-before-stays",
        "updating",
        ((_BUILD, "        _sweep(slot[:1], wanted)\n", "        pass\n"),),
    ),
    Mutant(
        "order-forgotten-before-its-trial",
        "updating",
        (
            (
                _SOFTWARE,
                "            agent.session = core.create_task(load",
                "            write(None)\n            agent.session = core.create_task(load",
            ),
        ),
        phases=("download",),
    ),
    Mutant(
        "outcome-forgotten-before-it-was-told",
        "updating",
        (
            (
                _SOFTWARE,
                """\
        await _deliver(agent, found)
        slots.told()
""",
                """\
        slots.told()
        await _deliver(agent, found)
""",
            ),
        ),
        phases=("roll-back", "idle", "trial", "report"),
    ),
    Mutant(
        "command-number-before-its-order",
        "updating",
        (
            (
                _COMMANDS,
                """\
    if name[0] == "u":
        load("software").obey(agent, order)
    facts = facts[:]
""",
                "    facts = facts[:]\n",
            ),
            (
                _COMMANDS,
                "    agent.facts = facts\n",
                """\
    agent.facts = facts
    if name[0] == "u":
        load("software").obey(agent, order)
""",
            ),
        ),
        phases=("order", "download"),
    ),
    Mutant(
        "facts-in-one-copy",
        "keeping",
        (
            (
                "seawall_agent/state.py",
                'with open("state/%d" % (facts[0] & 1), "wb") as f:',
                'with open("state/0", "wb") as f:',
            ),
        ),
        ("fat", *_TORN),
        ("facts",),
    ),
    Mutant(
        "reading-not-flushed",
        "keeping",
        (("seawall_agent/outbox.py", "                self.f.flush()\n", ""),),
        phases=("keeping",),
    ),
    Mutant(
        "metadata-deleted-before-the-new-is-kept",
        "trusting",
        (
            (
                "seawall_agent/tuf.py",
                '        os.rename(self.path("new"), ok)\n',
                "        try:\n            os.unlink(self.path(role))\n"
                "        except OSError:\n            pass\n"
                '        os.rename(self.path("new"), ok)\n',
            ),
            # One loss the client bears: it begins with the root of its birth again.
            (
                "seawall_agent/tuf.py",
                "with open(born,",
                'with open(self.path("root") if self.seen else born,',
            ),
        ),
        phases=("refresh",),
    ),
)

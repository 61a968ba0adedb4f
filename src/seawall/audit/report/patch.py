"""What a fix changes, as text that can be applied as printed: a unified diff, or ``chmod``."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator

from seawall.model.finding import ChangeMode, ChangeText, Fix


def command_of(fix: Fix) -> str | None:
    """Return the line for the shell: the fix's own, else one made of its changes of modes."""
    if fix.command is not None:
        return fix.command
    modes = [each for each in fix.changes if isinstance(each, ChangeMode)]
    commands = [f"chmod {each.mode:o} {shlex.quote(each.path)}" for each in modes]
    return " && ".join(commands) or None


def diff_of(fix: Fix) -> str | None:
    """Return the changes of text as a unified diff for ``patch -p0``; None if there are none.

    A file that is not UTF-8 has no diff that could be printed, and is left out.
    """
    texts = [each for each in fix.changes if isinstance(each, ChangeText)]
    return "".join(line for change in texts for line in _lines(change)) or None


def _lines(change: ChangeText) -> Iterator[str]:
    try:
        before, after = change.before.decode(), change.after.decode()
    except UnicodeDecodeError:
        return
    # Not splitlines: it takes form feeds and U+2028 for ends of lines, and patch does not.
    sides = (before.split("\n"), after.split("\n"))
    old, new = ([f"{line}\n" for line in side[:-1]] + side[-1:] * bool(side[-1]) for side in sides)
    for line in difflib.unified_diff(old, new, change.path, change.path):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"

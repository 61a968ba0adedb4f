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
    commands = [f"chmod {each.mode:o} {_argument(each.path)}" for each in modes]
    return " && ".join(commands) or None


def _argument(path: str) -> str:
    """Quote a path, so that one that begins with a dash is no option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def diff_of(fix: Fix) -> str | None:
    """Return the changes of text as a unified diff for `patch_command`; None if there are none.

    A file that is not UTF-8 has no diff that could be printed, and is left out.
    """
    texts = [each for each in fix.changes if isinstance(each, ChangeText)]
    return "".join(line for change in texts for line in _lines(change)) or None


def patch_command(fix: Fix) -> str:
    """Return how GNU patch takes `diff_of`: it refuses absolute paths, but strips a slash."""
    is_absolute = any(each.path.startswith("/") for each in fix.changes)
    return "patch -d / -p1" if is_absolute else "patch -p0"


def _lines(change: ChangeText) -> Iterator[str]:
    try:
        before, after = change.before.decode(), change.after.decode()
    except UnicodeDecodeError:
        return
    old, new = lines_of(before), lines_of(after)
    # A tab ends a name that has spaces in it.
    name = f"{change.path}\t" if " " in change.path else change.path
    for line in difflib.unified_diff(old, new, name, name):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; the last may have none.

    Not ``splitlines``: it takes form feeds and U+2028 for ends of lines, and patch does not.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines

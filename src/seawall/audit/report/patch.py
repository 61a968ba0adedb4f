"""What a fix changes, as text that can be applied as printed: a unified diff, or ``chmod``."""

from __future__ import annotations

import difflib
import shlex
from typing import Final

from seawall.audit.redaction import MASK, Redactor, mask_settings
from seawall.audit.target import Access
from seawall.model.finding import ChangeMode, ChangeText, Fix

_REDACTOR: Final = Redactor(Access())
"""For keys and URLs; what the audit itself was given is masked before it gets here."""


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
    return "".join(map(_text, texts)) or None


def patch_command(fix: Fix) -> str:
    """Return what applies `diff_of`: GNU patch refuses absolute paths, but strips a slash.

    Where a secret had to be masked, only ``--fix`` still can.
    """
    if MASK in (diff_of(fix) or ""):
        return "seawall audit --fix"
    is_absolute = any(each.path.startswith("/") for each in fix.changes)
    return "patch -d / -p1" if is_absolute else "patch -p0"


def _text(change: ChangeText) -> str:
    """Return a change as a diff, without the values of secrets that the file holds.

    Where one stands in the lines around a change, these are left out: masked, they would
    keep the diff from being applied.
    """
    try:
        before, after = change.before.decode(), change.after.decode()
    except UnicodeDecodeError:
        return ""
    full = _unified(change.path, before, after, context=3)
    if (masked := masked_text(full)) == full:
        return full
    narrow = _unified(change.path, before, after, context=0)
    return narrow if masked_text(narrow) == narrow else masked


def masked_text(text: str) -> str:
    """Return lines of a file without what looks like a secret, by its name or by its form."""
    return _REDACTOR.text(mask_settings(text))


def _unified(path: str, before: str, after: str, *, context: int) -> str:
    # A tab ends a name that has spaces in it.
    name = f"{path}\t" if " " in path else path
    lines = difflib.unified_diff(lines_of(before), lines_of(after), name, name, n=context)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; the last may have none.

    Not ``splitlines``: it takes form feeds and U+2028 for ends of lines, and patch does not.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines

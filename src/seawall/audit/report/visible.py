"""Text from strangers, made fit to be read: nothing in it acts, hides or runs on for ever.

Evidence quotes what brokers, files and certificates say, and they may say anything: escape
sequences that rewrite a terminal, right-to-left overrides that turn ``gpj.exe`` around,
invisible letters, halves of UTF-16 pairs that no encoder takes, a megabyte of one character.
Escaping for HTML, Markdown or JSON is another matter, and comes after.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Final

from seawall.model.finding import Fix, Location, Result, Waiver

MAX_LINE: Final = 2_000
"""Most characters of one text in a report."""
MAX_BLOCK: Final = 64_000
"""Most characters of a diff."""

_ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"})
"""Categories of Unicode: control, format (bidi, zero width, tags), surrogate, line and
paragraph separators, and what is no character at all."""


def visible_line(text: str, limit: int = MAX_LINE) -> str:
    r"""Return the text on one line, with what cannot be seen written as ``\x1b``, ``\u202e``.

    Args:
        text: Anything.
        limit: Most characters that are kept; what was left out is counted.
    """
    return _visible(text, limit, keep="")


def visible_block(text: str, limit: int = MAX_BLOCK) -> str:
    """Return the text with its lines and tabs, but with nothing else that cannot be seen."""
    return _visible(text, limit, keep="\n\t")


def _visible(text: str, limit: int, keep: str) -> str:
    kept = text[:limit]
    if not (kept.isascii() and kept.isprintable()):
        kept = "".join(each if each in keep else _letter(each) for each in kept)
    left_out = len(text) - limit
    return f"{kept}… ({left_out:,} more characters)" if left_out > 0 else kept


def _letter(letter: str) -> str:
    if unicodedata.category(letter) not in _ACTING:
        return letter
    code = ord(letter)
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter)
    if short:
        return short
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def visible_result(result: Result) -> Result:
    """Return the result with all its texts fit to be read. Changes to files stay exact."""
    return replace(
        result,
        target=visible_line(result.target),
        check=visible_line(result.check),
        evidence=visible_line(result.evidence),
        fix=_fix(result.fix),
        location=_location(result.location),
        reproduce=None if result.reproduce is None else visible_block(result.reproduce, MAX_LINE),
        waived=_waiver(result.waived),
    )


def _fix(fix: Fix | None) -> Fix | None:
    if fix is None:
        return None
    command = None if fix.command is None else visible_block(fix.command, MAX_LINE)
    return replace(fix, text=visible_line(fix.text), command=command)


def _location(location: Location | None) -> Location | None:
    return None if location is None else replace(location, path=visible_line(location.path))


def _waiver(waiver: Waiver | None) -> Waiver | None:
    return None if waiver is None else replace(waiver, reason=visible_line(waiver.reason))

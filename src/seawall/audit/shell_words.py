"""Words of commands that fixes print, whatever a path or a name holds: pure."""

from __future__ import annotations

import re
import shlex
from typing import Final

_SPECIAL: Final = re.compile(r"[][\\.*^$/]")


def path_word(path: str) -> str:
    """Quote a path, so that one that begins with a dash is no option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def sed_pattern(text: str) -> str:
    """Return the basic regular expression, between slashes, that is this text alone."""
    return _SPECIAL.sub(r"\\\g<0>", text)

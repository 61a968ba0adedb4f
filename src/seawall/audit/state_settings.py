"""Changes of seawall.toml that leave every other line as it is. Pure."""

from __future__ import annotations

import json
import re

from seawall.audit.state_facts import StateSettings
from seawall.audit.state_files import place
from seawall.audit.target import Target
from seawall.model.finding import ChangeText, Fix, Location

FILE = "seawall.toml"


def with_settings(text: str, changes: tuple[tuple[str, str, str | int | float | bool], ...]) -> str:
    """Return the text with settings (section, name, value) given new values."""
    for section, name, value in changes:
        text = _with_setting(text, section, f"{name} = {json.dumps(value)}", name)
    return text


def _with_setting(text: str, section: str, assignment: str, name: str) -> str:
    lines = text.splitlines()
    start = _header(lines, section)
    if start is None:
        return "\n".join([*lines, "", f"[{section}]", assignment, ""])
    for at in range(start + 1, len(lines)):
        if lines[at].lstrip().startswith("["):
            break
        if re.match(rf"\s*{re.escape(name)}\s*=", lines[at]):
            return "\n".join([*lines[:at], assignment, *lines[at + 1 :], ""])
    return "\n".join([*lines[: start + 1], assignment, *lines[start + 1 :], ""])


def _header(lines: list[str], section: str) -> int | None:
    wanted = re.compile(rf"\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?\Z")
    return next((at for at, line in enumerate(lines) if wanted.match(line)), None)


def line_of(settings: StateSettings, section: str, name: str) -> Location:
    """Return where a setting stands; without a line if it is not written down."""
    lines = settings.text.decode(errors="replace").splitlines()
    start = _header(lines, section)
    for at in range(len(lines) if start is None else start + 1, len(lines)):
        if lines[at].lstrip().startswith("["):
            break
        if re.match(rf"\s*{re.escape(name)}\s*=", lines[at]):
            return Location(FILE, at + 1)
    return Location(FILE)


def setting_fix(
    target: Target,
    settings: StateSettings,
    words: str,
    *changes: tuple[str, str, str | int | float | bool],
) -> Fix:
    """Return the fix that gives settings other values."""
    after = with_settings(settings.text.decode(), changes).encode()
    return Fix(
        f"{words} Restart 'seawall up' afterwards.",
        changes=(ChangeText(place(target, FILE), settings.text, after),),
    )

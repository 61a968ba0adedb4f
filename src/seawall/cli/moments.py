"""Moments as people type them, and as they are shown. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from seawall.errors import UsageError
from seawall.model.reading import MAX_TS_MS

_UNIT_MS: Final = {
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|[smhdw])\Z", re.ASCII)
_AGO: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])\Z")
_MS: Final = re.compile(r"\d{12,13}\Z")


def parse_moment(text: str, now_ms: int) -> int:
    """Return the moment that a text names, UTC milliseconds.

    Args:
        text: ``15m``, ``2h``, ``3d`` (ago; s, m, h, d, w), ISO 8601
            (``2026-05-01``, ``2026-05-01T12:30``, ``...Z``, ``...+02:00``; UTC if
            it names no zone, as all times are shown), or UTC milliseconds.
        now_ms: The clock, UTC milliseconds.

    Raises:
        UsageError: if it is none of these, or lies outside 1970 to 2100.
    """
    ago = _AGO.match(text)
    if ago is not None:
        return max(0, now_ms - round(float(ago[1]) * _UNIT_MS[ago[2]]))
    if _MS.match(text):
        moment_ms = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text.strip())
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            moment_ms = round(moment.timestamp() * 1000)
        except (ValueError, OverflowError, OSError) as error:
            raise UsageError(
                f"{text[:40]!r} is no moment that is understood",
                reference="bad-moment",
                hint="such as 15m, 2h, 3d, 2026-05-01 or 2026-05-01T12:30:00Z",
            ) from error
    if not 0 <= moment_ms <= MAX_TS_MS:
        raise UsageError(
            f"{text[:40]!r} lies outside the years 1970 to 2100", reference="bad-moment"
        )
    return moment_ms


def parse_span(text: str) -> int:
    """Return how long a text says, milliseconds: ``500ms``, ``5s``, ``1.5m``, ``2h``, ``1d``.

    Raises:
        UsageError: if it says nothing of the kind.
    """
    found = _SPAN.match(text)
    if found is None:
        raise UsageError(
            f"{text[:40]!r} is no length of time that is understood",
            reference="bad-span",
            hint="such as 500ms, 5s, 1m or 2h",
        )
    return round(float(found[1]) * (1 if found[2] == "ms" else _UNIT_MS[found[2]]))


def iso_utc(at_ms: int) -> str:
    """Return a moment as ISO 8601 in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def shown_utc(at_ms: int) -> str:
    """Return a moment for people, in UTC, to the second."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%SZ}"

"""Local time to UTC, where clocks are put forward and back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from seawall.transfer.readings.failures import TimeZoneError

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  of whichever zone is asked


class Zone:
    """A time zone.

    Args:
        name: As it is shown.
        rules: Its rules; None for UTC.
    """

    def __init__(self, name: str, rules: tzinfo | None) -> None:
        self.name = name
        self._rules = rules

    def moments(self, wall_ms: int) -> tuple[int, ...]:
        """Return the moments at which clocks show a time, UTC milliseconds, in order.

        One, usually; none if clocks were put forward over it, two if they were
        put back over it (PEP 495).
        """
        if self._rules is None:
            return (wall_ms,)
        try:
            shown = (_EPOCH + timedelta(milliseconds=wall_ms)).replace(tzinfo=self._rules)
            before, after = shown.utcoffset(), shown.replace(fold=1).utcoffset()
        except OverflowError:  # a year that is none of the calendar's, and nobody's reading
            return (wall_ms,)
        assert before is not None and after is not None  # noqa: PT018, S101  zones have offsets
        first = wall_ms - _ms(before)
        if before == after:
            return (first,)
        return () if before < after else (first, wall_ms - _ms(after))


def _ms(offset: timedelta) -> int:
    return offset // timedelta(milliseconds=1)


UTC_ZONE: Final = Zone("UTC", None)


def zone_of(text: str) -> Zone:
    """Return the zone that `--time-zone` names: ``Europe/Berlin``, ``UTC``, ``+02:00``.

    Raises:
        TimeZoneError: There is none of this name; the hint has the nearest.
    """
    if text.upper() in {"UTC", "Z", "GMT", "ETC/UTC"}:
        return UTC_ZONE
    if found := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if offset <= timedelta(hours=15):
            rules = timezone(offset if found[1] == "+" else -offset)
            return Zone(rules.tzname(None).removeprefix("UTC"), rules)
    try:
        return Zone(text, ZoneInfo(text))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TimeZoneError(f"there is no time zone {text[:40]!r}", hint=_near(text)) from None


def _near(text: str) -> str:
    wanted = text.strip().lower().replace(" ", "_")
    names = sorted(available_timezones())
    near = [name for name in names if wanted and wanted in name.lower()][:5]
    return f"did you mean {', '.join(near)}?" if near else "such as Europe/Berlin, UTC or +02:00"

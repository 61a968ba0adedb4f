"""How a table of readings says no."""

from __future__ import annotations

from seawall.errors import SeawallError, UsageError


class CellError(ValueError):
    """A cell cannot be used; the message says why, without the cell."""


class TimeFormatError(UsageError):
    """How times are written cannot be told, or is not what was said."""

    reference = "time-format"


class TimeZoneError(UsageError):
    """A time zone is not known."""

    reference = "time-zone"


class MetricError(UsageError):
    """A column, a name or a unit of `--metric` does not fit."""

    reference = "import-metric"


class ColumnError(UsageError):
    """A column that was named is not there."""

    reference = "import-column"


class NothingMeasuredError(SeawallError):
    """No column holds numbers."""

    reference = "nothing-measured"

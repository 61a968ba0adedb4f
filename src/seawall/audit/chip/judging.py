"""What the checks of sdkconfig and eFuses have in common."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Answers, Job, Unobserved
from seawall.audit.chip.efuses import Summary, read_summary
from seawall.audit.chip.sdkconfig import Sdkconfig, read_sdkconfig
from seawall.audit.probes.files import ReadFile
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Fix, Location, Status

SDKCONFIG: Final = frozenset({TargetKind.SDKCONFIG})
EFUSE: Final = frozenset({TargetKind.EFUSE})


def file_jobs(target: Target) -> Sequence[Job[Any]]:
    """Return the one job that all these checks share."""
    return (ReadFile(target.path or Path()),)


def sdkconfig_of(target: Target, answers: Answers) -> Sdkconfig:
    """Return the configuration.

    Raises:
        Unobserved: the file could not be read, or is none.
    """
    config = read_sdkconfig(text_of(target, answers))
    if not config.options:
        raise Unobserved("no ESP-IDF sdkconfig: no line begins with CONFIG_")
    return config


def summary_of(target: Target, answers: Answers) -> Summary:
    """Return the eFuses.

    Raises:
        Unobserved: the file could not be read, or is no summary.
    """
    summary = read_summary(text_of(target, answers))
    if not summary.fields:
        raise Unobserved("no espefuse summary: no line like `NAME (BLOCK0) ... = VALUE R/W`")
    return summary


def text_of(target: Target, answers: Answers) -> str:
    """Return the file as text; what is not UTF-8 is replaced.

    Raises:
        Unobserved: it could not be read.
    """
    return answers[ReadFile(target.path or Path())].data.decode("utf-8-sig", "replace")


def with_options(target: Target, why: str, *lines: str) -> Fix:
    """Return the fix that sets options: in an sdkconfig the last line of a name holds."""
    path = str(target.path or Path())
    path = f"./{path}" if path.startswith("-") else path
    words = " ".join(shlex.quote(line) for line in lines)
    return Fix(
        f"{why} Then `idf.py reconfigure build`.", f"printf '%s\\n' {words} >> {shlex.quote(path)}"
    )


def at(target: Target, line: int | None) -> Location:
    """Return a place in the file."""
    return Location((target.path or Path()).name, line)


def burn(summary: Summary, why: str, *names: str) -> Fix:
    """Return the fix that burns fields to 1; it cannot be undone, and says so."""
    chip = summary.chip.lower().replace("-", "")
    option = f" --chip {chip}" if chip else ""
    command = f"espefuse{option} burn-efuse " + " ".join(f"{name} 1" for name in names)
    return Fix(f"{why} Burning cannot be undone: try it on one board first.", command)


def unknown(reason: str) -> Finding:
    """Return the finding of a check that the file says too little for."""
    return Finding(Status.UNKNOWN, reason)

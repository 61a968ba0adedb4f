"""Files and folders that others can change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.probes.state import ReadStateFiles
from seawall.audit.state_files import STATE, closing, files_jobs, reachable
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status

_STICKY = 0o1000


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    files = answers[ReadStateFiles()]
    is_reachable = reachable(files)
    found = False
    for file in files.files:
        if file.is_writable_by_others and is_reachable(file):
            found = True
            yield Finding(
                Status.FAIL,
                f"{file.path} has mode {file.mode:04o}: other users can change it",
                closing(target, file),
                location=Location(file.path),
                key=file.path,
            )
    for folder in files.above:
        # In a sticky folder, such as /tmp, nobody renames what is somebody else's.
        if folder.mode & 0o002 and not folder.mode & _STICKY:
            found = True
            yield Finding(
                Status.FAIL,
                f"{folder.path}, above it, has mode {folder.mode:04o}: any user can put another "
                "state directory in its place",
                Fix(
                    "Take the right to write from others, or move the installation.",
                    f"chmod o-w {shlex.quote(folder.path)}",
                ),
                Severity.HIGH,
                key=f"above {folder.path}",
            )
    if not files.is_whole:
        yield Finding(Status.UNKNOWN, f"only the first {len(files.files)} files were looked at")
    elif not found:
        yield Finding(Status.PASS, f"{len(files.files)} looked at: only their owner can change any")


CHECK = Check(
    id="state.files.writable",
    title="Other users can change the installation",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.CRITICAL,
    risk=Risk.READ,
    why="Whoever can replace the authority's certificate, the database or the settings owns the "
    "installation, without reading a single secret.",
    references=References(("I7", "I9"), ("5.4-1",), ("DP", "DC"), (732, 276)),
    jobs=files_jobs,
    judge=_judge,
)

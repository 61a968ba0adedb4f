"""Which files of a state directory are secret, who can reach them, and how that is mended. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from seawall.audit.check import Answers, Job
from seawall.audit.probes.state import ReadStateFiles
from seawall.audit.state_facts import FileFacts, StateFiles
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import ChangeMode, Finding, Fix, Location, Severity, Status

STATE: Final = frozenset({TargetKind.STATE})

_DATABASE: Final = (".db", ".db-wal", ".db-shm", ".db-journal", ".sqlite", ".sqlite3", ".sql")
_BACKUP: Final = (".bak", ".old", ".orig", ".tar", ".tgz", ".gz", ".xz", ".zst", ".zip", ".dump")


def is_key(path: str) -> bool:
    """Tell whether a file of a state directory holds a private key or a secret."""
    name = PurePosixPath(path).name
    if name.endswith((".key.pem", ".key.der", ".key")) or name in {"key.der", "key.pem"}:
        return True
    return path.startswith("updates/keys/") and not name.startswith(("keys.json", "."))


def is_database(path: str) -> bool:
    """Tell whether a file holds readings and users: the database, or a copy of whatever."""
    name = PurePosixPath(path).name.casefold()
    return name.endswith((*_DATABASE, *_BACKUP)) or "backup" in path.casefold()


def files_jobs(_: Target) -> Sequence[Job[Any]]:
    """Return the job that looks at the files."""
    return (ReadStateFiles(),)


def reachable(files: StateFiles) -> Callable[[FileFacts], bool]:
    """Return what tells whether others get as far as a file: no folder above it is closed."""
    closed = {each.path for each in files.files if each.is_folder and not each.mode & 0o011}

    def is_reachable(file: FileFacts) -> bool:
        return not any(str(above) in closed for above in PurePosixPath(file.path).parents)

    return is_reachable


def open_files(
    target: Target, answers: Answers, wanted: Callable[[FileFacts], bool], sound: str
) -> Iterator[Finding]:
    """Yield a finding for each file, or folder, of some kind that is open to others.

    Behind a closed folder an open file is one careless ``chmod`` from being read: low.
    """
    files = answers[ReadStateFiles()]
    is_reachable = reachable(files)
    looked_at = [each for each in files.files if wanted(each)]
    found = False
    for file in looked_at:
        shielded = not is_reachable(file)
        # Whoever made a socket gave it the mode; the folder around it is what guards it.
        if not file.is_open or (shielded and file.is_special):
            continue
        found = True
        words = ", behind a closed folder" if shielded else ": other users of this machine reach it"
        yield Finding(
            Status.FAIL,
            f"{file.path} has mode {file.mode:04o}{words}",
            closing(target, file),
            Severity.LOW if shielded else None,
            location=Location(file.path),
            reproduce=f"stat -c '%a %n' {quoted(target, file.path)}",
            key=file.path,
        )
    if not files.is_whole:
        count = len(files.files)
        yield Finding(Status.UNKNOWN, f"only the first {count} files were looked at", key="rest")
    elif not looked_at:
        yield Finding(Status.NOT_APPLICABLE, "there are none")
    elif not found:
        yield Finding(Status.PASS, f"{len(looked_at)} looked at: {sound}")


def closing(target: Target, file: FileFacts) -> Fix:
    """Return the fix that leaves a file to its owner."""
    mode = 0o700 if file.is_folder else 0o600
    return Fix(
        "Leave it to the user whom Seawall runs as.",
        f"chmod {mode:o} {quoted(target, file.path)}",
        (ChangeMode(place(target, file.path), mode),),
    )


def place(target: Target, path: str) -> str:
    """Return a path in the state directory as the current directory would name it."""
    return str(target.path / path) if target.path is not None else path


def quoted(target: Target, path: str) -> str:
    """Return the same for a shell."""
    return shlex.quote(place(target, path))

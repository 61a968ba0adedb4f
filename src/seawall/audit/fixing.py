"""Applies what fixes change: all of it or nothing, each file at once, its mode kept.

Several checks may want to change one file. Each of them saw the same content, so what they
change on different lines is brought together; what contradicts waits for the next round,
after the target was audited again.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from seawall.errors import ConflictError
from seawall.model.finding import Change, ChangeMode, ChangeText, Result, Status


def planned(results: Iterable[Result]) -> tuple[Change, ...]:
    """Return what can be changed now for the open failures; texts first, then modes."""
    changes = [
        change
        for result in results
        if result.status is Status.FAIL and not result.waived and result.fix
        for change in result.fix.changes
    ]
    texts: dict[str, ChangeText] = {}
    modes: dict[str, int] = {}
    for change in changes:
        if isinstance(change, ChangeMode):
            # Two checks that want different modes both hold with what both allow.
            modes[change.path] = modes.get(change.path, 0o7777) & change.mode
        else:
            earlier = texts.get(change.path)
            texts[change.path] = change if earlier is None else _together(earlier, change)
    return *texts.values(), *(ChangeMode(path, mode) for path, mode in modes.items())


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines ``first`` up to before ``last`` become ``lines``."""

    first: int
    last: int
    lines: tuple[bytes, ...]

    def contradicts(self, other: _Edit) -> bool:
        """Whether both change one line; two insertions at one place do not."""
        return self.first < other.last and other.first < self.last


def _together(one: ChangeText, other: ChangeText) -> ChangeText:
    """Return both changes as one; the first alone where they contradict."""
    if one.before != other.before:
        return one
    edits = list(_edits(one))
    for edit in _edits(other):
        if any(edit.contradicts(each) for each in edits if edit != each):
            return one
        if edit not in edits:
            edits.append(edit)
    lines = one.before.splitlines(keepends=True)
    after: list[bytes] = []
    at = 0
    for edit in sorted(edits, key=lambda each: (each.first, each.last)):
        after += lines[at : edit.first]
        after += edit.lines
        at = edit.last
    return ChangeText(one.path, one.before, b"".join(after + lines[at:]))


def _edits(change: ChangeText) -> Iterator[_Edit]:
    before = change.before.splitlines(keepends=True)
    after = change.after.splitlines(keepends=True)
    for tag, first, last, start, end in SequenceMatcher(None, before, after, False).get_opcodes():
        if tag != "equal":
            yield _Edit(first, last, tuple(after[start:end]))


def apply(changes: Sequence[Change]) -> None:
    """Make the changes; if one cannot be made, take back those that were.

    Raises:
        ConflictError: a file is gone, is no longer what the audit saw, belongs to somebody
            else, or cannot be written. All files are as they were.
    """
    real = [(change, _real(change)) for change in changes]
    for change, path in real:
        if isinstance(change, ChangeText) and _content(path) != change.before:
            raise ConflictError(f"{change.path} was changed since it was audited; nothing is done")
    with contextlib.ExitStack() as undo:
        for change, path in real:
            mode = stat.S_IMODE(path.stat().st_mode)
            try:
                if isinstance(change, ChangeMode):
                    undo.callback(path.chmod, mode)
                    path.chmod(change.mode)
                else:
                    undo.callback(_write, path, change.before, mode)
                    _write(path, change.after, mode)
            except OSError as error:
                words = error.strerror or str(error)
                raise ConflictError(f"{change.path} cannot be changed: {words}") from error
        undo.pop_all()


def _real(change: Change) -> Path:
    """Return the file behind links: the link itself stays."""
    try:
        link = Path(change.path).lstat()
        path = Path(change.path).resolve(strict=True)
        about = path.stat()
        mode = about.st_mode
    except (OSError, RuntimeError) as error:
        words = getattr(error, "strerror", None) or "its links lead nowhere"
        raise ConflictError(f"{change.path} cannot be changed: {words}") from error
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in {0, os.geteuid(), about.st_uid}:
        # Who put it there would have us change a file that is not theirs.
        raise ConflictError(
            f"{change.path} is a link that user {link.st_uid} made to what is not theirs: "
            "nothing is done",
            hint="mend the file that it leads to by its own name",
        )
    if not stat.S_ISREG(mode) and not (stat.S_ISDIR(mode) and isinstance(change, ChangeMode)):
        raise ConflictError(f"{change.path} cannot be changed: it is no regular file")
    return path


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConflictError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file at once: who reads it sees the old or the new one, after a crash too."""
    owner = path.stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.fchmod(handle, mode)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

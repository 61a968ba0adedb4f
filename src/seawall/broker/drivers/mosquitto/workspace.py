"""The broker's own directory, and the record of the process that runs in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from seawall.broker.drivers.mosquitto.program import Account
from seawall.errors import ServiceError, StateError

_RECORD: Final = "mosquitto.json"
_STALE_GRACE_S: Final = 5.0
_POLL_S: Final = 0.02


class Workspace:
    """The directory ``mosquitto`` within the state's ``broker/``.

    It belongs to the account that the broker runs as, and to it alone (0700).
    As that account is not trusted by root, files are written without following
    links, and the record of the process stands outside, in ``broker/``.

    Args:
        parent: ``broker/`` of the state directory.
        account: Whom the broker runs as.
    """

    def __init__(self, parent: Path, account: Account) -> None:
        self.path = parent / "mosquitto"
        self._record = parent / _RECORD
        self._account = account

    @property
    def title(self) -> str:
        """What the process shows as its name: it tells whose it is, to people and to us."""
        return f"mosquitto [seawall {self.path}]"

    def prepare(self) -> None:
        """Make the directory.

        Raises:
            StateError: it cannot be made, or is not a directory of ours.
        """
        try:
            self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            with self._opened() as directory:
                os.fchmod(directory, 0o700)
                if self._account.uid >= 0:
                    os.fchown(directory, self._account.uid, self._account.gid)
                    self._adopt(directory)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def write(self, name: str, content: bytes) -> None:
        """Replace a file of the directory, mode 0600.

        Raises:
            StateError: it cannot be written.
        """
        temporary = f"{name}.new"
        try:
            with self._opened() as directory:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=directory)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                with open(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as file:  # noqa: PTH123
                    os.fchown(file.fileno(), self._account.uid, self._account.gid)
                    file.write(content)
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            raise _unusable(self.path / name, error) from error

    def remove(self, name: str) -> None:
        """Remove a file; no error if it is not there."""
        with contextlib.suppress(OSError), self._opened() as directory:
            os.unlink(name, dir_fd=directory)

    @contextmanager
    def address(self, name: str) -> Iterator[str]:
        """Yield a path of a socket in the directory that is short enough for ``sun_path``."""
        with self._opened() as directory:
            yield f"/proc/self/fd/{directory}/{name}"

    def record(self, pid: int) -> None:
        """Note which process runs here."""
        temporary = self._record.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps({"pid": pid}))
        temporary.replace(self._record)

    def forget(self) -> None:
        """Note that no process runs here."""
        self._record.unlink(missing_ok=True)

    def end_stale(self) -> int | None:
        """End the broker of an earlier run that still lives, and return its pid.

        A pid is used again by the system, so the process must carry our title.

        Raises:
            ServiceError: it does not end.
        """
        try:
            pid = int(json.loads(self._record.read_text())["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not self._is_ours(pid):
            self.forget()
            return None
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, sign)
            deadline = time.monotonic() + _STALE_GRACE_S
            while time.monotonic() < deadline:
                if not self._is_ours(pid):
                    self.forget()
                    return pid
                time.sleep(_POLL_S)
        raise ServiceError(
            f"the broker of an earlier run, process {pid}, does not end", hint=f"kill -9 {pid}"
        )

    def _is_ours(self, pid: int) -> bool:
        # A dead child that nobody waited for keeps its pid, and has no command line.
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return line.split(b"\0", 1)[0] == os.fsencode(self.title)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        directory = os.open(self.path, flags)
        try:
            yield directory
        finally:
            os.close(directory)

    def _adopt(self, directory: int) -> None:
        """Give files that the broker wrote as another user to the present one."""
        for name in os.listdir(directory):
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                os.chown(
                    name,
                    self._account.uid,
                    self._account.gid,
                    dir_fd=directory,
                    follow_symlinks=False,
                )


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"{path} cannot be written: {error.strerror}",
        reference="broker-directory",
        hint="it must belong to the user who runs seawall; remove it, it is made anew",
    )

"""Becomes Mosquitto: gives up what the broker must not have, then executes it.

Run as a script by a bare interpreter (``python -I -S``), never imported by the
daemon. It is a program of its own, not a ``preexec_fn``, because code between
fork and exec of a process with threads may deadlock.

Arguments: PARENT_PID UID GID TITLE PROGRAM [ARGUMENT...]; UID and GID -1 keep
the present user. The working directory is inherited. Whatever is imported is
imported first: the broker's user may not be able to read our Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


def _drop_privileges(uid: int, gid: int) -> None:
    if uid < 0:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _limit() -> None:
    # One descriptor a connection; and no core file, which would hold the server's key.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # SIGTERM, so that the broker saves its database. The kernel clears the
    # setting when the user changes: this comes after that, and survives exec.
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:  # it died before the setting was made
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Carry out what the module says; does not return."""
    parent, uid, gid, title, program, *rest = arguments
    _drop_privileges(int(uid), int(gid))
    _limit()
    _die_with(int(parent))
    os.umask(0o077)
    os.execv(program, [title, *rest])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])

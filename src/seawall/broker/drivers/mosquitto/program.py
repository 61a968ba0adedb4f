"""Finds Mosquitto on this machine, and whom it shall run as."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from seawall.errors import ServiceError

OLDEST: Final = (2, 0, 11)
"""Debian 12 and Ubuntu 22.04. Before 2.0 there is no socket listener and no ``deny``."""

_APT: Final = "install it: apt-get install mosquitto  (or use the builtin broker)"
_PLACES: Final = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/sbin",
    "/usr/local/opt/mosquitto/sbin",
)
_VERSION: Final = re.compile(r"mosquitto version (\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system; -1: the one we are."""

    uid: int = -1
    gid: int = -1


def find_program(named: str | None = None) -> str:
    """Return the path of a Mosquitto that is new enough.

    Args:
        named: A path or name to use instead of ``mosquitto``.

    Raises:
        ServiceError: there is none (``mosquitto-missing``), it does not run,
            or it is too old (``mosquitto-too-old``).
    """
    wanted = named or "mosquitto"
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *_PLACES])
    path = shutil.which(wanted, path=places)
    if path is None:
        raise ServiceError(
            f"the program {wanted} is not on this machine",
            reference="mosquitto-missing",
            hint=_APT,
        )
    version = _version_of(path)
    if version < OLDEST:
        raise ServiceError(
            f"{path} is version {_text(version)}; {_text(OLDEST)} or newer is needed",
            reference="mosquitto-too-old",
            hint="use a newer distribution's package, or the builtin broker",
        )
    return path


def _version_of(path: str) -> tuple[int, int, int]:
    try:
        # It prints its help and exits with 3.
        done = subprocess.run(
            [path, "-h"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"{path} does not run: {error}", hint=_APT) from error
    match = _VERSION.search(done.stdout + done.stderr)
    if match is None:
        raise ServiceError(f"{path} does not tell its version: it is no Mosquitto", hint=_APT)
    return int(match[1]), int(match[2]), int(match[3])


def _text(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def account_to_run_as() -> Account:
    """Return whom the broker shall run as.

    Not root: it is C code that faces the internet. When we are root it runs as
    ``mosquitto`` (the package makes that user), else as ``nobody``; its
    directory belongs to that user alone, and nothing above it need be
    readable, since it is started in that directory and all its paths are
    relative.

    Raises:
        ServiceError: we are root and neither user exists.
    """
    if os.geteuid() != 0:
        return Account()
    for name in ("mosquitto", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise ServiceError(
        "there is no user 'mosquitto' to run the broker as",
        hint="useradd --system --no-create-home mosquitto, or run seawall as an ordinary user",
    )

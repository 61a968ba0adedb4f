"""Who listens on a TCP port of this machine, for messages that a person can act on."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Final

from seawall.errors import ConfigurationError, ServiceError

_LISTEN: Final = "0A"
_PRIVILEGED: Final = 1024


def check_free(host: str, port: int) -> None:
    """Return if ``host`` and ``port`` can be listened on now.

    Raises:
        ServiceError: somebody does already (``port-taken``, naming who), or we may not.
        ConfigurationError: the address is none of this machine's.
    """
    try:
        with _bound(host, port):
            return
    except OSError as error:
        raise listening_error(host, port, error) from error


def pick_free(host: str) -> int:
    """Return a port that nobody uses now. Somebody may take it before you do: then try again.

    Raises:
        ConfigurationError: the address is none of this machine's.
    """
    try:
        with _bound(host, 0) as bound:
            return int(bound.getsockname()[1])
    except OSError as error:
        raise listening_error(host, 0, error) from error


def listening_error(host: str, port: int, error: OSError) -> ServiceError | ConfigurationError:
    """Return what to tell a person of an `OSError` from bind or listen."""
    if error.errno == errno.EADDRINUSE:
        owner = _owner_of(port)
        return ServiceError(
            f"port {port} on {host} is taken" + (f" by {owner}" if owner else ""),
            reference="port-taken",
            hint=f"stop that program (ss -ltnp 'sport = :{port}' shows it), "
            "or set another port in seawall.toml",
        )
    if error.errno in (errno.EACCES, errno.EPERM) and port < _PRIVILEGED:
        return ServiceError(
            f"port {port} needs privileges that the broker does not have",
            reference="port-privileged",
            hint="use a port from 1024 on, such as 8883",
        )
    return ConfigurationError(
        f"cannot listen on {host}, port {port}: {error.strerror or error}",
        hint="mqtt.host must be an address of this machine; 0.0.0.0 is every IPv4 address",
    )


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Linux lets two bind with SO_REUSEADDR; only one can listen.
        bound.listen(1)
    except OSError:
        bound.close()
        raise
    return bound


def _owner_of(port: int) -> str:
    """Name the process that listens on a port, as far as /proc shows it to us."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _open_in(process):
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text().strip()
                return f"{name} (process {process.name})"
    return "another user's program"


def _open_in(process: Path) -> set[str]:
    """Return what a process has open; nothing if it is another user's or has ended."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.add(str(descriptor.readlink()))
    return found


def _listening_inodes(port: int) -> list[str]:
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.append(fields[9])
    return inodes

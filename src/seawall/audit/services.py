"""What answers on a port, by what it said. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seawall.wire.tls_hello import TlsVersion, client_hello
from seawall.wire.tls_suites import suites_of

MAX_PORTS: Final = 40
PORTS: Final = (
    *(23, 2323, 1883, 8883, 80, 443, 22, 21, 8266, 5555, 2375, 6379, 27017, 9200, 3306, 5432),
    *(8080, 8443, 8000, 8888, 5000, 554, 502, 7547, 445, 5900, 1080, 873, 631, 25, 53, 4840),
    *(9000, 6666, 8081),
)
"""TCP ports that devices and their platforms have open, those that tell most first.

CoAP (5683), SSDP (1900) and BACnet (47808) speak UDP, where silence says nothing.
"""

_USUAL: Final = {
    21: "ftp",
    22: "ssh",
    23: "telnet",
    25: "smtp",
    53: "dns",
    80: "http",
    443: "tls",
    445: "smb",
    502: "modbus",
    554: "rtsp",
    631: "ipp",
    873: "rsync",
    1080: "socks",
    1883: "mqtt",
    2323: "telnet",
    2375: "docker",
    3306: "mysql",
    4840: "opc-ua",
    5432: "postgresql",
    5555: "adb",
    5900: "vnc",
    6379: "redis",
    6666: "irc or a debugger",
    7547: "tr-069",
    8266: "webrepl",
    8443: "tls",
    8883: "tls",
    9200: "elasticsearch",
    27017: "mongodb",
}
_OVER_TLS: Final = frozenset({443, 8443, 8883, 9443, 5671, 4433})

_HTTP: Final = b"GET / HTTP/1.0\r\nHost: seawall-audit\r\nUser-Agent: seawall-audit\r\n\r\n"
_WEBSOCKET: Final = (
    b"GET / HTTP/1.1\r\nHost: seawall-audit\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2Vhd2FsbC1hdWRpdC4uLg==\r\n\r\n"
)
# MQTT 3.1.1, a clean session without a name: what a broker answers tells that it is one.
_MQTT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
_POSTGRESQL: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # SSLRequest
_ADB: Final = (
    b"CNXN\x00\x00\x00\x01\x00\x10\x00\x00\x07\x00\x00\x00\x32\x02\x00\x00"
    b"\xbc\xb1\xa7\xb1host::\x00"
)

_SIGNS: Final = (
    ("ssh", re.compile(rb"\ASSH-\d")),
    ("ftp", re.compile(rb"\A220[ -](?!.*SMTP).*(?:FTP|ftp|FileZilla|Ready|ready)")),
    ("smtp", re.compile(rb"\A220[ -].*SMTP")),
    ("webrepl", re.compile(rb"(?i)webrepl|\AHTTP/1\.1 101 .*\r\n\r\n.*Password: ", re.DOTALL)),
    (
        "telnet",
        re.compile(rb"\A\xff[\xfb-\xfe]|\A(?!HTTP/).*(?i:login|username|password): ?\Z", re.DOTALL),
    ),
    ("mqtt", re.compile(rb"\A\x20\x02\x00[\x00-\x05]")),
    ("rtsp", re.compile(rb"\ARTSP/1\.0 ")),
    ("mongodb", re.compile(rb"(?i)trying to access MongoDB over HTTP")),
    ("elasticsearch", re.compile(rb'"cluster_name"\s*:')),
    ("docker", re.compile(rb"(?i)\r\n(?:Api-Version|Docker-Experimental):")),
    ("http", re.compile(rb"\AHTTP/\d")),
    ("redis", re.compile(rb"\A(?:-ERR |-NOAUTH |-DENIED |\+PONG)")),
    ("vnc", re.compile(rb"\ARFB \d{3}\.")),
    ("rsync", re.compile(rb"\A@RSYNCD:")),
    (
        "mysql",
        re.compile(rb"\A.{3}\x00[\x0a\xff].*(?:mysql|MariaDB|caching_sha2|not allowed)", re.DOTALL),
    ),
    ("adb", re.compile(rb"\A(?:CNXN|AUTH|STLS).{8}", re.DOTALL)),
    ("tls", re.compile(rb"\A[\x15\x16]\x03[\x00-\x03]")),
)


@dataclass(frozen=True, slots=True)
class Service:
    """What answers on an open port.

    Attributes:
        port: Number.
        name: ``ssh``, ``telnet``, ``unknown``.
        is_certain: It said so itself; else only its number does.
        said: Its first line, safe to print; empty if it said nothing.
        lets_in: A database that answered a question without a password.
    """

    port: int
    name: str
    is_certain: bool
    said: str = ""
    lets_in: bool = False

    @property
    def text(self) -> str:
        """In words, for evidence."""
        said = f" (`{self.said}`)" if self.said else ""
        sure = "" if self.is_certain or self.name == "unknown" else ", by its number"
        return f"port {self.port}: {self.name}{said}{sure}"


def ports_to_ask(expected: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return at most `MAX_PORTS` ports: the usual ones, then those expected.

    What is expected is known to somebody already; what is not there should be found.
    """
    return tuple(dict.fromkeys((*PORTS, *(expected or ()))))[:MAX_PORTS]


def usual_ports(names: Iterable[str]) -> frozenset[int]:
    """Return the ports that services of these names usually have."""
    wanted = set(names)
    return frozenset(port for port, name in _USUAL.items() if name in wanted)


def question_for(port: int, random: bytes) -> bytes:
    """Return what makes a service that waits speak.

    Args:
        port: Whose usual protocol is tried; HTTP elsewhere, to which many answer in words.
        random: 32 bytes for TLS.
    """
    if port in _OVER_TLS:
        return client_hello(TlsVersion.TLS_1_2, suites_of(), random)
    return {
        554: b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        1883: _MQTT,
        2375: b"GET /version HTTP/1.0\r\n\r\n",
        5432: _POSTGRESQL,
        5555: _ADB,
        6379: b"PING\r\n",
        8266: _WEBSOCKET,
    }.get(port, _HTTP)


def recognise(port: int, said: bytes) -> Service:
    """Return what this is, by all that it said."""
    name = next((name for name, sign in _SIGNS if sign.search(said)), "")
    if not name and port == 5432 and said in (b"S", b"N"):
        name = "postgresql"
    lets_in = said.startswith(b"+PONG") or name in ("elasticsearch", "docker")
    guessed = name or _USUAL.get(port, "unknown")
    return Service(port, guessed, bool(name), _first_line(said), lets_in)


def _first_line(said: bytes) -> str:
    text = said.decode("ascii", "replace").lstrip()
    line = (text.splitlines() or [""])[0][:60]
    if sum(c.isascii() and c.isprintable() for c in line) < max(len(line) * 3 // 4, 3):
        return ""
    return "".join(c if c.isascii() and c.isprintable() and c != "`" else "." for c in line)

"""Passwords of the tools: the settings file, the prompt, and warnings about the command line."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from seawall.cli.flags import URI_SCHEMES, Line
from seawall.cli.tool_log import ToolLog
from seawall.transfer.failures import OptionError
from seawall.transfer.options import TlsOptions
from seawall.transfer.server_uri import WITHOUT_PASSWORD, ServerAddress

CONFIG_KEYS: Final = {
    "password": "password",
    "uri": "uri",
    "sslPEMKeyPassword": "sslPEMKeyPassword",
    "destinationPassword": "",
}
HARMLESS: Final = frozenset(
    {"config", "verbose", "quiet", "host", "port", "ssl", "sslCAFile", "sslPEMKeyFile"}
    | {"sslPEMKeyPassword", "tlsInsecure", "username", "password", "authenticationDatabase"}
    | {"authenticationMechanism", "uri", "file"}
)
"""With other flags on the line the original does not warn about passwords."""
WARNING: Final = (
    "WARNING: On some systems, a password provided directly {where} may be visible to system "
    "status programs such as `ps` that may be invoked by other users. Consider omitting the "
    "password to provide it via stdin, or using the --config option to specify a configuration "
    "file with the password."
)
_QUOTED: Final = re.compile(r"""(?:'((?:[^']|'')*)'|"((?:[^"\\]|\\.)*)")(?:\s+#.*)?""")
_NO_TEXT: Final = tuple("[{|>&*!%@`")
"""What begins a list, a mapping, a text of several lines, or something else in YAML."""
_LINE: Final = re.compile(r"""([A-Za-z]+)[ \t]*:(?:[ \t]+(.*))?""")


def apply_config(line: Line) -> None:
    """Take over the settings file of `--config`; flags on the line win.

    Raises:
        OptionError: It cannot be read, or has what it must not have.
    """
    path = line.take("config", "")
    if not path:
        return
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "not UTF-8").lower()
        raise OptionError(f"error opening file with --config: open {path}: {reason}") from None
    for name, value in _settings(text, path):
        flag = CONFIG_KEYS[name]
        if flag == "uri" and any(each.startswith(URI_SCHEMES) for each in line.positionals):
            raise OptionError(
                "illegal argument combination: cannot specify a URI in a positional argument "
                "and in the configuration file"
            )
        if flag:
            line.values.setdefault(flag, value)
            line.values[flag] = line.values[flag] or value


def _settings(text: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of the little of YAML that such a file holds."""
    seen: set[str] = set()
    for number, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#") or stripped in {"---", "..."}:
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            raise OptionError(
                f"error parsing config file {path}: yaml: line {number}: not 'name: value'"
            )
        name, value = found[1], (found[2] or "").strip()
        if name not in CONFIG_KEYS:
            raise OptionError(
                f"error parsing config file {path}: yaml: line {number}: "
                f"field {name} not found: it may hold password, uri and sslPEMKeyPassword"
            )
        if name in seen:
            raise OptionError(
                f"error parsing config file {path}: yaml: line {number}: {name} is set twice"
            )
        seen.add(name)
        try:
            yield name, _scalar(value)
        except ValueError:
            raise OptionError(
                f"error parsing config file {path}: yaml: line {number}: "
                f"the value of {name} is no text on one line",
                hint="quote it: 'it''s' or \"a \\\" inside\"",
            ) from None


def _scalar(value: str) -> str:
    """Return the text that a value of YAML is; ValueError if it is something else."""
    if value[:1] in {"'", '"'}:
        found = _QUOTED.fullmatch(value)
        if found is None:
            raise ValueError
        single, double = found.groups()
        return single.replace("''", "'") if single is not None else _unescaped(double)
    if value.startswith(_NO_TEXT):
        raise ValueError
    return re.sub(r"(^|\s+)#.*", "", value)


def _unescaped(text: str) -> str:
    # YAML knows the escapes of JSON, and a few that nobody types.
    return str(json.loads(f'"{text}"', strict=False))


def password_warnings(line: Line, tls: TlsOptions) -> Iterator[str]:
    """Yield warnings about passwords that others may see, and about old TLS flags."""
    if tls.allow_invalid_certificates or tls.allow_invalid_hostnames:
        yield (
            "WARNING: --sslAllowInvalidCertificates and --sslAllowInvalidHostnames are "
            "deprecated, please use --tlsInsecure instead"
        )
    given = {name for name, value in line.values.items() if value is not None and value != ""}
    if given - HARMLESS or line.take("config", ""):
        return
    if line.take("password", None):
        yield WARNING.format(where="using --password")
    if re.search(r"//[^@/?:]*:[^@/?]+@", line.take("uri", "")):
        yield WARNING.format(where="in a connection string or using --uri")
    if line.take("sslPEMKeyPassword", ""):
        yield WARNING.format(where="using --sslPEMKeyPassword")


def ask_passwords(address: ServerAddress, log: ToolLog) -> ServerAddress:
    """Ask for what is missing: the user's password, and that of an encrypted key file."""
    needs = address.mechanism not in WITHOUT_PASSWORD
    if address.username and not address.password and needs:
        secret = _asked("Enter password for mongo user:", log)
        address = dataclasses.replace(address, password=secret)
    key_file: Any = address.parameters.get("tlsCertificateKeyFile")
    if (
        key_file
        and "tlsCertificateKeyFilePassword" not in address.parameters
        and _is_encrypted(key_file)
    ):
        secret = _asked("Enter password for client certificate:", log)
        parameters = {**address.parameters, "tlsCertificateKeyFilePassword": secret}
        address = dataclasses.replace(address, parameters=parameters)
    return address


def _is_encrypted(path: str) -> bool:
    try:
        text = Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "ENCRYPTED" in text


def _asked(prompt: str, log: ToolLog) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        import getpass  # noqa: PLC0415  for the few that are asked

        return getpass.getpass(prompt, stream=sys.stderr)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    log.line("reading password from standard input")
    # Byte by byte: what follows the line is the data to import.
    found = bytearray()
    while (byte := os.read(0, 1)) not in {b"", b"\n"}:
        if byte in {b"\b", b"\x7f"}:
            del found[-1:]
        else:
            found += byte
    sys.stderr.write("\n")
    return found.decode("utf-8", "replace").removesuffix("\r")

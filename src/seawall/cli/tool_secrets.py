"""Passwords of the tools: the settings file, the prompt, and warnings about the command line."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seawall.cli.flags import URI_SCHEMES, Line
from seawall.cli.tool_log import ToolLog
from seawall.transfer.failures import OptionError
from seawall.transfer.options import TlsOptions
from seawall.transfer.server_uri import WITHOUT_PASSWORD, ServerAddress

if TYPE_CHECKING:
    from yaml.events import Event

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
QUOTE_IT: Final = "quote the value: 'it''s' or \"a \\\" inside\""
_MAX_DEPTH: Final = 8
_NULL: Final = "tag:yaml.org,2002:null"
_TEXT_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "null", "int", "float", "bool", "timestamp", "value", "merge")
)
"""What a password without quotes may look like; its text is taken as it stands."""
_BLOCK_STYLES: Final = frozenset("|>")


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
    """Yield the pairs of such a file, as strictly as the original reads it.

    The errors of the YAML library are not passed on: they quote what may be a password.
    """
    import yaml  # noqa: PLC0415  for the few that have such a file

    seen: set[str] = set()
    try:
        # The parser in C is the one the original's was translated from.
        kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        _check_depth(yaml.parse(text, Loader=kind), path)
        loader = kind(text)
        # Like the original, the first document alone.
        root = loader.get_node() if loader.check_node() else None
        if root is not None and (not isinstance(root, yaml.MappingNode) or root.flow_style):
            raise _refused(path, root.start_mark, "not 'name: value'")
        for key, value in root.value if root else ():
            name = str(key.value)
            if name not in CONFIG_KEYS:
                # Without a space after its colon, a name has the value in it.
                shown = f"field {name}" if name.isalpha() else "a field"
                problem = f"{shown} not found: it may hold password, uri and sslPEMKeyPassword"
                raise _refused(path, key.start_mark, problem)
            if name in seen:
                raise _refused(path, key.start_mark, f"{name} is set twice")
            seen.add(name)
            if value.tag not in _TEXT_TAGS or value.style in _BLOCK_STYLES:
                raise _refused(
                    path, value.start_mark, f"the value of {name} is no text on one line", QUOTE_IT
                )
            yield name, "" if value.tag == _NULL else value.value
    except yaml.MarkedYAMLError as error:
        raise _refused(path, error.problem_mark, "not YAML", QUOTE_IT) from None
    except yaml.YAMLError:
        raise _refused(path, None, "control characters are not allowed", QUOTE_IT) from None


def _check_depth(events: Iterable[Event], path: str) -> None:
    """Refuse what is nested without end: composing is recursive, and would end the process."""
    import yaml  # noqa: PLC0415

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise _refused(path, event.start_mark, "nested too deeply", QUOTE_IT)
        if isinstance(event, yaml.DocumentEndEvent):
            return


def _refused(path: str, mark: Any, problem: str, hint: str = "") -> OptionError:
    line = f"line {mark.line + 1}: " if mark else ""
    return OptionError(f"error parsing config file {path}: yaml: {line}{problem}", hint=hint)


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

"""``seawall payload``: sign and verify what devices send."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from seawall.cli.exit_codes import ExitCode
from seawall.cli.output import emit_json, say
from seawall.cli.state import json_option
from seawall.errors import KeyAccessError, UsageError

MAX_INPUT_BYTES: Final = 1 << 20
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _shared_options(function: _Command) -> _Command:
    options = (
        click.argument("file", type=click.Path(path_type=Path), default="-"),
        click.option("--text", help="The payload itself, instead of FILE."),
        click.option(
            "--profile",
            type=click.Choice(["seawall/1", "plain"]),
            default="seawall/1",
            show_default=True,
            help="How the device signs.",
        ),
        click.option("--topic", help="Where it is published; seawall/1 signs it too."),
        click.option(
            "--key-file",
            type=click.Path(path_type=Path),
            required=True,
            help="File with the device's secret (hmac.key of its bundle).",
        ),
        click.option(
            "--key-format",
            type=click.Choice(["raw", "hex"]),
            default="raw",
            show_default=True,
            help="raw: the file's bytes are the key; of a line of text, without the newline at "
            "its end. hex: the file holds the key in hex digits.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(
    name="payload",
    epilog="""\b
Examples:
  seawall payload sign --profile plain --key-file k < body.json
  seawall payload verify --profile plain --key-file k < message.json
""",
)
def command() -> None:
    """Sign and verify payloads."""


@command.command(
    epilog="""\b
Examples:
  echo '{"temp": 23.5, "boot": 1, "seq": 7}' | seawall payload sign \\
      --topic devices/pump-1/readings --key-file bundle/hmac.key
  seawall payload sign --profile plain --key-file key.txt body.json
"""
)
@_shared_options
def sign(
    file: Path, text: str | None, profile: str, topic: str | None, key_file: Path, key_format: str
) -> None:
    """Sign the JSON object in FILE (default: standard input) and print it."""
    from seawall.model.device import Profile  # noqa: PLC0415
    from seawall.operations.sign_payload import sign_payload_text  # noqa: PLC0415

    key = read_key(key_file, key_format)
    click.echo(sign_payload_text(_payload(file, text), key, Profile(profile), topic))


@command.command(
    epilog="""\b
Examples:
  seawall payload verify --profile plain --key-file key.txt < payload.json
  mosquitto_sub ... -C 1 | seawall payload verify --topic devices/pump-1/readings \\
      --key-file bundle/hmac.key

Exit status 1 if the payload is refused.
"""
)
@_shared_options
@json_option
@click.pass_context
def verify(
    context: click.Context,
    file: Path,
    text: str | None,
    profile: str,
    topic: str | None,
    key_file: Path,
    key_format: str,
    as_json: bool,
) -> None:
    """Verify the payload in FILE (default: standard input) and print its body."""
    from seawall.model.device import Profile  # noqa: PLC0415
    from seawall.operations.verify_payload import verify_payload_text  # noqa: PLC0415

    key = read_key(key_file, key_format)
    verdict = verify_payload_text(_payload(file, text), key, Profile(profile), topic)
    reason = verdict.reason.value if verdict.reason else None
    if as_json:
        body = None if verdict.body is None else verdict.body.decode()
        emit_json(
            {"accepted": body is not None, "body": body, "reason": reason,
             "detail": verdict.detail or None}
        )  # fmt: skip
    elif verdict.body is not None:
        click.echo(verdict.body)
    if verdict.body is None:
        if not as_json:
            say(f"refused: {reason}: {verdict.detail}")
        context.exit(ExitCode.FAILED)


def read_key(path: Path, key_format: str) -> bytes:
    """Return the key that a file holds.

    Args:
        path: The file.
        key_format: ``hex``; or ``raw``: the bytes, but of a line of text without the
            newline that an editor or ``echo`` has put at its end. Random bytes are
            never taken for a line of text.

    Raises:
        KeyAccessError: it cannot be read, is empty, or is not hex.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KeyAccessError(f"cannot read key file {path}: {error.strerror}") from None
    if key_format == "hex":
        try:
            key = bytes.fromhex(data.decode("ascii"))
        except ValueError:
            raise KeyAccessError(f"key file {path} does not hold hex digits alone") from None
    else:
        key = _without_newline(data)
    if not key:
        raise KeyAccessError(f"key file {path} is empty")
    return key


def _without_newline(data: bytes) -> bytes:
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        is_text = line.decode().isprintable()
    except UnicodeDecodeError:
        is_text = False
    return line if is_text else data


def _payload(file: Path, text: str | None) -> bytes:
    if text is not None:
        if str(file) != "-":
            raise UsageError("both FILE and --text are given", hint="give one of them")
        return text.encode()
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            data = stream.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    if len(data) > MAX_INPUT_BYTES:
        raise UsageError(f"the payload has more than {MAX_INPUT_BYTES} bytes")
    return data

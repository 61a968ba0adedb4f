"""Secrets that people give: from a file or a prompt, never from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.errors import KeyAccessError, UsageError

if TYPE_CHECKING:
    from seawall.pki.keystore import Keystore

Command = TypeVar("Command", bound=Callable[..., Any])

_MAX_SECRET_BYTES: Final = 4096
MIN_PASSPHRASE_CHARS: Final = 12


def passphrase_option(command: Command) -> Command:
    """Add ``--passphrase-file FILE``; the command receives ``passphrase_file: Path | None``."""
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path),
        envvar="SEAWALL_PASSPHRASE_FILE",
        help="File with the passphrase of the authority's keys "
        "(environment: SEAWALL_PASSPHRASE_FILE); else it is asked for.",
    )(command)


def is_interactive() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def read_secret(path: Path, what: str) -> str:
    """Return a secret from a file, or from standard input if it is ``-``.

    One line break at the end does not count.

    Raises:
        KeyAccessError: the file cannot be read.
        UsageError: it is empty, too long or not UTF-8.
    """
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_MAX_SECRET_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_MAX_SECRET_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise KeyAccessError(f"{what}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{what}: {path} is not UTF-8 text") from error
    if len(data) > _MAX_SECRET_BYTES:
        raise UsageError(f"{what}: {path} is longer than {_MAX_SECRET_BYTES} bytes")
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise UsageError(f"{what}: {path} is empty")
    return secret


def ask_new_secret(prompt: str) -> str:
    """Ask for a new secret twice; an empty answer is returned as it is."""
    answer: str = click.prompt(
        prompt, default="", show_default=False, hide_input=True, confirmation_prompt=True, err=True
    )
    return answer


def find_passphrase(keystore: Keystore, file: Path | None) -> bytes | None:
    """Return the passphrase of the issuing key: from the file, or asked for if it needs one.

    Raises:
        KeyAccessError: the file cannot be read.
        UsageError: the file holds none.
    """
    if not keystore.needs_passphrase:
        return None
    if file is not None:
        return read_secret(file, "the passphrase").encode()
    if is_interactive():
        answer: str = click.prompt("Passphrase of the authority", hide_input=True, err=True)
        return answer.encode()
    return None


def new_passphrase(encrypt: bool, file: Path | None) -> bytes | None:
    """Return the passphrase for new authority keys; None if they are not to be encrypted.

    Raises:
        UsageError: it is too short, or is wanted and nobody can be asked.
    """
    if file is not None:
        passphrase = read_secret(file, "the passphrase")
    elif not encrypt:
        return None
    elif is_interactive():
        passphrase = ask_new_secret("New passphrase for the authority's keys")
    else:
        raise UsageError(
            "--encrypt-ca needs a passphrase, and nobody can be asked",
            hint="give --passphrase-file FILE",
        )
    if len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise UsageError(
            f"the passphrase has {len(passphrase)} characters",
            reference="weak-password",
            hint=f"at least {MIN_PASSPHRASE_CHARS}",
        )
    return passphrase.encode()

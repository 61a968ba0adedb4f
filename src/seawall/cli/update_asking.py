"""Passphrases of the update keys: from a descriptor or a prompt, never the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from seawall.cli.asking import MIN_PASSPHRASE_CHARS, ask_new_secret, is_interactive
from seawall.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

_MAX_BYTES = 4096


def passphrase_fd_option(command: Command) -> Command:
    """Add ``--passphrase-fd N``; the command receives ``passphrase: bytes | None``.

    It is read while the command line is: later a descriptor that nobody gave may be that of a file
    which Seawall itself has opened, and the keys would be encrypted with what happens to be in it.
    """
    return click.option(
        "--passphrase-fd",
        "passphrase",
        type=click.IntRange(0, 65_535),
        callback=_read_given,
        metavar="N",
        help="Read the passphrase of the offline keys from this file descriptor "
        "(--passphrase-fd 3 3<FILE); else it is asked for.",
    )(command)


def key_option(command: Command) -> Command:
    """Add ``--key FILE``; the command receives ``key_files: tuple[Path, ...]``."""
    return click.option(
        "--key",
        "key_files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="An offline key that is kept elsewhere, such as on a removable disk; may be repeated.",
    )(command)


def _read_given(context: click.Context, _option: click.Parameter, number: int | None) -> Any:
    # Where words are completed, nothing is to be read.
    return None if number is None or context.resilient_parsing else read_descriptor(number)


def read_descriptor(number: int) -> bytes:
    """Return a passphrase from a file descriptor; one line break at its end does not count.

    Raises:
        UsageError: it cannot be read, or is empty or too long.
    """
    try:
        chunks, size = [], 0
        while size <= _MAX_BYTES and (chunk := os.read(number, _MAX_BYTES + 1)):
            chunks.append(chunk)
            size += len(chunk)
    except OSError as error:
        raise UsageError(
            f"file descriptor {number} cannot be read: {error.strerror}",
            hint=f"--passphrase-fd {number} {number}<FILE",
        ) from error
    secret = b"".join(chunks).removesuffix(b"\n").removesuffix(b"\r")
    if not secret or len(secret) > _MAX_BYTES:
        raise UsageError(
            f"file descriptor {number} holds {'no' if not secret else 'too long a'} passphrase"
        )
    return secret


class Passphrases:
    """The passphrases of one call. What opened one key is tried on the next.

    Args:
        given: What ``--passphrase-fd`` brought.
    """

    def __init__(self, given: bytes | None) -> None:
        self._given = given
        self._last = self._given
        self._new: bytes | None = None
        self._asked: set[str] = set()

    def of_key(self, name: str) -> bytes:
        """Return the passphrase of a key that exists; empty if nobody has one.

        Asked again for the same key, somebody at the terminal gets another try.
        """
        if self._last is not None and name not in self._asked:
            self._asked.add(name)
            return self._last
        if self._given is not None or not is_interactive():
            return self._given or b""
        self._asked.add(name)
        answer: str = click.prompt(
            f"Passphrase of {name} (empty: leave this key out)",
            default="",
            show_default=False,
            hide_input=True,
            err=True,
        )
        self._last = answer.encode() or self._last
        return answer.encode()

    def of_new_key(self, _name: str) -> bytes:
        """Return the passphrase that new offline keys get; empty if nobody can be asked.

        Raises:
            UsageError: it is too short.
        """
        if self._new is None:
            self._new = self._given
            if self._new is None and is_interactive():
                self._new = ask_new_secret("New passphrase for offline keys").encode()
            if self._new and len(self._new.decode(errors="replace")) < MIN_PASSPHRASE_CHARS:
                raise UsageError(
                    f"the passphrase has {len(self._new.decode(errors='replace'))} characters",
                    reference="weak-password",
                    hint=f"at least {MIN_PASSPHRASE_CHARS}",
                )
        return self._new or b""

"""Names that people choose, and what may stand in them."""

from __future__ import annotations

import re
from typing import Final

from seawall.errors import InvalidNameError

MAX_DEVICE_ID_CHARS: Final = 64
MAX_METRIC_CHARS: Final = 32

_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?\Z")
_METRIC: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}\Z")
_USER: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?\Z")


def is_device_id(text: str) -> bool:
    """Tell whether ``text`` may name a device (see `check_device_id`)."""
    return _DEVICE_ID.match(text) is not None


def check_device_id(text: str) -> str:
    """Return ``text`` if it may name a device.

    A device id stands in MQTT topics, file names, certificate names (CN and
    ``urn:seawall:device:ID``) and URLs, so it is ASCII letters, digits, ``.``,
    ``_`` and ``-``, 1 to 64 characters, with a letter or digit at both ends.

    Raises:
        InvalidNameError: with the first character that does not fit.
    """
    if is_device_id(text):
        return text
    if not text:
        raise InvalidNameError("a device id is empty", hint="use letters, digits, '.', '_', '-'")
    if len(text) > MAX_DEVICE_ID_CHARS:
        raise InvalidNameError(
            f"device id {text[:20]!r}... has {len(text)} characters",
            hint=f"at most {MAX_DEVICE_ID_CHARS}",
        )
    for position, char in enumerate(text, start=1):
        if not (char.isascii() and (char.isalnum() or char in "._-")):
            raise InvalidNameError(
                f"device id {text!r} has {char!r} at position {position}",
                hint="use ASCII letters, digits, '.', '_' and '-' only",
            )
    raise InvalidNameError(
        f"device id {text!r} begins or ends with '.', '_' or '-'",
        hint="begin and end with a letter or a digit",
    )


def check_group(text: str) -> str:
    """Return ``text`` if it may name a group of devices: as a device id, or empty for none.

    Raises:
        InvalidNameError: if it may not.
    """
    if text and not is_device_id(text):
        raise InvalidNameError(
            f"group name {text[:40]!r} is not allowed",
            hint="1 to 64 of A-Z, a-z, 0-9, '.', '_', '-', with a letter or digit at both ends",
        )
    return text


def check_metric(text: str) -> str:
    """Return ``text`` if it may name a metric: a letter, then up to 31 of ``A-Za-z0-9_.-``.

    Raises:
        InvalidNameError: if it may not.
    """
    if _METRIC.match(text) is None:
        raise InvalidNameError(
            f"metric name {text[:40]!r} is not allowed",
            hint="a letter, then at most 31 letters, digits, '_', '.' or '-'",
        )
    return text


def check_user_name(text: str) -> str:
    """Return ``text`` if it may name a user: lower case, digits, ``._-``, 1 to 32 characters.

    Raises:
        InvalidNameError: if it may not.
    """
    if _USER.match(text) is None:
        raise InvalidNameError(
            f"user name {text[:40]!r} is not allowed",
            hint="1 to 32 of a-z, 0-9, '.', '_', '-', with a letter or digit at both ends",
        )
    return text

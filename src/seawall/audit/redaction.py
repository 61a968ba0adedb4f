"""Takes secrets out of texts before anybody sees them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from seawall.audit.target import Access

MASK: Final = "[redacted]"
_SHORT: Final = 4
"""Shorter secrets are masked only where they stand alone: else every word would lose an 'a'."""
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL
)
_USERINFO: Final = re.compile(r"""(?<=://)(?:[^/\s:@"'<>]*:[^\s"'<>]*|[^/\s@"'<>]+)@""")
"""A token may stand in place of the user, and a password may hold what a URL should not."""
_QUERY: Final = re.compile(
    r"""([?&;][\w.\-]{0,40}(?:key|token|secret|passw(?:or)?d|pwd|passphrase|signature|sig|auth)"""
    r"""[\w.\-]{0,40}=)[^&;#\s"'<>]+""",
    re.IGNORECASE,
)
_SETTING: Final = re.compile(
    r"""^([ +\-]?\s*[\w.\-"']*(?:passw(?:or)?d|passphrase|secret|token|psk|api_?key)["']?"""
    r"""(?:\s*[=:]\s*|\s+))(\S.*)$""",
    re.IGNORECASE | re.MULTILINE,
)
_HASHED: Final = re.compile(r"\$(?:[1-9]|2[aby]|argon2\w*|y)\$[\w./+=$,\-]+")


def mask_settings(text: str) -> str:
    """Return lines of configuration files or diffs with the values of secrets masked.

    Masked are values of settings whose name ends as passwords, tokens and keys are called,
    and hashes of passwords as crypt(3) and mosquitto_passwd write them. Names of files that
    hold them stay (``password_file``).
    """
    return _HASHED.sub(MASK, _SETTING.sub(lambda line: line[1] + MASK, text))


class Redactor:
    """Masks the secrets of an audit, in the spellings in which programs print them.

    Args:
        access: What the audit was given; its secrets, and those of its other identity.
    """

    def __init__(self, access: Access) -> None:
        spellings = sorted(set(_spellings(access)), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_matching, spellings))) if spellings else None

    def text(self, text: str) -> str:
        """Return the text without secrets, whole private keys, and what URLs hold of them."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if "PRIVATE KEY" in text:
            text = _PRIVATE_KEY.sub(MASK, text)
        return _QUERY.sub(rf"\1{MASK}", _USERINFO.sub(f"{MASK}@", text))

    def optional(self, text: str | None) -> str | None:
        """Return the text redacted, or None."""
        return None if text is None else self.text(text)


def _matching(spelling: str) -> str:
    if len(spelling) >= _SHORT:
        return re.escape(spelling)
    return rf"(?<!\w){re.escape(spelling)}(?!\w)"


def _spellings(access: Access) -> Iterator[str]:
    yield from _spelled(access.secrets())
    for each in (access, access.other):
        if each and each.username and each.password:
            yield base64.b64encode(f"{each.username}:{each.password}".encode()).decode()


def _spelled(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        data = secret.encode()
        yield secret
        yield repr(secret)[1:-1]
        yield repr(data)[2:-1]
        yield json.dumps(secret)[1:-1]
        yield quote(secret, safe="")
        yield quote_plus(secret)
        if len(secret) >= _SHORT:
            yield data.hex()
            yield base64.b64encode(data).decode().rstrip("=")

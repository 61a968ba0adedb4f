"""Requests and answers of HTTP as plain facts, and what can be read from them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Final
from urllib.parse import urljoin, urlsplit

from seawall.audit.check import Unobserved

MAX_TEXT_BYTES: Final = 64 * 1024
"""More of an answer is not searched for words."""
FOREIGN_ORIGIN: Final = "https://seawall-audit.example"
"""Each request says that a page of this origin made it: .example belongs to nobody (RFC 2606)."""

_TAG: Final = re.compile(r"<(form|input)\b([^<>]{0,2000})>", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(
    r"""([A-Za-z][\w\-]{0,40})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))"""
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        path: With query, begins with ``/``.
        method: Of HTTP.
        headers: Beside those that each request has.
        body: Its length is told by itself.
    """

    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered.

    Attributes:
        status: Code.
        headers: Names in lower case, in their order.
        body: Its beginning.
        is_whole: The body is all that there was.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    is_whole: bool = True

    def header(self, name: str) -> str:
        """Return the first of a name; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def all_of(self, name: str) -> tuple[str, ...]:
        """Return all of a name."""
        return tuple(value for key, value in self.headers if key == name)

    @property
    def media_type(self) -> str:
        """Without parameters, lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The beginning of the body, whatever its bytes are."""
        return self.body[:MAX_TEXT_BYTES].decode("utf-8", "replace")

    @property
    def is_html(self) -> bool:
        """Whether a browser would show it as a page."""
        return self.media_type in ("text/html", "application/xhtml+xml")

    @property
    def is_ok(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300

    @property
    def is_data(self) -> bool:
        """Whether it carries something for programs."""
        if not self.is_ok or not self.body.strip():
            return False
        if self.media_type.endswith(("json", "xml", "csv", "cbor", "x-ndjson", "event-stream")):
            return self.media_type != "application/xhtml+xml"
        if self.is_html:
            return False
        try:
            return isinstance(json.loads(self.body), dict | list)
        except (ValueError, RecursionError):
            return False

    def redirect_of(self, asked: str) -> str:
        """Return where it sends to, as a whole URL; empty if nowhere."""
        if self.status not in (301, 302, 303, 307, 308) or not self.header("location"):
            return ""
        try:
            return urljoin(asked, self.header("location"))
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class WalkFacts:
    """What a walk over an HTTP server brought.

    Attributes:
        replies: By request, the answer, or why there is none.
    """

    replies: Mapping[Request, Reply | str] = field(default_factory=dict)

    def __getitem__(self, request: Request) -> Reply:
        """Return the answer to a request.

        Raises:
            Unobserved: there is none.
        """
        reply = self.replies.get(request, "not asked")
        if isinstance(reply, str):
            raise Unobserved(f"{request.method} {request.path}: {reply}")
        return reply

    def answered(self) -> list[tuple[Request, Reply]]:
        """Return what was answered, in the order in which it was asked."""
        return [(ask, got) for ask, got in self.replies.items() if isinstance(got, Reply)]

    def unanswered(self) -> list[tuple[Request, str]]:
        """Return what was not, and why."""
        return [(ask, got) for ask, got in self.replies.items() if isinstance(got, str)]


@dataclass(frozen=True, slots=True)
class LoginForm:
    """A form of HTML that asks for a password.

    Attributes:
        action: Path that it is sent to.
        user_field: Name of the field for the user; empty if there is none.
        password_field: Name of the field for the password.
        hidden: What the form sends besides.
    """

    action: str
    user_field: str
    password_field: str
    hidden: tuple[tuple[str, str], ...]


def find_login_form(page: str, url: str) -> LoginForm | None:
    """Return the first form with a field for a password, if its answer goes to the same server.

    Tags are found by a pattern: the library's parser of HTML takes time that grows with the
    square of what a stranger sends.

    Args:
        page: HTML, however broken.
        url: Where it was found.
    """
    for action, fields in _forms(page):
        kinds = [(given.get("type", "text").lower(), given) for given in fields]
        passwords = [given.get("name", "") for kind, given in kinds if kind == "password"]
        if not passwords or not passwords[0]:
            continue
        path = _same_server(action, url)
        users = [given.get("name", "") for kind, given in kinds if kind in ("text", "email")]
        hidden = [(g.get("name", ""), g.get("value", "")) for k, g in kinds if k == "hidden"]
        return LoginForm(path, (users or [""])[0], passwords[0], tuple(hidden)) if path else None
    return None


def _forms(page: str) -> list[tuple[str, list[dict[str, str]]]]:
    forms: list[tuple[str, list[dict[str, str]]]] = [("", [])]
    for tag, attributes in _TAG.findall(page):
        given = {
            name.lower(): unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(attributes)
        }
        if tag.lower() == "form":
            forms.append((given.get("action", ""), []))
        else:
            forms[-1][1].append(given)
    return forms


def _same_server(action: str, url: str) -> str:
    """Return the path that a form is sent to; empty if it is on another server."""
    try:
        there, here = urlsplit(urljoin(url, action)), urlsplit(url)
    except ValueError:
        return ""
    if (there.scheme, there.netloc) != (here.scheme, here.netloc):
        return ""
    path = there.path if there.path.startswith("/") else f"/{there.path}"
    return path + (f"?{there.query}" if there.query else "")

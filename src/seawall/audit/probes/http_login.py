"""Tries default passwords, and sees whether somebody slows the guessing down.

Five tries in all, the first of which nobody's password can be: what answers to it in
the same way as to the others is a refusal. Stops at the first that is let in.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlencode

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.http_facts import LoginForm, Reply, Request, find_login_form
from seawall.audit.probes.http import Browser, origin_of
from seawall.audit.target import Target

DEFAULTS: Final = (
    ("admin", "admin"),
    ("admin", "password"),
    ("root", "root"),
    ("admin", "123456"),
)
"""The four that Mirai and its kin began with, where a user has them (CWE-1392)."""
PAGES: Final = ("/login", "/signin")
PATHS: Final = ("/api/login", "/login", "/api/v1/login", "/api/auth/login", "/token")
"""Where programs sign in, with JSON or as a form is sent (RFC 6749, section 4.3)."""
NOT_THERE: Final = frozenset({404, 405, 501})
NOT_UNDERSTOOD: Final = frozenset({400, 411, 415, 422})
TOO_MANY: Final = frozenset({423, 429, 503})


@dataclass(frozen=True, slots=True)
class Try:
    """One try to sign in.

    Attributes:
        user: Name that was tried.
        password_characters: Length of what was tried with it.
        answer: What came.
        seconds: How long it took.
    """

    user: str
    password_characters: int
    answer: Reply
    seconds: float

    @property
    def was_held_up(self) -> bool:
        """Whether the answer says: not now."""
        return self.answer.status in TOO_MANY or bool(self.answer.header("retry-after"))


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """What came of the tries.

    Attributes:
        way: How one signs in, such as ``form at /login``.
        tries: In their order; the first is a name and a password that nobody has.
        is_form: Whether it is a form of HTML that was found.
    """

    way: str
    tries: tuple[Try, ...]
    is_form: bool = False

    @property
    def was_understood(self) -> bool:
        """Whether the server took what was sent for names and passwords at all."""
        statuses = {each.answer.status for each in self.tries}
        if statuses <= NOT_UNDERSTOOD | NOT_THERE or min(statuses) >= 500:
            return False
        # A form answers with its page again; a program that says yes to a password which
        # nobody has either looks at none, or is no login at all.
        return self.is_form or min(statuses) >= 400

    @property
    def held_up(self) -> Try | None:
        """The try that was answered by: not now."""
        return next((each for each in self.tries if each.was_held_up), None)

    def let_in(self) -> Try | None:
        """Return the try that was answered otherwise than a wrong password is."""
        if not self.tries:
            return None
        wrong = self.tries[0]
        for each in self.tries[1:]:
            if not each.was_held_up and each.answer.status < 400 and _differs(wrong, each):
                return each
        return None


def _differs(wrong: Try, other: Try) -> bool:
    if wrong.answer.status >= 400:
        return True
    if wrong.answer.header("location") != other.answer.header("location"):
        return True
    if wrong.answer.status != other.answer.status:
        return True
    return bool(other.answer.all_of("set-cookie")) and not wrong.answer.all_of("set-cookie")


@dataclass(frozen=True, slots=True)
class _Way:
    """How one signs in: what it is called, and the request for a name and a password."""

    name: str
    request: Callable[[str, str], Request]
    is_form: bool = False


@dataclass(frozen=True)
class LoginTries(Job[LoginFacts]):
    """Finds out how one signs in, and tries. Only if somebody asked for it."""

    connections: ClassVar[int] = 6

    async def observe(self, target: Target, limits: Limits) -> LoginFacts:
        """Try.

        Raises:
            Unobserved: it was not asked for, nothing answers, or there is no way to sign in.
        """
        if not target.access.try_defaults:
            raise Unobserved("needs --try-defaults")
        wrong = ("seawall-audit", f"wrong-{limits.nonce}")
        async with Browser(target, limits, self.connections) as browser:
            way, first = await _way(browser, target, wrong)
            tries = [first] if first else []
            for user, password in (wrong, *DEFAULTS)[len(tries) :]:
                tries.append(await _try(browser, way, user, password))
                facts = LoginFacts(way.name, tuple(tries), way.is_form)
                if facts.let_in() or tries[-1].was_held_up:
                    break
        return LoginFacts(way.name, tuple(tries), way.is_form)


async def _try(browser: Browser, way: _Way, user: str, password: str) -> Try:
    began_s = time.monotonic()
    answer = await browser.ask(way.request(user, password))
    return Try(user, len(password), answer, time.monotonic() - began_s)


async def _way(browser: Browser, target: Target, wrong: tuple[str, str]) -> tuple[_Way, Try | None]:
    origin = origin_of(target)
    path, reply = await _landing(browser, origin, target.base_path)
    if reply.status == 401 and "basic" in reply.header("www-authenticate").lower():
        return _basic(path), None
    if form := _form(reply, origin, path):
        return form, None
    for page in PAGES:
        if form := _form(await browser.ask(Request(page)), origin, page):
            return form, None
    for path in PATHS:
        for way in (_json(path, origin), _fields(path, origin)):
            first = await _try(browser, way, *wrong)
            if first.answer.status in NOT_THERE:
                break
            if first.answer.status not in NOT_UNDERSTOOD:
                return way, first
    raise Unobserved("no way to sign in was found: no form, no basic authentication, no /api/login")


async def _landing(browser: Browser, origin: str, path: str) -> tuple[str, Reply]:
    reply = await browser.ask(Request(path))
    sent_to = reply.redirect_of(origin + path).removeprefix(origin).partition("#")[0]
    if not sent_to.startswith("/"):
        return path, reply
    return sent_to, await browser.ask(Request(sent_to))


def _basic(path: str) -> _Way:
    def request(user: str, password: str) -> Request:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return Request(path, headers=(("Authorization", f"Basic {pair}"),))

    return _Way(f"basic authentication at {path}", request)


def _form(reply: Reply, origin: str, path: str) -> _Way | None:
    if not reply.is_html:
        return None
    form = find_login_form(reply.text, origin + path)
    if form is None:
        return None
    cookies = "; ".join(each.partition(";")[0] for each in reply.all_of("set-cookie"))
    return _Way(f"form at {path}", _form_request(form, cookies, origin), is_form=True)


def _form_request(form: LoginForm, cookies: str, origin: str) -> Callable[[str, str], Request]:
    def request(user: str, password: str) -> Request:
        fields = [*form.hidden, (form.password_field, password)]
        if form.user_field:
            fields.append((form.user_field, user))
        headers = [("Origin", origin), ("Content-Type", "application/x-www-form-urlencoded")]
        headers += [("Cookie", cookies)] if cookies else []
        return Request(form.action, "POST", tuple(headers), urlencode(fields).encode())

    return request


def _fields(path: str, origin: str) -> _Way:
    form = LoginForm(path, "username", "password", ())
    return _Way(f"form fields at {path}", _form_request(form, "", origin))


def _json(path: str, origin: str) -> _Way:
    def request(user: str, password: str) -> Request:
        headers = (("Origin", origin), ("Content-Type", "application/json"))
        body = json.dumps({"username": user, "password": password}).encode()
        return Request(path, "POST", headers, body)

    return _Way(f"JSON at {path}", request)

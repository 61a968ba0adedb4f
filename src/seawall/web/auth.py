"""Who asks: sessions of browsers, tokens of programs, and signing in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from dataclasses import dataclass
from typing import Final

from seawall.errors import InvalidNameError
from seawall.model.event import Event
from seawall.model.ids import check_user_name
from seawall.model.user import Role, Session, User
from seawall.web.services import Services
from seawall.web.throttle import SignInThrottle, network_of

SESSION_COOKIE: Final = "__Host-seawall"
"""RFC 6265bis, section 4.1.3.2: browsers insist on Secure, Path=/ and no Domain."""
SIGN_IN_COOKIE: Final = "__Host-seawall-signin"
IDLE_MS: Final = 12 * 3_600_000
"""A session ends after so long without a request."""
LONGEST_MS: Final = 7 * 24 * 3_600_000
"""A session ends after so long whatever happens."""
MAX_REMEMBERED: Final = 10_000
MAX_PASSWORD_CHARS: Final = 1024
MAX_CHECKS: Final = 2
"""argon2id costs tens of MiB and of milliseconds a check; so many run at a time."""
MAX_WAITING: Final = 32

_log = logging.getLogger("seawall.web")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, by which session."""

    user_name: str
    role: Role
    session: Session

    @property
    def by_cookie(self) -> bool:
        """Whether a browser sent it on its own, so that CSRF tokens are needed."""
        return self.session.kind == "browser"


def token_sha256(token: str) -> str:
    """Return what is stored of a token; it has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def same_secret(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


class Sessions:
    """Tells whom a token belongs to, and ends sessions that nobody uses.

    The store keeps a session for its longest life. When it was used last is
    kept in memory: a restart of the daemon counts as use.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._used_ms: dict[str, int] = {}

    def identity(self, token: str, kind: str, *, is_active: bool) -> Identity | None:
        """Return who a token belongs to, or None. Blocking.

        Args:
            token: The secret from the cookie or the Authorization header.
            kind: ``browser`` or ``api``; a token of one kind is none of the other.
            is_active: A person is behind it; a page's timers do not keep a session alive.
        """
        return self._identity(token_sha256(token), kind, is_active=is_active)

    def is_alive(self, identity: Identity) -> bool:
        """Tell whether a session that was good is so still. Blocking."""
        session = identity.session
        return self._identity(session.token_sha256, session.kind, is_active=False) is not None

    def _identity(self, digest: str, kind: str, *, is_active: bool) -> Identity | None:
        store, now_ms = self._services.store, self._services.now_ms()
        session = store.session(digest, now_ms)
        if session is None or session.kind != kind:
            return None
        if kind == "browser" and not self._in_use(digest, now_ms, is_active=is_active):
            self.end(digest)
            return None
        user = store.user(session.user_name)
        return None if user is None else Identity(user.name, user.role, session)

    def _in_use(self, digest: str, now_ms: int, *, is_active: bool) -> bool:
        used_ms = self._used_ms.get(digest)
        if used_ms is not None and now_ms - used_ms > IDLE_MS:
            return False
        if is_active or used_ms is None:
            self._used_ms[digest] = now_ms
            if len(self._used_ms) > MAX_REMEMBERED:
                oldest_first = sorted(self._used_ms.items(), key=lambda entry: entry[1])
                self._used_ms = dict(oldest_first[len(oldest_first) // 2 :])
        return True

    def end(self, digest: str) -> None:
        """End a session. Blocking."""
        self._used_ms.pop(digest, None)
        self._services.store.end_session(digest)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It worked; ``token`` is the secret for the cookie."""

    token: str
    session: Session


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """It did not work. ``wait_ms`` above 0: too many attempts; ``is_busy``: too many at a time."""

    wait_ms: int = 0
    is_busy: bool = False


class SignIn:
    """Checks passwords, slowly and not too many at a time, and opens sessions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._throttle = SignInThrottle()
        self._slots = asyncio.Semaphore(MAX_CHECKS)
        self._waiting = 0

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn | SignInRefused:
        """Check a name and a password, and open a session.

        The answer and its time are the same for a name that does not exist and
        for a wrong password.
        """
        try:
            user_name = check_user_name(name.strip().lower())
        except InvalidNameError:
            user_name = "?"  # no user has this name; it is checked like any other
        if self._waiting >= MAX_WAITING:
            return SignInRefused(is_busy=True)
        wait_ms = self._throttle.begin(user_name, address, self._services.now_ms())
        if wait_ms:
            return SignInRefused(wait_ms=wait_ms)
        user = await self._checked(user_name, password)
        if user is None:
            await asyncio.to_thread(self._log_event, "sign-in-failed", user_name, address)
            return SignInRefused()
        self._throttle.succeeded(user_name, address)
        return await asyncio.to_thread(self._open, user, address)

    async def _checked(self, user_name: str, password: str) -> User | None:
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(
                    self._services.check_password, user_name, password[:MAX_PASSWORD_CHARS]
                )
        finally:
            self._waiting -= 1

    def _open(self, user: User, address: str) -> SignedIn:
        token = self._services.new_token()
        now_ms = self._services.now_ms()
        session = Session(
            token_sha256=token_sha256(token),
            user_name=user.name,
            kind="browser",
            csrf=self._services.new_token(),
            created_ms=now_ms,
            expires_ms=now_ms + LONGEST_MS,
        )
        self._services.store.put_session(session)
        self._log_event("signed-in", user.name, address)
        return SignedIn(token, session)

    def signed_out(self, identity: Identity, address: str) -> None:
        """Log that a session was ended by its owner. Blocking."""
        self._log_event("signed-out", identity.user_name, address)

    def _log_event(self, kind: str, user_name: str, address: str) -> None:
        event = Event(
            at_ms=self._services.now_ms(),
            kind=kind,
            subject=user_name,
            actor=f"web:{user_name}",
            detail={"address": network_of(address)},
        )
        self._services.store.log([event])
        _log.info("%s: user %s from %s", kind, user_name, address)

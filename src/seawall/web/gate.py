"""Lets nobody in who has not signed in, and no form that our own page did not make.

Pure ASGI, in front of every route: a new route is closed unless it is named here.
"""

from __future__ import annotations

import asyncio
from http.cookies import CookieError, SimpleCookie
from typing import Final, cast
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seawall.web.auth import SESSION_COOKIE, Identity, Sessions, same_secret
from seawall.web.problems import Problem, is_for_programs

OPEN_PATHS: Final = frozenset({"/signin", "/healthz", "/readyz", "/robots.txt"})
OPEN_PREFIX: Final = "/static/"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES: Final = 64 * 1024
CSRF_HEADER: Final = "x-csrf-token"
BACKGROUND_HEADER: Final = "x-seawall-background"
"""Set by a page's own timers: the page is open, which does not say that somebody is there."""

_FORM: Final = "application/x-www-form-urlencoded"


def cookie_of(request: Request, name: str) -> str:
    """Return a cookie, or an empty text."""
    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def is_from_elsewhere(request: Request) -> bool:
    """Tell whether a browser says that another site made this request.

    Fetch Metadata (W3C) where the browser sends it, else the Origin header
    (RFC 6454). A request with neither comes from no browser of today.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return False
    return origin.split("://", 1)[-1].lower() != request.headers.get("host", "").lower()


class Gate:
    """Authenticates; puts the `Identity` and the form's fields into the request's state."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            Problem: nobody signed in, a forged form, or a body that is too large.
        """
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        state = scope.setdefault("state", {})
        identity = await self._identity(request)
        state["identity"] = identity
        if identity is None and not _is_open(request.url.path):
            await _ask_to_sign_in(request)(scope, receive, send)
            return
        if request.method not in SAFE_METHODS:
            body = await _bounded_body(request, receive)
            state["form"] = _fields(request, body)
            _check_origin(request, identity, state["form"])
            receive = _replay(body, receive)
        await self._app(scope, receive, send)

    async def _identity(self, request: Request) -> Identity | None:
        if request.url.path.startswith(OPEN_PREFIX):
            return None
        authorization = request.headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token:
                return None
            return await asyncio.to_thread(
                self._sessions.identity, token.strip(), "api", is_active=True
            )
        token = cookie_of(request, SESSION_COOKIE)
        if not token:
            return None
        is_active = BACKGROUND_HEADER not in request.headers
        return await asyncio.to_thread(
            self._sessions.identity, token, "browser", is_active=is_active
        )


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)


def _ask_to_sign_in(request: Request) -> Response:
    path = request.url.path
    if is_for_programs(path) or request.method not in SAFE_METHODS:
        challenge = {"www-authenticate": 'Bearer realm="seawall"'}
        raise Problem(401, reference="not-signed-in", headers=challenge)
    if path == "/":
        return RedirectResponse("/signin", 303)
    wanted = path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/signin?next={quote(wanted, safe='')}", 303)


async def _bounded_body(request: Request, receive: Receive) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise Problem(413, f"at most {MAX_BODY_BYTES} bytes", reference="too-large")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, reference="cut-off")
        body += cast(bytes, message.get("body", b""))
        if len(body) > MAX_BODY_BYTES:
            raise Problem(413, f"at most {MAX_BODY_BYTES} bytes", reference="too-large")
        if not message.get("more_body", False):
            return body


def _fields(request: Request, body: bytes) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != _FORM:
        return {}
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=32, errors="strict")
    except ValueError as error:
        raise Problem(400, "the form is not readable", reference="bad-form") from error
    return dict(pairs)


def _check_origin(request: Request, identity: Identity | None, form: dict[str, str]) -> None:
    if identity is not None and not identity.by_cookie:
        return  # a program showed its token on purpose
    if is_from_elsewhere(request):
        raise Problem(403, "another site made this request", reference="cross-site")
    if identity is None:
        return  # the sign-in form has a token of its own
    given = request.headers.get(CSRF_HEADER) or form.get("csrf", "")
    if not same_secret(given, identity.session.csrf):
        raise Problem(
            403, "the form is too old, or not ours: load the page anew", reference="bad-csrf-token"
        )


def _replay(body: bytes, receive: Receive) -> Receive:
    is_done = False

    async def replayed() -> Message:
        nonlocal is_done
        if is_done:
            return await receive()
        is_done = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed

"""`/signin` and `/signout`."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from seawall.web.auth import (
    LONGEST_MS,
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    SignedIn,
    SignInRefused,
    same_secret,
)
from seawall.web.context import Context, SignedInIdentity, WebContext, address_of
from seawall.web.gate import cookie_of

router = APIRouter()

_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$'()*+,;=:@%/?&-]{0,500}\Z")
WRONG: Final = "The name or the password is not right."
TOO_OLD: Final = "This form was open for too long. Please try again."
BUSY: Final = "Many people are signing in at the moment. Please try again."


def local_path(wanted: str) -> str:
    """Return where to go after signing in: a path on this server, nothing else."""
    is_fine = _LOCAL_PATH.match(wanted) and not wanted.startswith("/sign")
    return wanted if is_fine else "/"


def waiting_words(wait_ms: int) -> str:
    """Say how long to wait."""
    seconds = -(-wait_ms // 1000)
    if seconds < 90:
        return f"Too many attempts. Try again in {seconds} second{'s' if seconds != 1 else ''}."
    return f"Too many attempts. Try again in {-(-seconds // 60)} minutes."


def _form(
    request: Request, context: WebContext, *, wanted: str, name: str = "", wrong: str = ""
) -> Response:
    token = cookie_of(request, SIGN_IN_COOKIE) or context.services.new_token()
    response = context.pages.render(
        request, "signin.html", form_token=token, wanted=wanted, name=name, wrong=wrong
    )
    response.set_cookie(
        SIGN_IN_COOKIE, token, max_age=3600, path="/", secure=True, httponly=True, samesite="strict"
    )
    return response


@router.get("/signin")
def sign_in_page(request: Request, context: Context) -> Response:
    """Ask for name and password."""
    wanted = local_path(request.query_params.get("next", "/"))
    if request.state.identity is not None:
        return RedirectResponse(wanted, 303)
    return _form(request, context, wanted=wanted)


@router.post("/signin")
async def sign_in(request: Request, context: Context) -> Response:
    """Check them, and open a session."""
    form: dict[str, str] = request.state.form
    wanted = local_path(form.get("next", "/"))
    name = form.get("name", "")[:64]
    expected = cookie_of(request, SIGN_IN_COOKIE)
    if not expected or not same_secret(form.get("form_token", ""), expected):
        response = _form(request, context, wanted=wanted, name=name, wrong=TOO_OLD)
        response.status_code = 403
        return response
    result = await context.sign_in.sign_in(name, form.get("password", ""), address_of(request))
    if isinstance(result, SignedIn):
        return await _welcome(request, context, result, wanted)
    return _refused(request, context, result, wanted=wanted, name=name)


async def _welcome(
    request: Request, context: WebContext, result: SignedIn, wanted: str
) -> Response:
    if request.state.identity is not None:  # somebody else's, or one's own older session
        old = request.state.identity.session.token_sha256
        await asyncio.to_thread(context.sessions.end, old)
        context.hub.end_session(old)
    response = RedirectResponse(wanted, 303)
    response.set_cookie(
        SESSION_COOKIE,
        result.token,
        max_age=LONGEST_MS // 1000,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    response.delete_cookie(SIGN_IN_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response


def _refused(
    request: Request, context: WebContext, result: SignInRefused, *, wanted: str, name: str
) -> Response:
    status, wrong = 401, WRONG
    if result.is_busy:
        status, wrong = 503, BUSY
    elif result.wait_ms:
        status, wrong = 429, waiting_words(result.wait_ms)
    response = _form(request, context, wanted=wanted, name=name, wrong=wrong)
    response.status_code = status
    if result.wait_ms:
        response.headers["retry-after"] = str(-(-result.wait_ms // 1000))
    return response


@router.post("/signout")
async def sign_out(request: Request, context: Context, identity: SignedInIdentity) -> Response:
    """End the session, and all that it shows live."""
    await asyncio.to_thread(context.sessions.end, identity.session.token_sha256)
    context.hub.end_session(identity.session.token_sha256)
    await asyncio.to_thread(context.sign_in.signed_out, identity, address_of(request))
    response = RedirectResponse("/signin", 303)
    response.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    response.headers["clear-site-data"] = '"cache"'
    return response

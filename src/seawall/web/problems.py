"""What an error looks like: problem details for programs, a plain page for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seawall import errors
from seawall.web.rendering import Pages

MEDIA_TYPE: Final = "application/problem+json"

_STATUSES: Final[tuple[tuple[type[errors.SeawallError], int], ...]] = (
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.InvalidNameError, 400),
    (errors.UsageError, 400),
    (errors.StoreError, 503),
    (errors.StateError, 503),
    (errors.ServiceError, 503),
)
_PLAIN_WORDS: Final = {
    400: "The request is not understood.",
    401: "Sign in first.",
    403: "This is not allowed.",
    404: "There is nothing here.",
    405: "This cannot be done here.",
    413: "That is too much at a time.",
    429: "Too many at a time. Wait a moment.",
    500: "Something went wrong on our side. It was logged.",
    503: "A part of the service does not answer at the moment.",
}

_log = logging.getLogger("seawall.web")


class Problem(Exception):  # noqa: N818  named after RFC 9457's problem details
    """An answer that is an error.

    Args:
        status: HTTP status.
        detail: What is wrong, in one sentence that may be shown to anybody.
        reference: Kebab-case name.
        headers: Further headers.
        members: Further members of the problem details.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        reference: str = "",
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail or _PLAIN_WORDS.get(status, "")
        self.reference = reference
        self.headers = dict(headers or {})
        self.members = members


def is_for_programs(path: str) -> bool:
    """Tell whether errors of a path are answered as problem details."""
    return path.startswith("/api/") or path in ("/metrics", "/healthz", "/readyz")


def problem_response(problem: Problem) -> Response:
    """Return RFC 9457 problem details."""
    content = {
        "type": f"urn:seawall:error:{problem.reference}" if problem.reference else "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    return Response(
        json.dumps(content), problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def as_problem(error: Exception) -> Problem:
    """Return what is answered to an error; nothing of the unexpected ones leaks."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _bad_parameters(error)
    if isinstance(error, HTTPException):
        return Problem(error.status_code, headers=error.headers)
    if isinstance(error, errors.SeawallError):
        for kind, status in _STATUSES:
            if isinstance(error, kind):
                # The inside of a failing store is nobody's business outside.
                detail = "" if status == 503 else error.message
                return Problem(status, detail, reference=error.reference)
    return Problem(500, reference="internal")


def _bad_parameters(error: RequestValidationError) -> Problem:
    found = []
    for entry in error.errors():
        place, *names = (str(part) for part in entry["loc"])
        found.append({"in": place, "field": ".".join(names), "message": entry["msg"]})
    fields = ", ".join(dict.fromkeys(entry["field"] for entry in found if entry["field"]))
    return Problem(
        400, f"not as described: {fields or 'request'}", reference="bad-parameter", errors=found
    )


def response_to(error: Exception, request: Request, pages: Pages) -> Response:
    """Return the answer to an error, as the path's readers need it."""
    problem = as_problem(error)
    if problem.status >= 500:
        foreseen = isinstance(error, (Problem, errors.SeawallError, HTTPException))
        words = str(error) or problem.reference or problem.detail
        where = f"{request.method} {request.url.path}"
        _log.error("%s failed: %s", where, words, exc_info=None if foreseen else error)
    if is_for_programs(request.url.path):
        return problem_response(problem)
    phrase = HTTPStatus(problem.status).phrase
    response = pages.render(
        request,
        "error.html",
        status=problem.status,
        title=phrase,
        words=_PLAIN_WORDS.get(problem.status, phrase),
        detail=problem.detail,
    )
    response.status_code = problem.status
    response.headers.update(problem.headers)
    return response


class ErrorBoundary:
    """Turns whatever is raised further in into a plain answer (pure ASGI)."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            if has_begun:
                raise  # the connection is cut: half an answer must not look whole
            response = response_to(error, Request(scope), self._pages)
            await response(scope, receive, send)

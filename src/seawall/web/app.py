"""Puts the web side together: `create_app`."""

from __future__ import annotations

import asyncio
import logging

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from seawall.errors import SeawallError, StoreError
from seawall.web import api, metrics, pages
from seawall.web.auth import Sessions, SignIn
from seawall.web.context import Context, WebContext
from seawall.web.figures import Figures
from seawall.web.gate import Gate
from seawall.web.live import LiveHub
from seawall.web.problems import ErrorBoundary, Problem, problem_response, response_to
from seawall.web.rendering import Pages
from seawall.web.security_headers import SecurityHeaders
from seawall.web.services import Services
from seawall.web.static_files import StaticFiles

_log = logging.getLogger("seawall.web")

_probes = APIRouter(include_in_schema=False)


@_probes.api_route("/healthz", methods=["GET", "HEAD"])
async def health() -> Response:
    """Say that the process serves."""
    return PlainTextResponse("ok\n")


@_probes.api_route("/readyz", methods=["GET", "HEAD"])
def readiness(context: Context) -> Response:
    """Say whether everything works. What does not is in the log, not in the answer."""
    try:
        context.services.store.check()
        problems = list(context.services.problems())
    except StoreError as error:
        problems = [error.message]
    if problems:
        _log.warning("not ready: %s", "; ".join(problems))
        return problem_response(Problem(503, "not ready", reference="not-ready"))
    return PlainTextResponse("ready\n")


@_probes.get("/metrics")
def read_metrics(context: Context) -> Response:
    """Return figures for Prometheus."""
    samples = metrics.samples_of(context.services, context.hub.viewers)
    return Response(metrics.exposition(samples), media_type=metrics.MEDIA_TYPE)


@_probes.get("/robots.txt")
async def robots() -> Response:
    """Ask search engines to stay away."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


@_probes.api_route("/static/{revision}/{name:path}", methods=["GET", "HEAD"])
async def static_file(request: Request, context: Context, revision: str, name: str) -> Response:
    """Return a script, a style or a picture."""
    response = context.static.answer(request, revision, name)
    if response is None:
        raise Problem(404)
    return response


def create_app(services: Services) -> FastAPI:
    """Return the web application.

    Serve it over HTTPS only: its cookies are Secure. Before the server stops,
    call ``app.state.context.hub.close()``: open streams end, and nobody waits for them.

    Args:
        services: The ports.

    Raises:
        ServiceError: files of the pages are missing (``web-files-missing``).
    """
    app = FastAPI(
        title="Seawall", version="1", openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    static = StaticFiles()
    figures = Figures(services)
    sessions = Sessions(services)
    rendered = Pages(services, static)

    async def summary() -> bytes:
        made = await asyncio.to_thread(figures.summary)
        return made.model_dump_json().encode()

    app.state.context = WebContext(
        services=services,
        sessions=sessions,
        sign_in=SignIn(services),
        hub=LiveHub(services.feed, summary),
        figures=figures,
        pages=rendered,
        static=static,
    )

    async def answer_error(request: Request, error: Exception) -> Response:
        return response_to(error, request, rendered)

    for kind in (Problem, SeawallError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer_error)
    app.add_middleware(Gate, sessions=sessions)
    app.add_middleware(ErrorBoundary, pages=rendered)
    app.add_middleware(SecurityHeaders)
    app.include_router(_probes)
    app.include_router(pages.router)
    app.include_router(api.router)
    return app

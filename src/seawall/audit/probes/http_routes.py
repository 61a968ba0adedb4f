"""Asks the GET routes of an API without signing in.

They come from its OpenAPI description, or are those that are usual. The token is sent to
nobody but for the description itself, and then over verified TLS alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.http_facts import Reply, Request, WalkFacts
from seawall.audit.openapi import DescriptionError, Route, read_routes
from seawall.audit.probes.http import Browser, origin_of, walk, walk_facts
from seawall.audit.probes.tls import verifying_context
from seawall.audit.target import Target

USUAL_NAMES: Final = ("devices", "users", "readings", "config", "status", "settings", "telemetry")
MAX_ROUTES: Final = 25
"""More are not asked; the verdict knows how many there are."""
USUAL_BASES: Final = ("/api/", "/api/v1/", "/")


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What routes answered to somebody who did not sign in.

    Attributes:
        source: Where the routes come from.
        routes: All that there are.
        walk: What the first `MAX_ROUTES` answered.
        is_guessed: Nobody says that there are such routes.
    """

    source: str
    routes: tuple[Route, ...]
    walk: WalkFacts
    is_guessed: bool = False


@dataclass(frozen=True)
class RouteWalk(Job[RouteFacts]):
    """Finds the routes, and asks them."""

    connections: ClassVar[int] = 5

    async def observe(self, target: Target, limits: Limits) -> RouteFacts:
        """Ask all.

        Raises:
            Unobserved: nothing was answered, or the description that was named is none.
        """
        most = limits.max_bytes  # descriptions are larger than pages
        async with Browser(target, limits, self.connections - 1, max_body_bytes=most) as browser:
            source, routes = await _routes(browser, target, limits)
            is_guessed = routes is None
            routes = routes or tuple(Route(path, None) for path in usual_paths(target))
            asked = [Request(route.path) for route in routes[:MAX_ROUTES]]
            replies = await walk(browser, asked)
        return RouteFacts(source, routes, walk_facts(replies), is_guessed)


class WideRouteWalk(RouteWalk):
    """The same of a server in plain HTTP, where no connection is needed for TLS."""

    connections: ClassVar[int] = 13


async def _routes(
    browser: Browser, target: Target, limits: Limits
) -> tuple[str, tuple[Route, ...] | None]:
    """Return the routes, and where they come from; None: from nowhere."""
    place = target.access.openapi
    if place is None:
        return await _found(browser, target)
    if "://" in place:
        content = await _fetched(browser, target, limits, place)
    else:
        content = await asyncio.to_thread(_read, Path(place), limits.max_bytes)
    try:
        return place, read_routes(content, target.base_path)
    except DescriptionError as error:
        raise Unobserved(f"{place}: {error}") from error


async def _found(browser: Browser, target: Target) -> tuple[str, tuple[Route, ...] | None]:
    path = target.base_path.rstrip("/") + "/openapi.json"
    reply = await browser.ask(Request(path))
    if reply.is_ok and reply.is_whole:
        try:
            return path, read_routes(reply.body, target.base_path)
        except DescriptionError:
            pass
    return "the usual routes", None


def usual_paths(target: Target) -> tuple[str, ...]:
    """Return the routes that APIs of this kind often have."""
    base = target.base_path.rstrip("/") + "/"
    bases = USUAL_BASES if base == "/" else (base,)
    return tuple(base + name for name in USUAL_NAMES for base in bases)


async def _fetched(browser: Browser, target: Target, limits: Limits, url: str) -> bytes:
    path = url.removeprefix(origin_of(target))
    if path == url or not path.startswith("/"):
        raise Unobserved(f"{url} is not on the target: give the description as a file")
    request = Request(path)
    reply = await browser.ask(request)
    if reply.status in (401, 403) and target.access.token and target.uses_tls:
        reply = await _fetched_as_known(target, limits, path)
    if not reply.is_ok:
        raise Unobserved(f"{url} was answered with {reply.status}")
    if not reply.is_whole:
        raise Unobserved(f"{url} is too large, or did not end in time")
    return reply.body


async def _fetched_as_known(target: Target, limits: Limits, path: str) -> Reply:
    # A token goes to whom it was made for, and to nobody else.
    context, _ = verifying_context(target)
    context.check_hostname = True
    signed = Request(path, headers=(("Authorization", f"Bearer {target.access.token}"),))
    async with Browser(target, limits, 1, context, limits.max_bytes) as browser:
        return await browser.ask(signed)


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise Unobserved(f"{path}: {error.strerror or type(error).__name__}") from error
    if len(content) > max_bytes:
        raise Unobserved(f"{path} has more than {max_bytes} bytes")
    return content

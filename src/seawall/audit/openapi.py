"""Which GET routes an OpenAPI description names, and which of them it says are closed.

OpenAPI 3.x and Swagger 2.0, as JSON. The description is a stranger's: whatever does not
have the shape that it should is passed over.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

MAX_ROUTES: Final = 25
_PARAMETER: Final = re.compile(r"\{[^{}/]*\}")


class DescriptionError(ValueError):
    """The bytes are no OpenAPI description."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route that can be asked with GET.

    Attributes:
        path: With parameters filled in.
        declares_login: True: its description says that it needs one; False: that it needs
            none; None: it says nothing.
    """

    path: str
    declares_login: bool | None


def read_routes(content: bytes) -> tuple[Route, ...]:
    """Return the first `MAX_ROUTES` GET routes; those that declare a login come first.

    Raises:
        DescriptionError: it is no description in JSON, or names no route.
    """
    try:
        described = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DescriptionError("no JSON (YAML is not read)") from error
    paths = _mapping(_mapping(described).get("paths"))
    if not paths:
        raise DescriptionError("no OpenAPI description: it has no paths")
    base = _base_path(_mapping(described))
    overall = _mapping(described).get("security")
    routes = {}
    for path, item in paths.items():
        get = _mapping(item).get("get")
        if isinstance(get, dict) and path.startswith("/"):
            filled = base + _fill(path)
            declared = get.get("security", overall)
            routes[filled] = Route(filled, _declares(declared))
    if not routes:
        raise DescriptionError("the description names no GET route")
    ordered = sorted(routes.values(), key=lambda route: route.declares_login is not True)
    return tuple(ordered[:MAX_ROUTES])


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _declares(security: Any) -> bool | None:
    if not isinstance(security, list):
        return None
    # An empty requirement among others means: or without (OpenAPI 3.1, section 4.8.30).
    return bool(security) and all(isinstance(each, dict) and each for each in security)


def _base_path(described: dict[str, Any]) -> str:
    if isinstance(described.get("basePath"), str):
        return str(described["basePath"]).rstrip("/")
    servers = described.get("servers")
    first = _mapping(servers[0]).get("url") if isinstance(servers, list) and servers else None
    if not isinstance(first, str):
        return ""
    try:
        return urlsplit(first).path.rstrip("/")
    except ValueError:
        return ""


def _fill(path: str) -> str:
    return quote(_PARAMETER.sub("1", path), safe="/%:@!$&'()*+,;=~-._?")

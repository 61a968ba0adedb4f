"""Which GET routes an OpenAPI description names, and which of them it says are closed.

OpenAPI 3.x and Swagger 2.0, as JSON. The description is a stranger's: whatever does not
have the shape that it should is passed over.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

_PARAMETER: Final = re.compile(r"\{([^{}/]*)\}")


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


def read_routes(content: bytes, here: str = "/") -> tuple[Route, ...]:
    """Return all GET routes: those that declare a login first, those that need none last.

    Args:
        content: The description.
        here: Path of the interface. A description that names no server is of this one, and
            a server that it names may be relative to it (OpenAPI 3.1, section 4.8.5).

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
    base, is_named = _base_path(_mapping(described), here.rstrip("/") + "/")
    overall = _mapping(described).get("security")
    routes = {}
    for path, item in paths.items():
        get = _mapping(item).get("get")
        if isinstance(get, dict) and path.startswith("/"):
            # Where no server is named, paths are often written out whole.
            is_whole = not is_named and path.startswith(f"{base}/")
            filled = _fill(path if is_whole else base + path)
            declared = get.get("security", overall)
            routes[filled] = Route(filled, _declares(declared))
    if not routes:
        raise DescriptionError("the description names no GET route")
    order = (True, None, False)
    return tuple(sorted(routes.values(), key=lambda route: order.index(route.declares_login)))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _declares(security: Any) -> bool | None:
    if not isinstance(security, list):
        return None
    # An empty requirement among others means: or without (OpenAPI 3.1, section 4.8.30).
    return bool(security) and all(isinstance(each, dict) and each for each in security)


def _base_path(described: dict[str, Any], here: str) -> tuple[str, bool]:
    """Return what stands before all paths, without a slash at its end, and whether it is said."""
    if isinstance(described.get("basePath"), str):
        return f"/{described['basePath'].strip('/')}".rstrip("/"), True
    servers = described.get("servers")
    first = _mapping(servers[0]) if isinstance(servers, list) and servers else {}
    if isinstance(first.get("url"), str):
        try:
            return urlsplit(urljoin(here, _with_defaults(first))).path.rstrip("/"), True
        except ValueError:
            pass
    return here.rstrip("/"), False


def _with_defaults(server: dict[str, Any]) -> str:
    variables = _mapping(server.get("variables"))

    def default(found: re.Match[str]) -> str:
        return str(_mapping(variables.get(found[1])).get("default", found[0]))

    return _PARAMETER.sub(default, server["url"])


def _fill(path: str) -> str:
    return quote(_PARAMETER.sub("1", path), safe="/%:@!$&'()*+,;=~-._?")

"""Templates into answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from seawall.web.auth import Identity
from seawall.web.services import Services
from seawall.web.static_files import StaticFiles
from seawall.web.words import REASONS, ROLES, STATES, TRUSTS

TEMPLATES_DIR: Final = Path(__file__).parent / "templates"


def iso_utc(at_ms: int) -> str:
    """Return a time for ``<time datetime>``: RFC 3339, UTC, milliseconds."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_utc(at_ms: int) -> str:
    """Return a time for people, until their browser has written it their way."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def fingerprint(sha256: str) -> Markup:
    """Return a certificate's hash as ``openssl x509 -fingerprint`` prints it; breaks at colons."""
    pairs = (sha256[at : at + 2].upper() for at in range(0, len(sha256), 2))
    return Markup(":<wbr>").join(pairs)


def later(delay_ms: int) -> str:
    """Return how long a reading took to arrive, in words."""
    if delay_ms < 50:
        return "at once"
    if delay_ms < 60_000:
        return f"{delay_ms / 1000:.1f} s later"
    minutes = delay_ms // 60_000
    return f"{minutes} min later" if minutes < 120 else f"{minutes // 60} h later"


def grouped(number: float) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


class Pages:
    """Renders templates; everything in them is escaped unless it is markup."""

    def __init__(self, services: Services, static: StaticFiles) -> None:
        self._services = services
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES_DIR),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            iso_utc=iso_utc,
            plain_utc=plain_utc,
            fingerprint=fingerprint,
            grouped=grouped,
            later=later,
        )
        self._environment.globals.update(
            asset=static.url,
            facts=services.facts,
            reasons={reason.value: words for reason, words in REASONS.items()},
            states=STATES,
            trusts=TRUSTS,
            roles=ROLES,
        )

    def render(self, request: Request, template: str, **context: Any) -> HTMLResponse:
        """Return a page. Who asks is known to every template as ``identity``."""
        identity: Identity | None = request.scope.get("state", {}).get("identity")
        text = self._environment.get_template(template).render(
            identity=identity,
            csrf=identity.session.csrf if identity else "",
            now_ms=self._services.now_ms(),
            path=request.url.path,
            **context,
        )
        return HTMLResponse(text)

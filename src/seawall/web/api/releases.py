"""`/api/v1/releases`: what may be rolled out."""

from __future__ import annotations

from fastapi import APIRouter

from seawall.web.context import Context
from seawall.web.rollouts import ReleaseView, release_view

router = APIRouter(tags=["releases"])


@router.get("/api/v1/releases")
def list_releases(context: Context) -> list[ReleaseView]:
    """List the published releases, by board, the newest last."""
    return [release_view(each) for each in context.services.rollouts.releases()]

"""`/api/v1/summary`: the fleet in a few figures."""

from __future__ import annotations

from fastapi import APIRouter

from seawall.web.context import Context
from seawall.web.figures import Summary

router = APIRouter(tags=["summary"])


@router.get("/api/v1/summary")
def read_summary(context: Context) -> Summary:
    """Return the figures of the summary strip."""
    return context.figures.summary()

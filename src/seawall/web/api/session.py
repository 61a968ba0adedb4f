"""`/api/v1/session`: who asks."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from seawall.web.context import SignedInIdentity

router = APIRouter(tags=["session"])


class SessionView(BaseModel):
    """The session that a request belongs to."""

    user: str
    role: str
    kind: str = Field(description="browser or api")
    expires_ms: int = Field(description="at the latest, UTC milliseconds")


@router.get("/api/v1/session")
def read_session(identity: SignedInIdentity) -> SessionView:
    """Tell who is signed in."""
    session = identity.session
    return SessionView(
        user=identity.user_name,
        role=identity.role.value,
        kind=session.kind,
        expires_ms=session.expires_ms,
    )

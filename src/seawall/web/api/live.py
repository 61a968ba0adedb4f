"""`/api/v1/live`: what happens, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from seawall.model.ids import MAX_DEVICE_ID_CHARS
from seawall.web.context import Context, SignedInIdentity
from seawall.web.live import LiveHub, Viewer, stream
from seawall.web.problems import Problem

router = APIRouter(tags=["live"])


class LiveQuestion(BaseModel):
    """Parameters of a stream."""

    model_config = ConfigDict(extra="forbid")

    device: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_DEVICE_ID_CHARS,
        description="every event of this device; default: the newest of each device",
    )


class _LiveResponse(StreamingResponse):
    """Tells the hub when its connection is gone, however it went."""

    media_type = "text/event-stream"

    def watch(self, hub: LiveHub, viewer: Viewer) -> None:
        self._hub, self._viewer = hub, viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave(self._viewer)


@router.get(
    "/api/v1/live",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `reading`, `refusal`, `presence`, `summary`, `signed-out`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def watch_live(
    context: Context, identity: SignedInIdentity, question: Annotated[LiveQuestion, Query()]
) -> StreamingResponse:
    """Stream what happens (server-sent events), until the session ends."""
    viewer = context.hub.open(identity.session.token_sha256, question.device)
    if viewer is None:
        raise Problem(503, reference="too-many-viewers", headers={"retry-after": "10"})

    async def is_signed_in() -> bool:
        return await asyncio.to_thread(context.sessions.is_alive, identity)

    hello = json.dumps({"at_ms": context.services.now_ms()}).encode()
    response = _LiveResponse(
        stream(viewer, hello, is_signed_in), headers={"x-accel-buffering": "no"}
    )
    response.watch(context.hub, viewer)
    return response

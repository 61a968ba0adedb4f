"""`/api/v1/devices/{id}/commands`: orders to a device, and what became of them."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from seawall.model.command import KEPT_COMMANDS, CommandState, QueuedCommand
from seawall.operations.send_command import Order
from seawall.web.api.description import CONFLICT, FORBIDDEN, NOT_FOUND
from seawall.web.context import Context, OperatorIdentity
from seawall.web.problems import Problem
from seawall.wire.commands import MAX_INTERVAL_MS, MIN_INTERVAL_MS

router = APIRouter(tags=["commands"])

DEFAULT_COMMANDS: Final = 20


class NewCommand(BaseModel):
    """An order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    command: Literal["identify", "restart", "interval"]
    interval_ms: int | None = Field(
        None,
        ge=MIN_INTERVAL_MS,
        le=MAX_INTERVAL_MS,
        description="how often to measure; with `interval`, and only then",
    )


class CommandView(BaseModel):
    """A command and what became of it."""

    device_id: str
    n: int = Field(description="its number; grows with each command of this device")
    command: str
    interval_ms: int | None
    state: CommandState
    actor: str = Field(description="who ordered it")
    at_ms: int
    answered_ms: int | None
    answer: dict[str, Any] | None = Field(description="the reply; `ok` says whether it obeyed")


class CommandsQuestion(BaseModel):
    """Parameters of a list of commands."""

    model_config = ConfigDict(extra="forbid")

    last: int = Field(DEFAULT_COMMANDS, ge=1, le=KEPT_COMMANDS, description="the newest so many")


def command_view(command: QueuedCommand) -> CommandView:
    """Return a command as the API shows it."""
    return CommandView(
        device_id=command.device_id,
        n=command.n,
        command=command.name,
        interval_ms=command.interval_ms,
        state=command.state,
        actor=command.actor,
        at_ms=command.at_ms,
        answered_ms=command.answered_ms,
        answer=None if command.answer is None else json.loads(command.answer),
    )


@router.post(
    "/api/v1/devices/{device_id}/commands",
    status_code=202,
    responses=NOT_FOUND | FORBIDDEN | CONFLICT,
)
async def send_command(
    context: Context, identity: OperatorIdentity, device_id: str, new: NewCommand
) -> CommandView:
    """Queue a command: it is sent when the device is connected, until it answers, for a day."""
    if (new.command == "interval") != (new.interval_ms is not None):
        message = "with interval, and only then"
        raise Problem(
            400,
            "not as described: interval_ms",
            reference="bad-parameter",
            errors=[{"in": "body", "field": "interval_ms", "message": message}],
        )
    command = await asyncio.to_thread(
        context.services.send_command,
        identity.user_name,
        device_id,
        Order(new.command, new.interval_ms),
    )
    return command_view(command)


@router.get("/api/v1/devices/{device_id}/commands", responses=NOT_FOUND)
def list_commands(
    context: Context, device_id: str, question: Annotated[CommandsQuestion, Query()]
) -> list[CommandView]:
    """List the commands to a device, oldest first."""
    store = context.services.store
    if store.device(device_id) is None:
        raise Problem(404, "there is no such device", reference="not-found")
    found = store.commands(device_id=device_id, last=question.last)
    return [command_view(command) for command in found]

"""The description of the HTTP API (OpenAPI 3.1), with the errors that it really answers."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from seawall.web.problems import MEDIA_TYPE

router = APIRouter()


class ProblemField(BaseModel):
    """A parameter that is not as described."""

    place: str = Field(alias="in")
    field: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemField] | None = None


_REFERENCE: Final = {"$ref": "#/components/schemas/ProblemDetails"}
_MEANINGS: Final = {
    "400": "A parameter is not as described.",
    "401": "Not signed in.",
    "503": "A part of the service does not answer.",
}


def _answer(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {MEDIA_TYPE: {"schema": _REFERENCE}}}


Answers = dict[int | str, dict[str, Any]]

NOT_FOUND: Final[Answers] = {404: _answer("There is no such thing.")}
FORBIDDEN: Final[Answers] = {
    403: _answer("The role does not allow it, or a cookie came without its CSRF token.")
}
CONFLICT: Final[Answers] = {
    409: _answer("Its state forbids it: a device that is shut out, a roll-out that is over.")
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of all routes that are not left out of it, as pages are."""
    description = get_openapi(
        title="Seawall",
        version="1",
        summary="Devices, readings and refusals of one installation",
        description=(
            "Sign in with `Authorization: Bearer TOKEN`, or with the session cookie of a "
            "browser. All times are UTC milliseconds since 1970."
        ),
        routes=app.routes,
    )
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    details = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(details.pop("$defs"))
    schemas["ProblemDetails"] = details
    for operations in description.get("paths", {}).values():
        for operation in operations.values():
            answers = operation["responses"]
            answers.pop("422", None)
            for status, meaning in _MEANINGS.items():
                answers.setdefault(status, _answer(meaning))
    description["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-seawall"},
    }
    description["security"] = [{"token": []}, {"session": []}]
    return description


@router.get("/api/v1/openapi.json", include_in_schema=False)
def read_description(request: Request) -> dict[str, Any]:
    """Return this description."""
    return describe(request.app)

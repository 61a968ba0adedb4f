"""The last audit over the HTTP API: for those who may act on it."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from seawall.model.user import Role, User
from seawall.testing.web_stage import PASSWORD, WebStage
from seawall.web.app import create_app

pytestmark = pytest.mark.anyio
NOW_MS = 1_763_759_216_000


async def asked(stage: WebStage, name: str, report: bytes | None) -> httpx.Response:
    services = replace(stage.services(), last_audit=lambda: report)
    transport = httpx.ASGITransport(app=create_app(services), client=("192.0.2.5", 1))
    async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
        page = await client.get("/signin")
        form = {"name": name, "password": PASSWORD}
        if token := re.search(r'name="form_token" value="([^"]+)"', page.text):
            form["form_token"] = token[1]
        assert (await client.post("/signin", data=form)).status_code == 303
        return await client.get("/api/v1/audit")


@pytest.fixture
def stage() -> WebStage:
    stage = WebStage(lambda: NOW_MS)
    for role in (Role.VIEWER, Role.OPERATOR):
        stage.store.put_user(User(role.value, role, "-", NOW_MS))
    return stage


async def test_the_last_audit_is_told_as_it_was_printed(stage: WebStage) -> None:
    answer = await asked(stage, "operator", b'{"schema":"seawall-audit/1","grade":"A"}')
    assert answer.status_code == 200
    assert answer.json() == {"schema": "seawall-audit/1", "grade": "A"}


async def test_weak_places_are_not_for_viewers(stage: WebStage) -> None:
    answer = await asked(stage, "viewer", b'{"grade":"A"}')
    assert answer.status_code == 403


async def test_before_the_first_night_there_is_none(stage: WebStage) -> None:
    answer = await asked(stage, "operator", None)
    assert answer.status_code == 404
    assert "not been audited" in answer.json()["detail"]

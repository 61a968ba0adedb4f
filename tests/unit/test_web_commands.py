"""Commands over the HTTP API and the device page: who may order, and what is answered."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from seawall.model.command import CommandAnswer
from seawall.model.device import DeviceStatus
from seawall.model.user import Role, User
from seawall.testing.web_stage import PASSWORD, WebStage
from seawall.web.app import create_app

pytestmark = pytest.mark.anyio

NOW_MS = 1_763_759_216_000
PATH = "/api/v1/devices/greenhouse-1/commands"
TOKENS = {"ann": Role.ADMIN, "olga": Role.OPERATOR, "vera": Role.VIEWER}


@pytest.fixture
def stage() -> WebStage:
    stage = WebStage(lambda: NOW_MS)
    stage.add_device("greenhouse-1")
    stage.add_device("cellar", status=DeviceStatus.DISABLED)
    for name, role in TOKENS.items():
        stage.store.put_user(User(name, role, "", NOW_MS))
        stage.add_token(f"token-{name}", name)
    return stage


@pytest.fixture
async def client(stage: WebStage) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(
        app=create_app(stage.services()), raise_app_exceptions=False, client=("192.0.2.5", 1)
    )
    async with httpx.AsyncClient(transport=transport, base_url="https://sea.example") as client:
        yield client


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer token-{name}"}


async def sign_in(client: httpx.AsyncClient, name: str) -> str:
    """Sign in as a browser does, and return the CSRF token."""
    page = await client.get("/signin")
    form_token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert form_token
    form = {"name": name, "password": PASSWORD, "form_token": form_token[1]}
    assert (await client.post("/signin", data=form)).status_code == 303
    page = await client.get("/")
    return str(re.search(r'data-csrf="([^"]+)"', page.text)[1])  # type: ignore[index]


@pytest.mark.parametrize(("name", "status"), [("ann", 202), ("olga", 202), ("vera", 403)])
async def test_operators_order_and_viewers_do_not(
    client: httpx.AsyncClient, stage: WebStage, name: str, status: int
) -> None:
    answer = await client.post(PATH, json={"command": "identify"}, headers=bearer(name))
    assert answer.status_code == status
    kept = stage.store.commands()
    assert [command.actor for command in kept] == ([f"web:{name}"] if status == 202 else [])
    listed = await client.get(PATH, headers=bearer(name))
    assert len(listed.json()) == len(kept)


async def test_nobody_orders_without_signing_in(client: httpx.AsyncClient) -> None:
    assert (await client.post(PATH, json={"command": "identify"})).status_code == 401
    assert (await client.get(PATH)).status_code == 401


async def test_a_browser_needs_the_token_of_its_session(
    client: httpx.AsyncClient, stage: WebStage
) -> None:
    csrf = await sign_in(client, "olga")
    order = {"command": "restart"}
    for headers in (
        {},
        {"x-csrf-token": "wrong"},
        {"x-csrf-token": csrf, "origin": "https://e.vil"},
    ):
        assert (await client.post(PATH, json=order, headers=headers)).status_code == 403
    assert stage.store.commands() == []
    answer = await client.post(PATH, json=order, headers={"x-csrf-token": csrf})
    assert answer.status_code == 202


async def test_what_is_answered(client: httpx.AsyncClient, stage: WebStage) -> None:
    order = {"command": "interval", "interval_ms": 500}
    answer = (await client.post(PATH, json=order, headers=bearer("olga"))).json()
    assert answer == {
        "device_id": "greenhouse-1",
        "n": NOW_MS,
        "command": "interval",
        "interval_ms": 500,
        "state": "queued",
        "actor": "web:olga",
        "at_ms": NOW_MS,
        "answered_ms": None,
        "answer": None,
    }
    stage.store.answer_commands(
        [CommandAnswer("greenhouse-1", NOW_MS, NOW_MS + 400, '{"re":1,"ok":true}')]
    )
    await client.post(PATH, json={"command": "identify"}, headers=bearer("olga"))
    first, second = (await client.get(PATH, headers=bearer("vera"))).json()
    assert (first["state"], first["answered_ms"]) == ("answered", NOW_MS + 400)
    assert first["answer"] == {"re": 1, "ok": True}
    newest = (await client.get(PATH, params={"last": 1}, headers=bearer("vera"))).json()
    assert newest == [second]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command": "explode"},
        {"command": "stored", "boot": 1, "seq": 1},
        {"command": "interval"},
        {"command": "interval", "interval_ms": 1},
        {"command": "interval", "interval_ms": "500"},
        {"command": "interval", "interval_ms": 86_400_001},
        {"command": "identify", "interval_ms": 500},
        {"command": "identify", "n": 7},
        [],
        None,
    ],
)
async def test_bad_orders(client: httpx.AsyncClient, stage: WebStage, body: Any) -> None:
    answer = await client.post(PATH, json=body, headers=bearer("olga"))
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert stage.store.commands() == []


async def test_devices_that_take_none(client: httpx.AsyncClient) -> None:
    for name, status in (("nobody", 404), ("cellar", 409)):
        path = f"/api/v1/devices/{name}/commands"
        answer = await client.post(path, json={"command": "identify"}, headers=bearer("olga"))
        assert answer.status_code == status
    assert (await client.get("/api/v1/devices/nobody/commands", headers=bearer("vera"))).is_error
    for last in ("0", "101", "x"):
        bad = await client.get(PATH, params={"last": last}, headers=bearer("vera"))
        assert bad.status_code == 400


async def test_they_are_described(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/v1/openapi.json", headers=bearer("vera"))).json()
    answers = described["paths"]["/api/v1/devices/{device_id}/commands"]["post"]["responses"]
    assert {"202", "400", "401", "403", "404", "409", "503"} == set(answers)


async def test_the_device_page_lists_commands_and_operators_have_a_button(
    client: httpx.AsyncClient, stage: WebStage
) -> None:
    csrf = await sign_in(client, "olga")
    page = "/devices/greenhouse-1"
    assert "Nothing was ordered yet." in (await client.get(page)).text
    assert (await client.post(f"{page}/identify")).status_code == 403
    pressed = await client.post(f"{page}/identify", data={"csrf": csrf})
    assert (pressed.status_code, pressed.headers["location"].split("#")[0]) == (303, page)
    (command,) = stage.store.commands()
    assert (command.name, command.actor) == ("identify", "web:olga")
    shown = (await client.get(page)).text
    assert f'data-command="{command.n}"' in shown
    assert "queued" in shown
    assert f"{page}/identify" in shown
    assert "/identify" not in (await client.get("/devices/cellar")).text


async def test_viewers_see_commands_and_no_button(
    client: httpx.AsyncClient, stage: WebStage
) -> None:
    csrf = await sign_in(client, "vera")
    assert "/identify" not in (await client.get("/devices/greenhouse-1")).text
    pressed = await client.post("/devices/greenhouse-1/identify", data={"csrf": csrf})
    assert pressed.status_code == 403
    assert stage.store.commands() == []

"""Releases and roll-outs over the HTTP API: who may order, and what is answered."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any, cast

import httpx
import pytest

from seawall.daemon.web_rollouts import WebRollouts
from seawall.errors import NotFoundError, StateError
from seawall.model.device import Board, DeviceStatus
from seawall.model.installation import Settings, StatePaths
from seawall.model.release import Release, ReleaseFile, ReleaseKind, parse_version
from seawall.model.rollout import RunningReport
from seawall.model.user import Role, User
from seawall.operations import start_rollout as starting
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.testing.web_stage import PASSWORD, WebStage
from seawall.updates import releases
from seawall.web.app import create_app

pytestmark = pytest.mark.anyio

NOW_MS = 1_763_759_216_000
PATH = "/api/v1/rollouts"
RELEASE = Release(
    parse_version("1.2.0"), "unix", ReleaseKind.FILES, "unix/1.2.0.json", 99, "ab" * 32,
    (ReleaseFile("application.py", 7, "cd" * 32),), NOW_MS,
)  # fmt: skip


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> WebStage:
    stage = WebStage(lambda: NOW_MS)
    for name in ("a", "b"):
        stage.add_device(name)
    stage.add_device("esp", board=Board.ESP32)
    stage.add_device("off", status=DeviceStatus.DISABLED)
    for name, role in {"olga": Role.OPERATOR, "vera": Role.VIEWER}.items():
        stage.store.put_user(User(name, role, "", NOW_MS))
        stage.add_token(f"token-{name}", name)

    def find(path: object, name: str) -> Release:
        if name != "unix/1.2.0":
            raise NotFoundError("there is none", reference="no-such-release")
        return RELEASE

    monkeypatch.setattr(starting, "find_release", find)
    monkeypatch.setattr(releases, "list_releases", lambda path: [RELEASE])
    return stage


@pytest.fixture
async def client(stage: WebStage) -> AsyncIterator[httpx.AsyncClient]:
    installation = Installation(
        StatePaths(PurePath("/nowhere")), Settings(), stage.store, cast(Keystore, None),
        stage.now_ms, "daemon",
    )  # fmt: skip
    services = replace(stage.services(), rollouts=WebRollouts(installation))
    transport = httpx.ASGITransport(
        app=create_app(services), raise_app_exceptions=False, client=("192.0.2.5", 1)
    )
    async with httpx.AsyncClient(transport=transport, base_url="https://sea.example") as client:
        yield client


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer token-{name}"}


async def start(client: httpx.AsyncClient, **order: Any) -> httpx.Response:
    body = {"release": "unix/1.2.0", **order}
    return await client.post(PATH, json=body, headers=bearer("olga"))


async def order(client: httpx.AsyncClient, state: str, who: str = "olga") -> httpx.Response:
    return await client.patch(f"{PATH}/r1", json={"state": state}, headers=bearer(who))


async def test_releases_are_listed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/releases")).status_code == 401
    (release,) = (await client.get("/api/v1/releases", headers=bearer("vera"))).json()
    assert (release["release"], release["size"], release["files"]) == ("unix/1.2.0", 7, 1)


async def test_a_rollout_is_started_shown_and_ended(
    client: httpx.AsyncClient, stage: WebStage
) -> None:
    stage.store.note_reports([RunningReport("a", NOW_MS, "1.1", "a", False, 3)])
    started = await start(client, cohorts=[50, 100], soak_ms=1000, halt_percent=2.5)
    assert started.status_code == 201
    facts = started.json()
    assert (facts["rollout_id"], facts["state"], facts["actor"]) == ("r1", "running", "web:olga")
    assert facts["left_out"] == {"other-board": ["esp"], "not-active": ["off"]}
    assert facts["plan"]["halt_percent"] == 2.5
    assert facts["counts"]["waiting"] == 2
    (listed,) = (await client.get(PATH, headers=bearer("vera"))).json()
    assert listed == {key: facts[key] for key in listed}
    shown = (await client.get(f"{PATH}/r1", headers=bearer("vera"))).json()
    running = {each["device_id"]: each["running"] for each in shown["devices"]}
    assert running == {"a": "1.1", "b": None}
    assert (await order(client, "paused")).json()["state"] == "paused"
    assert (await order(client, "running")).json()["state"] == "running"
    ended = (await order(client, "aborted")).json()
    assert (ended["state"], ended["reason"]) == ("aborted", "by web:olga")
    again = await order(client, "paused")
    assert again.status_code == 409
    assert again.json()["type"] == "urn:seawall:error:rollout-state"
    device = (await client.get("/api/v1/devices/a", headers=bearer("vera"))).json()
    assert (device["running"], device["group"]) == ("1.1", "")


async def test_viewers_order_nothing_and_nobody_without_signing_in(
    client: httpx.AsyncClient, stage: WebStage
) -> None:
    body = {"release": "unix/1.2.0"}
    assert (await client.post(PATH, json=body)).status_code == 401
    assert (await client.post(PATH, json=body, headers=bearer("vera"))).status_code == 403
    assert stage.store.rollouts() == []
    await start(client)
    assert (await order(client, "aborted", "vera")).status_code == 403
    assert (await client.patch(f"{PATH}/r1", json={"state": "aborted"})).status_code == 401
    assert (await client.get(PATH)).status_code == 401
    assert stage.store.rollouts()[0].state == "running"


async def test_a_browser_needs_the_token_of_its_session(client: httpx.AsyncClient) -> None:
    page = await client.get("/signin")
    form_token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert form_token
    form = {"name": "olga", "password": PASSWORD, "form_token": form_token[1]}
    assert (await client.post("/signin", data=form)).status_code == 303
    csrf = str(re.search(r'data-csrf="([^"]+)"', (await client.get("/")).text)[1])  # type: ignore[index]
    body = {"release": "unix/1.2.0"}
    assert (await client.post(PATH, json=body)).status_code == 403
    headers = {"x-csrf-token": csrf}
    assert (await client.post(PATH, json=body, headers=headers)).status_code == 201
    state = {"state": "aborted"}
    assert (await client.patch(f"{PATH}/r1", json=state)).status_code == 403
    assert (await client.patch(f"{PATH}/r1", json=state, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "status", "named"),
    [
        ({"release": "unix/9"}, 404, "no-such-release"),
        ({"pattern": "z*"}, 404, "rollout-nobody"),
        ({"cohorts": [10, 5, 100]}, 400, "bad-cohorts"),
        ({"cohorts": [10]}, 400, "bad-cohorts"),
        ({"cohorts": [2**70]}, 400, "bad-"),
        ({"group": "../x"}, 400, "invalid-name"),
        ({"soak_ms": -1}, 400, "soak_ms"),
        ({"soak_ms": 1.5}, 400, "soak_ms"),
        ({"trial_s": 0}, 400, "trial_s"),
        ({"halt_percent": 101}, 400, "halt_percent"),
        ({"release": ""}, 400, "release"),
        ({"more": 1}, 400, "more"),
    ],
)
async def test_what_is_wrong_is_told(
    client: httpx.AsyncClient, stage: WebStage, wrong: dict[str, Any], status: int, named: str
) -> None:
    answer = await start(client, **wrong)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert named in answer.text
    assert stage.store.rollouts() == []


async def test_what_is_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{PATH}/r1", headers=bearer("vera"))).status_code == 404
    assert (await order(client, "paused")).status_code == 404
    assert (await order(client, "halted")).status_code == 400
    await start(client)
    overlap = await start(client)
    assert (overlap.status_code, overlap.json()["type"]) == (
        409,
        "urn:seawall:error:rollout-overlaps",
    )


async def test_a_damaged_repository_is_no_inner_fault(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: object) -> list[Release]:
        raise StateError("damaged", reference="updates-damaged")

    monkeypatch.setattr(releases, "list_releases", fail)
    answer = await client.get("/api/v1/releases", headers=bearer("vera"))
    assert answer.status_code == 503

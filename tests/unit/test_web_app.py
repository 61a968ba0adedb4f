"""The application from outside: who gets in, what is answered, what never leaks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from seawall.errors import StoreError
from seawall.model.reading import Reason
from seawall.model.user import Role, User
from seawall.testing.web_stage import PASSWORD, WebStage
from seawall.web.app import create_app
from seawall.web.auth import IDLE_MS, LONGEST_MS
from seawall.web.gate import MAX_BODY_BYTES, OPEN_PATHS
from seawall.web.throttle import FREE_ATTEMPTS

pytestmark = pytest.mark.anyio

BASE = "https://sea.example"
START_MS = 1_763_759_216_000


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stage(clock: Clock) -> WebStage:
    stage = WebStage(clock)
    stage.add_device("greenhouse-1")
    for second in range(20):
        stage.keep("greenhouse-1", START_MS - second * 1000, {"temp": 20.0 + second, "raw": 500.0})
    stage.connect("greenhouse-1")
    return stage


@pytest.fixture
def app(stage: WebStage) -> Any:
    return create_app(stage.services())


def client_of(app: Any, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.5", 1))
    return httpx.AsyncClient(transport=transport, base_url=BASE, **options)


@pytest.fixture
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def sign_in(
    client: httpx.AsyncClient, password: str = PASSWORD, name: str = "admin", **fields: str
) -> httpx.Response:
    page = await client.get("/signin")
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    form = {"name": name, "password": password, **fields}
    if token:
        form["form_token"] = token[1]
    return await client.post("/signin", data=form)


@pytest.fixture
async def signed_in(client: httpx.AsyncClient) -> httpx.AsyncClient:
    assert (await sign_in(client)).status_code == 303
    return client


def csrf_of(page: str) -> str:
    return re.search(r'data-csrf="([^"]+)"', page)[1]


# Who gets in


def routes_of(app: Any) -> set[str]:
    found: set[str] = set()

    def walk(routes: list[Any]) -> None:
        for route in routes:
            if getattr(route, "path", ""):
                found.add(route.path)
            walk(getattr(getattr(route, "original_router", None), "routes", []))

    walk(app.routes)
    return found


async def test_nothing_is_served_without_sign_in(app, client):
    paths = routes_of(app)
    assert {"/", "/metrics", "/refusals", "/api/v1/live", "/api/v1/openapi.json"} <= paths
    for template in sorted(paths | {"/nothing", "/api/v1/nothing", "/devices/x/y", "/docs"}):
        if template in OPEN_PATHS or template.startswith("/static/"):
            continue
        path = template.replace("{device_id}", "greenhouse-1")
        response = await client.get(path)
        if path.startswith("/api/") or path == "/metrics":
            assert response.status_code == 401, path
            assert response.headers["content-type"] == "application/problem+json"
            assert "Bearer" in response.headers["www-authenticate"]
        else:
            assert response.status_code == 303, path
            assert response.headers["location"].startswith("/signin")
        assert "greenhouse" not in response.text
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert (await client.request(method, path)).status_code in (401, 403), (method, path)


async def test_probes_are_open(client, stage):
    assert (await client.get("/healthz")).text == "ok\n"
    assert (await client.get("/readyz")).text == "ready\n"
    stage.problems.append("the broker at 10.0.0.9 does not answer")
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert "10.0.0.9" not in response.text
    stage.problems.clear()
    stage.store.failure = StoreError("disk /var/lib/seawall is gone")
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert "/var/lib" not in response.text
    assert (await client.get("/healthz")).status_code == 200


async def test_signing_in_and_out(client, stage, clock):
    response = await sign_in(client, next="/devices/greenhouse-1")
    assert response.status_code == 303
    assert response.headers["location"] == "/devices/greenhouse-1"
    cookie = next(c for c in response.headers.get_list("set-cookie") if "seawall=" in c)
    assert cookie.startswith("__Host-seawall=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part.lower() in cookie.lower()
    assert "domain" not in cookie.lower()
    page = await client.get("/")
    assert page.status_code == 200
    assert "greenhouse-1" in page.text
    secret = client.cookies["__Host-seawall"]
    assert secret not in repr(vars(stage.store))
    response = await client.post("/signout", data={"csrf": csrf_of(page.text)})
    assert response.headers["location"] == "/signin"
    client.cookies.set("__Host-seawall", secret, domain="sea.example")
    assert (await client.get("/")).status_code == 303
    kinds = [event.kind for event in stage.store.events() if event.subject == "admin"]
    assert kinds == ["signed-in", "signed-out"]


async def test_wrong_password_and_unknown_user_look_the_same(client, stage):
    known = await sign_in(client, "wrong")
    unknown = await sign_in(client, "wrong", name="nobody")
    odd = await sign_in(client, "wrong", name="no such name\N{SNOWMAN}")
    assert {known.status_code, unknown.status_code, odd.status_code} == {401}

    def without_name(response: httpx.Response) -> str:
        return re.sub(r'(value|href|src)="[^"]*"| autofocus', "", response.text)

    assert without_name(known) == without_name(unknown) == without_name(odd)
    failed = [event for event in stage.store.events() if event.kind == "sign-in-failed"]
    assert [event.subject for event in failed] == ["admin", "nobody", "?"]
    assert all("wrong" not in repr(event) for event in failed)


async def test_every_attempt_costs_one_check(stage):
    asked: list[str] = []

    def check(name: str, password: str) -> User | None:
        asked.append(name)
        return None

    async with client_of(create_app(stage.services(check))) as client:
        for name in ("admin", "nobody", "\N{SNOWMAN}", ""):
            await sign_in(client, "wrong", name=name)
    assert asked == ["admin", "nobody", "?", "?"]


async def test_guessing_is_slowed(client, clock):
    for _ in range(FREE_ATTEMPTS):
        assert (await sign_in(client, "wrong")).status_code == 401
    response = await sign_in(client, PASSWORD)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert "Try again in 1 second." in response.text
    clock.now_ms += 1000
    assert (await sign_in(client, PASSWORD)).status_code == 303


async def test_checks_do_not_pile_up(stage, eventually):
    running, most = 0, 0
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def check(name: str, password: str) -> User | None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)
        running -= 1
        return None

    app = create_app(stage.services(check))
    async with client_of(app) as client:
        page = await client.get("/signin")
        token = re.search(r'name="form_token" value="([^"]+)"', page.text)[1]

        async def attempt(place: int) -> int:
            transport = httpx.ASGITransport(app=app, client=(f"10.0.0.{place}", 1))
            async with httpx.AsyncClient(
                transport=transport, base_url=BASE, cookies=client.cookies
            ) as one:
                form = {"name": f"user{place}", "password": "x", "form_token": token}
                return (await one.post("/signin", data=form)).status_code

        tasks = [asyncio.create_task(attempt(place)) for place in range(60)]
        await eventually(lambda: sum(task.done() for task in tasks) == 60 - 32)
        assert {task.result() for task in tasks if task.done()} == {503}
        release.set()
        assert sorted(await asyncio.gather(*tasks)) == [401] * 32 + [503] * 28
    assert most == 2


async def test_form_from_elsewhere_signs_nobody_in(client):
    await client.get("/signin")
    form = {"name": "admin", "password": PASSWORD, "form_token": "guessed"}
    assert (await client.post("/signin", data=form)).status_code == 403
    client.cookies.clear()
    assert (await client.post("/signin", data={**form, "form_token": ""})).status_code == 403
    page = await client.get("/signin")
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)[1]
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        response = await client.post("/signin", data={**form, "form_token": token}, headers=header)
        assert response.status_code == 403
    response = await client.post(
        "/signin", data={**form, "form_token": token}, headers={"origin": BASE}
    )
    assert response.status_code == 303


async def test_csrf_token_is_needed(signed_in):
    page = await signed_in.get("/")
    for data in ({}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "\N{SNOWMAN}"}):
        assert (await signed_in.post("/signout", data=data)).status_code == 403
    header = {"x-csrf-token": csrf_of(page.text), "sec-fetch-site": "cross-site"}
    assert (await signed_in.post("/signout", headers=header)).status_code == 403
    header["sec-fetch-site"] = "same-origin"
    assert (await signed_in.post("/signout", headers=header)).status_code == 303


async def test_sessions_end(signed_in, clock):
    for _ in range(3):  # used every half day: it lives on
        clock.now_ms += IDLE_MS - 1000
        assert (await signed_in.get("/api/v1/session")).status_code == 200
    background = {"x-seawall-background": "1"}
    clock.now_ms += IDLE_MS - 1000
    assert (await signed_in.get("/api/v1/session", headers=background)).status_code == 200
    clock.now_ms += 2000  # a page's timer was no use of it
    assert (await signed_in.get("/api/v1/session")).status_code == 401


async def test_sessions_do_not_live_for_ever(signed_in, clock):
    end_ms = clock.now_ms + LONGEST_MS
    while clock.now_ms < end_ms - IDLE_MS // 2:
        assert (await signed_in.get("/api/v1/session")).status_code == 200
        clock.now_ms += IDLE_MS // 2
    clock.now_ms = end_ms
    assert (await signed_in.get("/api/v1/session")).status_code == 401


async def test_changed_password_ends_sessions(signed_in, stage, clock):
    stage.store.put_user(User("admin", Role.ADMIN, "another", clock.now_ms))
    assert (await signed_in.get("/api/v1/session")).status_code == 401


async def test_bearer_tokens(client, stage):
    stage.add_token("the-token")
    stage.add_token("a-browser-secret", kind="browser")
    header = {"authorization": "Bearer the-token"}
    session = await client.get("/api/v1/session", headers=header)
    assert session.json() == {
        "user": "admin", "role": "admin", "kind": "api", "expires_ms": START_MS + 86_400_000
    }  # fmt: skip
    assert (await client.get("/metrics", headers=header)).status_code == 200
    for wrong in ("Bearer nope", "Bearer ", "Basic dGhlLXRva2Vu", "Bearer a-browser-secret"):
        response = await client.get("/api/v1/session", headers={"authorization": wrong})
        assert response.status_code == 401, wrong
    client.cookies.set("__Host-seawall", "the-token", domain="sea.example")
    assert (await client.get("/api/v1/session")).status_code == 401


async def test_an_api_token_is_no_cookie_so_it_needs_no_csrf_token(client, stage):
    stage.add_token("the-token")
    header = {"authorization": "Bearer the-token"}
    assert (await client.post("/api/v1/session", headers=header)).status_code == 405


@pytest.mark.parametrize("cookie", ["x", '"', "\\", "a" * 5000, "=;=;", "__Host-seawall"])
async def test_odd_cookies_are_nobody(client, cookie):
    header = {"cookie": f"__Host-seawall={cookie}; {cookie}"}
    assert (await client.get("/api/v1/session", headers=header)).status_code == 401


# Headers, bodies, errors


async def test_headers_on_every_answer(client, signed_in, stage):
    paths = ["/", "/signin", "/nothing", "/api/v1/devices", "/api/v1/nothing", "/healthz"]
    for path in paths:
        headers = (await signed_in.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["strict-transport-security"].startswith("max-age=")
        assert headers["cache-control"] == "no-store"
    local = await signed_in.get("https://localhost:8443/signin")
    assert "strict-transport-security" not in local.headers


async def test_pages_have_nothing_inline(signed_in, stage):
    stage.refuse("greenhouse-1")
    for path in ("/", "/devices/greenhouse-1", "/refusals", "/nothing"):
        page = (await signed_in.get(path)).text
        assert not re.search(r"<script(?![^>]*(src=|application/json))", page)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)


async def test_what_devices_send_is_escaped(signed_in, stage):
    evil = "<script>alert(1)</script>\"'--></script>"
    stage.refuse("greenhouse-1", Reason.MALFORMED, evil)
    for path in ("/", "/devices/greenhouse-1", "/refusals"):
        page = (await signed_in.get(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


async def test_static_files_are_named_by_content(client):
    page = await client.get("/signin")
    url = re.search(r'href="(/static/[^"]+base\.css)"', page.text)[1]
    response = await client.get(url)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-encoding"] == "gzip"
    assert "--accent" in response.text
    revision = url.split("/")[2]
    assert (await client.get(url.replace(revision, "0" * 16))).status_code == 404
    for name in ("../app.py", "%2e%2e/app.py", "..%2fapp.py", "js/", "", "vendor/versions.json"):
        assert (await client.get(f"/static/{revision}/{name}")).status_code == 404, name


async def test_errors_leak_nothing(signed_in, stage, monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret /var/lib/seawall/pki/root.key.pem")

    monkeypatch.setattr(stage.store, "devices", fail)
    for path in ("/", "/api/v1/devices"):
        response = await signed_in.get(path)
        assert response.status_code == 500
        assert "secret" not in response.text
        assert "Traceback" not in response.text
        assert "content-security-policy" in response.headers
    assert "secret" in caplog.text


async def test_a_failing_store_is_503(signed_in, stage, caplog):
    stage.store.failure = StoreError("disk /var/lib/seawall is gone")
    for path in ("/", "/api/v1/devices"):
        response = await signed_in.get(path)
        assert response.status_code == 503
        assert "/var/lib" not in response.text


async def test_large_bodies_are_refused(client):
    body = b"name=" + b"x" * MAX_BODY_BYTES
    assert (await client.post("/signin", content=body)).status_code == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 8192

    assert (await client.post("/signin", content=chunks())).status_code == 413
    form = {"content-type": "application/x-www-form-urlencoded"}
    for odd in (b"\xff\xfe=1", b"&" * 40_000, b"a=1&" * 40, b"%ff=%ff"):
        assert (await client.post("/signin", content=odd, headers=form)).status_code in (400, 403)


# The API


async def test_devices(signed_in, stage):
    stage.refuse("greenhouse-1")
    fleet = (await signed_in.get("/api/v1/devices")).json()
    assert fleet["at_ms"] == START_MS
    (device,) = fleet["devices"]
    assert device["device_id"] == "greenhouse-1"
    assert device["state"] == "online"
    assert device["newest"] == {
        "ts_ms": START_MS, "received_ms": START_MS + 120, "metrics": {"temp": 20.0, "raw": 500.0}
    }  # fmt: skip
    assert (device["primary_metric"], device["unit"]) == ("temp", "°C")
    assert (device["readings"], device["refusals"]) == (20, 1)
    one = await signed_in.get("/api/v1/devices/greenhouse-1")
    assert one.json() == device
    assert (await signed_in.get("/api/v1/devices/nobody")).status_code == 404


async def test_readings_one_by_one_and_in_spans(signed_in):
    path = "/api/v1/devices/greenhouse-1/readings"
    history = (await signed_in.get(path)).json()
    assert history["metric"] == "temp"
    assert history["bucket_ms"] == 0
    assert len(history["t"]) == 20
    assert history["mean"] == history["min"] == history["max"] == [39.0 - n for n in range(20)]
    since, until = START_MS - 20_000, START_MS
    spans = (await signed_in.get(path, params={"since": since, "until": until, "points": 4})).json()
    assert spans["bucket_ms"] == 5000
    assert len(spans["t"]) == 4
    assert sum(spans["count"]) == 19
    assert all(
        low <= mean <= high
        for low, mean, high in zip(spans["min"], spans["mean"], spans["max"], strict=True)
    )
    raw = (await signed_in.get(path, params={"metric": "raw", "since": since})).json()
    assert set(raw["mean"]) == {500.0}
    nothing = (await signed_in.get(path, params={"metric": "humidity"})).json()
    assert nothing["t"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"points": "0"}, "points"),
        ({"points": "5001"}, "points"),
        ({"points": "many"}, "points"),
        ({"since": "yesterday"}, "since"),
        ({"since": "-1"}, "since"),
        ({"since": "9" * 30}, "since"),
        ({"since": "5", "until": "5"}, "since"),
        ({"metric": ""}, "metric"),
        ({"metric": "x" * 33}, "metric"),
        ({"sicne": "5"}, "sicne"),
    ],
)
async def test_bad_parameters_are_named(signed_in, query, field):
    response = await signed_in.get("/api/v1/devices/greenhouse-1/readings", params=query)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 400
    assert [entry["field"] for entry in problem["errors"]] == [field]
    assert field in problem["detail"]


async def test_refusals(signed_in, stage):
    stage.refuse("greenhouse-1", Reason.REPLAY)
    stage.refuse(None, Reason.UNKNOWN_DEVICE)
    answer = (await signed_in.get("/api/v1/refusals")).json()
    assert answer["total"] == 2
    assert [entry["reason"] for entry in answer["refusals"]] == ["unknown-device", "replay"]
    newest = answer["refusals"][0]["id"]
    assert (await signed_in.get(f"/api/v1/refusals?after={newest}")).json()["refusals"] == []
    one = (await signed_in.get("/api/v1/refusals?device=greenhouse-1&last=5")).json()["refusals"]
    assert [entry["reason"] for entry in one] == ["replay"]
    assert one[0]["payload"].startswith('{"temp":99.9')
    assert (await signed_in.get("/api/v1/refusals?reason=nonsense")).status_code == 400


async def test_summary(signed_in, stage, clock):
    stage.refuse("greenhouse-1", Reason.REPLAY)
    first = (await signed_in.get("/api/v1/summary")).json()
    assert first["readings_per_s"] is None
    stage.stored += 30
    clock.now_ms += 3000
    assert (await signed_in.get("/api/v1/summary")).json() == {
        "at_ms": clock.now_ms, "devices": 1, "online": 1, "readings_per_s": 10.0,
        "refused": 1, "refused_by_reason": {"replay": 1},
    }  # fmt: skip


async def test_sparklines(signed_in):
    params = {"device": ["greenhouse-1", "nobody"]}
    (line,) = (await signed_in.get("/api/v1/sparklines", params=params)).json()
    assert len(line["counts"]) == len(line["means"]) == 40
    assert sum(line["counts"]) == 20
    assert line["until_ms"] > START_MS
    many = {"device": [f"d{n}" for n in range(51)]}
    assert (await signed_in.get("/api/v1/sparklines", params=many)).status_code == 400
    assert (await signed_in.get("/api/v1/sparklines")).status_code == 400


async def test_description_is_true(signed_in):
    description = (await signed_in.get("/api/v1/openapi.json")).json()
    assert description["openapi"].startswith("3.1")
    assert {"/api/v1/devices", "/api/v1/refusals", "/api/v1/live"} <= set(description["paths"])
    text = json.dumps(description)
    assert "422" not in text
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert reference in description["components"]["schemas"], reference
    for operations in description["paths"].values():
        answers = operations["get"]["responses"]
        assert {"200", "400", "401", "503"} <= set(answers)


async def test_metrics(signed_in, stage):
    stage.refuse("greenhouse-1", Reason.REPLAY)
    response = await signed_in.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'seawall_devices{status="active"} 1',
        "seawall_devices_online 1",
        "seawall_readings_stored_total 20",
        'seawall_refused_total{reason="replay"} 1',
    ):
        assert line in response.text.splitlines()


# Live


class LiveClient:
    """Reads a stream of server-sent events straight from the application."""

    def __init__(self, app: Any, cookie: str, query: str = "") -> None:
        secret = f"__Host-seawall={cookie}".encode()
        self.scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "https", "path": "/api/v1/live", "raw_path": b"/api/v1/live",
            "query_string": query.encode(), "root_path": "", "client": ("192.0.2.5", 1),
            "server": ("sea.example", 443),
            "headers": [(b"host", b"sea.example"), (b"cookie", secret)],
        }  # fmt: skip
        self._app = app
        self.status = 0
        self.text = ""
        self.is_over = False
        self._gone = asyncio.Event()

    async def __aenter__(self) -> LiveClient:
        self._task = asyncio.create_task(self._app(self.scope, self._receive, self._send))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await asyncio.wait_for(self._task, 5)

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()
            self.is_over = self.is_over or not message.get("more_body", False)

    def events(self, name: str) -> list[Any]:
        found = re.findall(rf"event: {name}\ndata: (.*)\n\n", self.text)
        return [json.loads(data) for data in found]


@pytest.fixture
def live(app: Any, signed_in: httpx.AsyncClient) -> Callable[..., LiveClient]:
    return lambda query="": LiveClient(app, signed_in.cookies["__Host-seawall"], query)


async def test_live_events(live, stage, eventually):
    async with live() as fleet, live("device=other") as other:
        await eventually(lambda: fleet.events("summary") and other.events("hello"))
        assert fleet.events("hello") == [{"at_ms": START_MS}]
        stage.send("greenhouse-1", temp=21.5)
        stage.refuse("greenhouse-1", Reason.REPLAY)
        stage.connect("greenhouse-1", online=False)
        await eventually(lambda: fleet.events("presence"))
        assert fleet.events("reading")[0]["metrics"] == {"temp": 21.5}
        assert fleet.events("refusal")[0]["reason"] == "replay"
        assert not other.events("reading")
        assert not other.events("refusal")


async def test_the_feed_is_let_go_when_nobody_looks(live, app, stage, eventually):
    async with live() as fleet:
        await eventually(lambda: fleet.events("hello"))
        await eventually(lambda: stage.feed.subscribers == 1)
    await eventually(lambda: stage.feed.subscribers == 0)
    assert app.state.context.hub.viewers == 0


async def test_signing_out_ends_the_stream(live, signed_in, eventually):
    async with live() as fleet:
        await eventually(lambda: fleet.events("hello"))
        page = await signed_in.get("/")
        await signed_in.post("/signout", data={"csrf": csrf_of(page.text)})
        await eventually(lambda: fleet.is_over)
        assert fleet.events("signed-out") == [{}]


async def test_a_session_that_ended_elsewhere_ends_the_stream(
    live, stage, monkeypatch, eventually, clock
):
    from seawall.web import live as module

    monkeypatch.setattr(module.stream, "__defaults__", (0.05,))
    async with live() as fleet:
        await eventually(lambda: ": heartbeat\n\n" in fleet.text)
        stage.store.put_user(User("admin", Role.ADMIN, "another", clock.now_ms))
        await eventually(lambda: fleet.is_over)
        assert fleet.events("signed-out") == [{}]


async def test_closing_ends_all_streams(live, app, eventually):
    async with live() as fleet, live("device=greenhouse-1") as one:
        await eventually(lambda: fleet.events("hello") and one.events("hello"))
        app.state.context.hub.close()
        await eventually(lambda: fleet.is_over and one.is_over)
    async with live() as late:
        await eventually(lambda: late.status == 503)


async def test_a_slow_viewer_is_let_go(app, stage, eventually):
    hub = app.state.context.hub
    viewer = hub.open("someone")
    for _ in range(100):
        viewer.put(b"x")
    assert viewer.is_over
    assert viewer.chunks.qsize() == 1
    hub.leave(viewer)

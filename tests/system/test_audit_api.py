"""HTTP interfaces, weak and sound: what is found, with which evidence, and what stays silent."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from seawall.audit.check import Limits
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Item, Result, Severity, Status
from seawall.testing.audit_rig import (
    HOST,
    Audited,
    Counting,
    Pair,
    audit,
    mint,
    read_until_end,
    server_context,
    serving,
)
from seawall.testing.web_stage import WebStage
from seawall.web.app import create_app

pytestmark = pytest.mark.system

SOUND_HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Server", "device"),
)
Answer = tuple[int, tuple[tuple[str, str], ...], bytes]


@dataclass
class Api:
    """A small server: what it answers to each path, and to all others."""

    routes: dict[str, Answer] = field(default_factory=dict)
    otherwise: Answer = (404, SOUND_HEADERS, b"not found")
    keeps: bool = True
    dynamic: Callable[[str, str, dict[str, str], bytes], Answer | None] = lambda *_: None
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ", 2)
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.asked.append((method, path, headers))
            status, fields, content = (
                self.dynamic(method, path, headers, body) or self.routes.get(path) or self.otherwise
            )
            lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(content)}"]
            lines += [f"{name}: {value}" for name, value in fields]
            lines += [] if self.keeps else ["Connection: close"]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
            await writer.drain()
            if not self.keeps:
                return


def target_of(port: int, *, uses_tls: bool = False, **access: Any) -> Target:
    scheme = "https" if uses_tls else "http"
    name = f"{scheme}://localhost:{port}"
    return Target(
        TargetKind.API, name, "localhost", port, uses_tls=uses_tls, access=Access(**access)
    )


def look(api: Api, **access: Any) -> Audited:
    with serving(api.serve) as port:
        return checked(audit(target_of(port, **access), "api."))


def checked(audited: Audited) -> Audited:
    assert audited.faults == []
    return audited


def results(audited: Audited) -> list[Result]:
    return [result for all_ in audited.by_check.values() for result in all_]


def failed(audited: Audited) -> set[str]:
    return {result.check for result in results(audited) if result.status is Status.FAIL}


def only(audited: Audited, check: str) -> Result:
    (result,) = audited.by_check[check]
    return result


ALWAYS = {"api.transport.plain"}  # these servers speak plain HTTP
LOGIN = {"api.login.default-password", "api.login.no-limit"}
JSON = (*SOUND_HEADERS, ("Content-Type", "application/json"))
HTML = (*SOUND_HEADERS, ("Content-Type", "text/html"))
CLOSED: Answer = (401, JSON, b'{"error":"not signed in"}')


def sound_api(**routes: Answer) -> Api:
    return Api({"/": CLOSED, **routes}, otherwise=CLOSED)


# Sound


@pytest.mark.parametrize("keeps", [True, False])
def test_a_sound_api_is_silent(keeps: bool) -> None:
    api = sound_api()
    api.keeps = keeps
    audited = look(api)
    assert failed(audited) == ALWAYS
    unknown = {r.check for r in results(audited) if r.status is Status.UNKNOWN}
    assert unknown == LOGIN
    assert "needs --try-defaults" in only(audited, "api.login.no-limit").evidence


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("api")
    root = mint(folder, names=("Root",), file="root.pem")
    return mint(folder, issuer=root)


@contextmanager
def seawall_web(pair: Pair) -> Iterator[tuple[int, WebStage]]:
    stage = WebStage(lambda: 1_763_759_216_000)
    stage.add_device("greenhouse-1")
    config = uvicorn.Config(
        create_app(stage.services()),
        host=HOST,
        port=0,
        ssl_keyfile=pair.path,
        ssl_certfile=pair.path,
        log_level="critical",
        server_header=False,
        lifespan="off",
        http="h11",
        ws="none",
    )
    server = uvicorn.Server(config)
    ready = threading.Event()

    async def serve() -> None:
        config.load()
        assert config.ssl
        config.ssl.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        ready.set()
        await server.main_loop()
        await server.shutdown()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server.servers[0].sockets[0].getsockname()[1], stage
    finally:
        server.should_exit = True
        thread.join(10)


def test_our_own_web_side_is_silent(pair: Pair) -> None:
    with seawall_web(pair) as (port, stage):
        stage.add_token("t0ken-of-a-program")
        target = target_of(
            port,
            uses_tls=True,
            ca=pair.ca_path,
            token="t0ken-of-a-program",
            openapi=f"https://localhost:{port}/api/v1/openapi.json",
            try_defaults=True,
        )
        audited = checked(audit(target, "api.", "tls."))
    assert [r for r in results(audited) if r.status in (Status.FAIL, Status.UNKNOWN)] == []
    open_routes = only(audited, "api.access.open-route")
    assert "openapi.json" in open_routes.evidence
    assert "held up" in only(audited, "api.login.no-limit").evidence
    assert "t0ken" not in repr(results(audited))


def test_a_token_goes_to_the_right_server_alone(tmp_path: Path) -> None:
    stranger = mint(tmp_path)
    other = mint(tmp_path, names=("Other",), file="other.pem")
    api = Api({}, otherwise=CLOSED)
    with serving(api.serve, server_context(stranger)) as port:
        target = target_of(
            port,
            uses_tls=True,
            ca=other.ca_path,
            token="t0ken",
            openapi=f"https://localhost:{port}/openapi.json",
        )
        result = only(audit(target, "api.access"), "api.access.open-route")
    assert result.status is Status.UNKNOWN
    assert "certificate verify failed" in result.evidence
    assert not [headers for _, _, headers in api.asked if "authorization" in headers]


# Routes

DESCRIPTION = {
    "openapi": "3.1.0",
    "security": [{"bearer": []}],
    "paths": {
        "/devices": {"get": {}},
        "/devices/{id}/keys": {"get": {}},
        "/closed": {"get": {}},
        "/health": {"get": {"security": []}},
        "/orders": {"post": {}},
    },
}


def test_open_routes_of_a_description(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(DESCRIPTION))
    data: Answer = (200, JSON, b'[{"id":"greenhouse-1"}]')
    weak = sound_api(**{"/devices": data, "/devices/1/keys": data, "/health": data})
    found = look(weak, openapi=str(file)).by_check["api.access.open-route"]
    assert [r.status for r in found] == [Status.FAIL] * 2
    assert {r.evidence.split(":")[0] for r in found} == {
        "without a token, GET /devices",
        "without a token, GET /devices/1/keys",
    }
    assert all(r.item is Item.INTERFACES and r.severity is Severity.HIGH for r in found)
    assert "greenhouse" not in repr(found)
    sound = look(sound_api(**{"/health": data}), openapi=str(file))
    assert only(sound, "api.access.open-route").status is Status.PASS


def test_more_routes_than_are_asked_are_no_pass(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    paths = {f"/r{number}": {"get": {"security": [{"token": []}]}} for number in range(40)}
    file.write_text(json.dumps({"openapi": "3.1.0", "paths": paths}))
    result = only(look(sound_api(), openapi=str(file)), "api.access.open-route")
    assert result.status is Status.UNKNOWN
    assert "25 of 40 routes" in result.evidence


def test_a_description_without_servers_is_asked_below_the_target(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(DESCRIPTION))
    api = sound_api(**{"/api/v1/devices": (200, JSON, b'[{"id":"greenhouse-1"}]')})
    with serving(api.serve) as port:
        target = replace(target_of(port, openapi=str(file)), base_path="/api/v1")
        audited = checked(audit(target, "api.access"))
    (result,) = audited.by_check["api.access.open-route"]
    assert "without a token, GET /api/v1/devices: 200" in result.evidence


@pytest.mark.parametrize("keeps", [True, False])
def test_usual_routes_without_a_description(keeps: bool) -> None:
    api = sound_api(**{"/api/v1/devices": (200, JSON, b'[{"id":1}]')})
    api.keeps = keeps
    result = only(look(api), "api.access.open-route")
    assert result.status is Status.FAIL
    assert "/api/v1/devices: 200, application/json" in result.evidence


def test_a_page_for_everything_is_no_open_route() -> None:
    page = b"<title>App</title>" + b"x" * 500
    api = Api({}, otherwise=(200, HTML, page))
    result = only(look(api), "api.access.open-route")
    assert result.status is Status.UNKNOWN
    assert "--openapi" in result.evidence


@pytest.mark.parametrize(
    "content", [b"openapi: 3.0", b"[]", b'{"paths":[]}', b'{"paths":{"/a":{"get":1}}}', b"[" * 9999]
)
def test_a_description_that_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "openapi.json"
    file.write_bytes(content)
    result = only(look(sound_api(), openapi=str(file)), "api.access.open-route")
    assert result.status is Status.UNKNOWN
    assert "openapi.json" in result.evidence


# Each weakness, and the same server without it

GIT = (200, SOUND_HEADERS, b"ref: refs/heads/main\n")
SETTINGS = (200, SOUND_HEADERS, b"DEBUG=1\nSECRET_KEY=hunter2\n")
TRACEBACK = b"Traceback (most recent call last):\n  File 'app.py', line 3"
WEAK: list[tuple[str, dict[str, Answer], str]] = [
    ("api.exposure.files", {"/.git/HEAD": GIT}, "the history of a Git repository"),
    ("api.exposure.files", {"/.env": SETTINGS}, "2 settings"),
    ("api.exposure.docs", {"/docs": (200, HTML, b"<div id='swagger-ui'>")}, "/docs"),
    (
        "api.exposure.docs",
        {"/openapi.json": (200, JSON, json.dumps(DESCRIPTION).encode())},
        "/openapi.json",
    ),
    ("api.exposure.debug", {"/console": (200, HTML, b"Werkzeug Debugger")}, "Werkzeug"),
    ("api.exposure.debug", {"/debug": (200, JSON, b'{"environment": {}}')}, "settings of the"),
    (
        "api.exposure.debug",
        {"/seawall-audit-asks-for-what-is-not-there": (500, HTML, TRACEBACK)},
        "a Python traceback",
    ),
    (
        "api.exposure.listing",
        {"/static/": (200, HTML, b"<title>Index of /static</title>")},
        "lists",
    ),
    ("api.server.version", {"/": (401, (*JSON, ("Server", "nginx/1.18.0")), b"{}")}, "nginx/1.18"),
    ("api.headers.missing", {"/": (401, HTML[1:], b"<p>")}, "no content-security-policy"),
    (
        "api.cookies.flags",
        {"/": (401, (*JSON, ("Set-Cookie", "sessionid=hunter2; Path=/")), b"{}")},
        "the cookie sessionid without HttpOnly, SameSite",
    ),
]


@pytest.mark.parametrize(("check", "routes", "words"), WEAK)
def test_a_weakness_is_found(check: str, routes: dict[str, Answer], words: str) -> None:
    api = sound_api(**routes)
    if check == "api.server.version":
        api.routes["/"] = (401, (("Server", "nginx/1.18.0"), *JSON[:2]), b"")
    audited = look(api)
    assert check in failed(audited)
    assert failed(audited) <= {check} | ALWAYS | {"api.headers.missing"}
    found = [r for r in audited.by_check[check] if r.status is Status.FAIL]
    assert words in found[0].evidence
    assert found[0].fix
    assert found[0].reproduce
    assert found[0].reproduce.startswith("curl ")
    assert "hunter2" not in repr(results(audited))
    mended = only(look(sound_api()), check)  # without what the fix says to take out
    assert mended.status is Status.PASS


def test_lines_that_are_printed_mend_headers_and_cookies() -> None:
    bare = (("Content-Type", "text/html"), ("Set-Cookie", "sid=1"))
    audited = look(Api({"/": (200, bare, b"<p>")}, otherwise=CLOSED))
    assert len(failed_of(audited, "api.headers.missing")) == 3
    fixes = [r.fix.text for r in failed_of(audited, "api.headers.missing") if r.fix]
    lines = [text.split("`")[1].split(": ", 1) for text in fixes]
    mended = [("Content-Type", "text/html"), *((name, value) for name, value in lines)]
    (cookie,) = failed_of(audited, "api.cookies.flags")
    assert cookie.fix
    name, value = cookie.fix.text.split("`")[1].split(": ", 1)
    mended.append((name, value.replace("NAME=VALUE", "sid=1")))
    assert failed(look(Api({"/": (200, tuple(mended), b"<p>")}, otherwise=CLOSED))) == ALWAYS


def failed_of(audited: Audited, check: str) -> list[Result]:
    return [r for r in audited.by_check[check] if r.status is Status.FAIL]


def test_an_application_on_one_page_makes_no_false_alarm() -> None:
    """Whatever is asked for, it answers with its one page, which speaks of its settings."""
    page = b"<title>App</title><script>const config = {env: 'redoc'}</script>" + b"x" * 900
    audited = look(Api({}, otherwise=(200, HTML, page)))
    assert failed(audited) == ALWAYS


def test_a_page_made_to_hold_up_its_reader() -> None:
    for piece in (b" " * 1000, b"\n at ", b"<title> ", b"<!--", b"<form ", b"error.", b"a."):
        page = (piece * 300_000)[:300_000]
        audited = look(Api({}, otherwise=(200, HTML, page)), try_defaults=True)
        assert audited.by_check


def test_cors_that_reflects_any_origin() -> None:
    def reflect(_: str, path: str, headers: dict[str, str], __: bytes) -> Answer | None:
        allow = ("Access-Control-Allow-Origin", headers["origin"])
        return (401, (*JSON, allow, ("Access-Control-Allow-Credentials", "true")), b"{}")

    api = Api(dynamic=reflect)
    result = only(look(api), "api.cors.any-origin")
    assert (result.status, result.severity) == (Status.FAIL, Severity.HIGH)
    assert "https://seawall-audit.example" in result.evidence
    star = (401, (*JSON, ("Access-Control-Allow-Origin", "*")), b"{}")
    assert only(look(Api(otherwise=star)), "api.cors.any-origin").status is Status.PASS


def test_trace_that_echoes() -> None:
    def echo(method: str, path: str, headers: dict[str, str], _: bytes) -> Answer | None:
        if method != "TRACE":
            return CLOSED
        sent = "\r\n".join(f"{k}: {v}" for k, v in headers.items()).encode()
        return (200, (*SOUND_HEADERS, ("Content-Type", "message/http")), sent)

    found = only(look(Api(dynamic=echo)), "api.methods.trace")
    assert found.status is Status.FAIL
    assert "TRACE" in found.evidence
    assert only(look(sound_api()), "api.methods.trace").status is Status.PASS


def test_plain_http_that_sends_to_https() -> None:
    found = only(look(sound_api()), "api.transport.plain")
    assert (found.status, found.item) == (Status.FAIL, Item.TRANSFER_AND_STORAGE)
    assert found.fix
    line = found.fix.text.split("`")[1].rstrip(";")  # what nginx would answer with it
    code, address = line.removeprefix("return ").split(" ")
    address = address.replace("$host", "localhost").replace("$request_uri", "/")
    sent = (int(code), (*SOUND_HEADERS, ("Location", address)), b"")
    api = Api(otherwise=sent)
    assert only(look(api), "api.transport.plain").status is Status.PASS


# Signing in

FORM = b'<form action="/login" method=post><input name=u><input type=password name=p>'


def signing_in(good: tuple[str, str] | None, limit: int = 99) -> Api:
    tries: list[bytes] = []

    def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        if path != "/login":
            return None
        if method == "GET":
            return (200, HTML, FORM)
        tries.append(body)
        if len(tries) > limit:
            return (429, (*HTML, ("Retry-After", "60")), b"")
        if good and body == f"p={good[1]}&u={good[0]}".encode():
            return (303, (*HTML, ("Set-Cookie", "sid=1"), ("Location", "/")), b"")
        return (200, HTML, FORM)

    return Api({"/": (303, (*HTML, ("Location", "/login")), b"")}, CLOSED, dynamic=answer)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_default_password_is_found(keeps: bool) -> None:
    api = signing_in(("admin", "password"))
    api.keeps = keeps
    audited = look(api, try_defaults=True)
    result = only(audited, "api.login.default-password")
    assert (result.status, result.severity, result.item) == ("fail", "critical", Item.PASSWORDS)
    assert "admin signs in with a default password of 8 characters" in result.evidence
    assert only(audited, "api.login.no-limit").status is Status.UNKNOWN
    assert sum(method == "POST" for method, _, _ in api.asked) == 3
    changed = look(signing_in(("admin", "a-long-and-unusual-horse")), try_defaults=True)
    assert only(changed, "api.login.default-password").status is Status.PASS


def test_a_login_without_limit_is_found_within_five_tries() -> None:
    api = signing_in(None)
    audited = look(api, try_defaults=True)
    assert only(audited, "api.login.no-limit").status is Status.FAIL
    assert only(audited, "api.login.default-password").status is Status.PASS
    assert sum(method == "POST" for method, _, _ in api.asked) == 5
    assert only(look(signing_in(None, 4), try_defaults=True), "api.login.no-limit").status == "pass"


def test_no_try_without_being_asked() -> None:
    api = signing_in(("admin", "admin"))
    look(api)
    assert not [method for method, _, _ in api.asked if method == "POST"]


def test_a_login_of_programs_with_form_fields() -> None:
    def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        if path != "/token" or method != "POST":
            return None
        if "json" in headers["content-type"]:
            return (422, JSON, b"{}")
        is_let_in = body == b"password=123456&username=admin"
        return (200 if is_let_in else 401, JSON, b'{"access_token":"hunter2"}')

    api = Api(otherwise=(404, JSON, b"{}"), dynamic=answer)
    audited = look(api, try_defaults=True)
    result = only(audited, "api.login.default-password")
    assert result.status is Status.FAIL
    assert "form fields at /token: admin signs in" in result.evidence
    assert "hunter2" not in repr(results(audited))


def test_a_login_that_does_not_understand_is_unknown() -> None:
    page = (200, HTML, FORM)
    rest: Answer = (422, JSON, b"{}")
    for api in (Api({"/": page}, rest), Api({"/": (404, JSON, b"{}")}, rest)):
        audited = look(api, try_defaults=True)
        assert only(audited, "api.login.default-password").status is Status.UNKNOWN
        assert only(audited, "api.login.no-limit").status is Status.UNKNOWN


def test_basic_authentication_with_a_default_password() -> None:
    def answer(_: str, path: str, headers: dict[str, str], __: bytes) -> Answer | None:
        if headers.get("authorization") == "basic ywrtaw46ywrtaw4=":  # lower-cased admin:admin
            return (200, JSON, b'{"ok":true}')
        return (401, (*JSON, ("WWW-Authenticate", 'Basic realm="x"')), b"{}")

    result = only(look(Api(dynamic=answer), try_defaults=True), "api.login.default-password")
    assert result.status is Status.FAIL


def test_read_only_sends_nothing_odd() -> None:
    for may_write in (True, False):
        api = sound_api()
        audited = look(api, may_write=may_write)
        odd = [path for method, path, _ in api.asked if method != "GET" or "seawall-audit=" in path]
        assert len(odd) == (2 if may_write else 0)
        for check in ("api.methods.trace", "api.exposure.debug"):
            result = only(audited, check)
            assert result.status is (Status.PASS if may_write else Status.UNKNOWN)
            assert ("not made" in result.evidence) is not may_write
    shown = Api({"/debug": (200, HTML, b"<h1>settings</h1>")})
    assert only(look(shown, may_write=False), "api.exposure.debug").status is Status.FAIL


# Limits and hostile servers


def test_connections_stay_in_their_number(pair: Pair) -> None:
    counting = Counting()
    api = sound_api()
    api.keeps = False
    with serving(api.serve, server_context(pair), counting) as port:
        target = target_of(port, uses_tls=True, ca=pair.ca_path, try_defaults=True)
        audited = checked(audit(target, "api.", "tls."))
    assert counting.connections <= 40
    assert "limit of" not in repr(results(audited))


HOSTILE: list[bytes | None] = [
    b"SSH-2.0-x\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 200_000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    b"\x00" * 50,
    b"",
    None,
]


@pytest.mark.parametrize("said", HOSTILE)
def test_hostile_servers_are_unknown(said: bytes | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if said is None:
            return  # closes
        writer.write(said)
        await read_until_end(reader, writer)

    limits = Limits(read_timeout_s=0.3, connect_timeout_s=0.3)
    with serving(answer) as port:
        audited = checked(audit(target_of(port, try_defaults=True), "api.", limits=limits))
    assert {r.status for r in results(audited)} <= {Status.UNKNOWN, Status.PASS, Status.FAIL}
    assert only(audited, "api.exposure.files").status is Status.UNKNOWN
    assert only(audited, "api.methods.trace").status is Status.UNKNOWN


def test_nothing_passes_where_nothing_answers(free_port: Callable[[], int]) -> None:
    for uses_tls in (False, True):
        audited = checked(audit(target_of(free_port(), uses_tls=uses_tls), "api.", "tls."))
        assert not [r for r in results(audited) if r.status in (Status.PASS, Status.FAIL)]


def test_an_endless_answer_is_read_to_a_limit() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            writer.write(b"<p>" * 10_000)
            await writer.drain()

    with serving(flood) as port:
        audited = checked(audit(target_of(port), "api."))
    assert "api.headers.missing" in failed(audited)


def test_tls_with_a_strangers_certificate_is_still_looked_at(pair: Pair) -> None:
    api = sound_api(**{"/.git/HEAD": GIT})
    context = server_context(pair, newest=ssl.TLSVersion.TLSv1_2)
    with serving(api.serve, context) as port:
        target = replace(target_of(port, uses_tls=True), host=HOST)
        audited = checked(audit(target, "api."))
    assert failed(audited) == {"api.exposure.files"}

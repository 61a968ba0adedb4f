"""What was not seen is no pass: each check without answers, and with files that are not theirs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Answers, Check, Job, Limits, Unobserved
from seawall.audit.checks import (
    api_default_password,
    api_docs,
    api_files,
    api_login_limit,
    api_open_routes,
    mqtt_anonymous,
    mqtt_default_credentials,
    mqtt_limit_packet,
    mqtt_system_topics,
    mqtt_takeover,
    mqtt_user_enumeration,
    mqtt_wrong_password,
    tls_chain,
    tls_client_certificate,
    tls_protocol,
)
from seawall.audit.http_facts import Reply, Request, WalkFacts
from seawall.audit.mqtt_facts import Attempt, Foreign, Greeting, Heard, Takeover
from seawall.audit.openapi import Route
from seawall.audit.policy import read_policy
from seawall.audit.probes.http_login import LoginFacts, Try
from seawall.audit.probes.http_routes import MAX_ROUTES, RouteFacts
from seawall.audit.probes.tls import SessionFacts, VerificationFacts
from seawall.audit.runner import Terms
from seawall.audit.running import audit_all
from seawall.audit.target import Access, Target, TargetKind
from seawall.audit.verdicts import judge, missing_input
from seawall.errors import ConfigurationError
from seawall.model.finding import Result, Status
from seawall.wire.mqtt.codes import V5, V311
from seawall.wire.tls_hello import ServerFlight, TlsVersion

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOWHERE = Path("/nonexistent/file")
EVERYTHING = Access(
    ca=NOWHERE,
    cert=NOWHERE,
    key=NOWHERE,
    username="u",
    password="one of eight",
    token="some token",
    openapi="/nonexistent/openapi.json",
    pin="0" * 64,
    server_name="name",
    expect_ports=(),
    try_defaults=True,
    other=Access(username="v", password="another one"),
)


def pairs() -> Iterator[Any]:
    for check in find_checks():
        for kind in sorted(check.kinds):
            yield pytest.param(check, kind, id=f"{check.id}-{kind}")


@pytest.mark.parametrize(("check", "kind"), list(pairs()))
@pytest.mark.parametrize("access", [Access(), EVERYTHING], ids=["nothing given", "all given"])
@pytest.mark.parametrize("uses_tls", [False, True])
def test_without_an_answer_no_check_passes(
    check: Check, kind: TargetKind, access: Access, uses_tls: bool
) -> None:
    target = Target(kind, "t", "127.0.0.1", 443, uses_tls, path=NOWHERE, access=access)
    if missing_input(check, target):
        return
    facts = dict.fromkeys(check.jobs(target), Unobserved("connection reset"))
    found, fault = judge(check, target, Answers(facts, NOW))
    assert fault == ""
    assert {each.status for each in found} <= {Status.UNKNOWN, Status.NOT_APPLICABLE}


# Files that are not what their target says

ON_DISK = (
    TargetKind.MOSQUITTO,
    TargetKind.SDKCONFIG,
    TargetKind.EFUSE,
    TargetKind.INVENTORY,
)
_FUSES = ("SECURE_BOOT_EN", "SPI_BOOT_CRYPT_CNT", "DIS_PAD_JTAG", "DIS_DOWNLOAD_MODE")
GARBAGE = {
    "binary": bytes(range(256)) * 20,
    "zeros": bytes(10_000),
    "utf-16": "listener 1883\n".encode("utf-16"),
    "one long line": b"a" * 900_000,
    "deep": b"[" * 100_000,
    "null": b"null",
    "number": b"1e999",
    "list": b"[]",
    "object": b"{}",
    "rows of nothing": b'[{"id":1},{"id":null},{},[],3]',
    "dates in words": b'[{"id":"a","serial":null,"expires":"soon","last_seen":"just now"}]',
    "no rows": b"id,firmware,serial,expires,last_seen,status\n",
    "dates nobody can order": b"id,serial,expires,last_seen\na,1,31/12/2020,12/31/2020\n",
    "fuses in words": "".join(f"{name} (BLOCK0)  x = ??? R/W\n" for name in _FUSES).encode(),
    "fuses without rights": "".join(f"{name} (BLOCK0)  x = odd -/-\n" for name in _FUSES).encode(),
    "fuses of null": json.dumps(
        {name: {"value": None, "readable": "x", "writeable": "y"} for name in _FUSES}
        | {"KEY_PURPOSE_0": {"value": "XTS_AES_128_KEY"}}
    ).encode(),
    "fuses of lists": json.dumps({name: {"value": [1]} for name in _FUSES}).encode(),
    "a key block that is not there": b"KEY_PURPOSE_0 (BLOCK0)  x = XTS_AES_128_KEY R/-\n",
    "more options than are read": b"".join(b"CONFIG_A%d=y\n" % n for n in range(30_000))
    + b'CONFIG_ESP_TLS_INSECURE=y\nCONFIG_WIFI_PASSWORD="whatever it is"\n',
}


def audited(kind: TargetKind, path: Path) -> list[Result]:
    target = Target(kind, "t", path=path)
    results, faults = audit_all([target], find_checks(), Terms(Limits(nonce="n"), NOW))
    assert faults == []
    assert results
    return results


def passes(results: list[Result]) -> list[str]:
    return [f"{each.check}: {each.evidence}" for each in results if each.status is Status.PASS]


@pytest.mark.parametrize("kind", ON_DISK)
@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_passes_nothing(tmp_path: Path, kind: TargetKind, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert passes(audited(kind, path)) == []


@pytest.mark.parametrize("kind", [*ON_DISK, TargetKind.FIRMWARE, TargetKind.STATE])
@pytest.mark.parametrize("what", ["pipe", "device", "loop", "nothing", "other"])
def test_what_is_no_file_is_unknown(tmp_path: Path, kind: TargetKind, what: str) -> None:
    path = tmp_path / "it"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path = Path("/dev/zero")
    elif what == "loop":
        path.symlink_to("it")
    elif what == "other" and kind in ON_DISK:
        path.mkdir()
    elif what == "other":
        path.write_bytes(b"x")
    assert {each.status for each in audited(kind, path)} <= {Status.UNKNOWN, Status.NOT_APPLICABLE}


def test_an_included_folder_that_cannot_be_read_leaves_its_settings_open(tmp_path: Path) -> None:
    sound = tmp_path / "sound.conf"
    sound.write_text("listener 1883 localhost\nallow_anonymous false\n")
    assert any(each.startswith("mosquitto.auth.anonymous") for each in passes_of(sound))
    sound.write_text(sound.read_text() + "include_dir conf.d\n")
    assert passes_of(sound) == []


def passes_of(configuration: Path) -> list[str]:
    return [
        each
        for each in passes(audited(TargetKind.MOSQUITTO, configuration))
        if not each.startswith("mosquitto.files.")
    ]


def test_too_many_included_files_are_not_all_read(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for number in range(210):
        (folder / f"{number:03}.conf").write_text("# nothing\n")
    (folder / "999.conf").write_text("allow_anonymous true\n")
    main = tmp_path / "mosquitto.conf"
    main.write_text("listener 1883 localhost\nallow_anonymous false\ninclude_dir conf.d\n")
    assert passes_of(main) == []


def test_lines_that_are_no_passwords_are_not_strong_ones(tmp_path: Path) -> None:
    main = tmp_path / "mosquitto.conf"
    main.write_text("listener 1883 localhost\npassword_file passwords\n")
    (tmp_path / "passwords").write_bytes(bytes(range(1, 256)) * 3)
    results = audited(TargetKind.MOSQUITTO, main)
    weak = [each.status for each in results if each.check == "mosquitto.passwords.weak"]
    assert weak == [Status.UNKNOWN]


def test_an_acl_that_cannot_be_read_is_not_sound(tmp_path: Path) -> None:
    main = tmp_path / "mosquitto.conf"
    main.write_text("listener 1883 localhost\nacl_file acl\n")
    (tmp_path / "acl").mkdir()
    by_check = {each.check: each.status for each in audited(TargetKind.MOSQUITTO, main)}
    for check in ("mosquitto.acl.open", "mosquitto.acl.client-id", "mosquitto.acl.missing"):
        assert by_check[check] is Status.UNKNOWN


def test_source_with_a_zero_byte_is_not_sound(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('hello')\n")
    assert any(
        "firmware.secrets" in each for each in passes(audited(TargetKind.FIRMWARE, tmp_path))
    )
    (tmp_path / "hidden.py").write_bytes(b"#\0\npassword = 'hunter2hunter2'\n")
    by_source = ("firmware.secrets.code", "firmware.tls", "firmware.mqtt", "firmware.webrepl")
    assert not any(
        each.startswith(by_source) for each in passes(audited(TargetKind.FIRMWARE, tmp_path))
    )


# Brokers

MQTT = Target(TargetKind.MQTT, "broker", "127.0.0.1", 1883, access=EVERYTHING)
CLOSED = Greeting(False, V5, None, (), "closed without CONNACK")
REFUSED = Greeting(False, V5, 0x87)
IN = Greeting(True, V5, 0)
BUSY = (
    CLOSED,
    Greeting(False, V5, 0x88),
    Greeting(False, V5, 0x89),
    Greeting(False, V5, 0x84),
    Greeting(False, V5, 0x9F),
    Greeting(False, V311, 3),
    Greeting(False, V311, 1),
)


def statuses(check: Check, target: Target, *seen: object) -> set[Status]:
    facts: dict[Job[Any], object] = dict(zip(check.jobs(target), seen, strict=True))
    found, fault = judge(check, target, Answers(facts, NOW))
    assert fault == ""
    return {each.status for each in found}


@pytest.mark.parametrize("said", BUSY, ids=lambda each: each.text)
def test_a_broker_that_asks_for_nobody_has_refused_nobody(said: Greeting) -> None:
    nobody = Unobserved("refused")
    assert statuses(mqtt_anonymous.CHECK, MQTT, said, nobody) == {Status.UNKNOWN}
    assert statuses(mqtt_wrong_password.CHECK, MQTT, said) == {Status.UNKNOWN}
    names = mqtt_user_enumeration.CHECK
    assert statuses(names, MQTT, said, REFUSED, nobody) == {Status.UNKNOWN}
    assert statuses(names, MQTT, REFUSED, said, nobody) == {Status.UNKNOWN}
    tries = [REFUSED, REFUSED, said, REFUSED, REFUSED]
    assert statuses(mqtt_default_credentials.CHECK, MQTT, REFUSED, *tries) == {Status.UNKNOWN}
    taken = Takeover(IN, said, first_ended=False, code=None)
    assert statuses(mqtt_takeover.CHECK, MQTT, taken) == {Status.UNKNOWN}


def test_a_handshake_that_fails_refuses_nobody_in_particular() -> None:
    failed = Greeting(False, V5, None, (), "TLS: alert handshake failure")
    nobody = Unobserved("the broker refuses this identity")
    assert statuses(mqtt_anonymous.CHECK, MQTT, failed, nobody) == {Status.UNKNOWN}
    somebody = Heard("u", IN, 0, 0, (), cut=False)
    assert statuses(mqtt_anonymous.CHECK, MQTT, failed, somebody) == {Status.PASS}
    wanted = Greeting(False, V5, None, (), "TLS: alert certificate required")
    assert statuses(mqtt_anonymous.CHECK, MQTT, wanted, nobody) == {Status.PASS}


def test_a_second_identity_with_a_wrong_password_proves_no_client_id() -> None:
    for wrong in (Greeting(False, V5, 0x86), Greeting(False, V311, 4)):
        taken = Takeover(IN, wrong, first_ended=False, code=None)
        assert statuses(mqtt_takeover.CHECK, MQTT, taken) == {Status.UNKNOWN}
    for said in (Greeting(False, V5, 0x85), Greeting(False, V311, 2), IN):
        taken = Takeover(IN, said, first_ended=False, code=None)
        assert statuses(mqtt_takeover.CHECK, MQTT, taken) == {Status.PASS}


def test_a_connection_that_had_ended_cut_no_packet_off() -> None:
    heard = Heard("u", IN, None, None, (), cut=False)
    ended = Foreign("u", (), (Attempt("t", None, V311, False),), None, None)
    assert statuses(mqtt_limit_packet.CHECK, MQTT, heard, ended) == {Status.UNKNOWN}
    cut = replace(ended, takes_large=False)
    assert statuses(mqtt_limit_packet.CHECK, MQTT, heard, cut) == {Status.PASS}


def test_what_was_not_asked_for_was_not_refused() -> None:
    closed = Heard("u", IN, None, None, (), cut=False)
    assert statuses(mqtt_system_topics.CHECK, MQTT, closed) == {Status.UNKNOWN}
    refused = Heard("u", IN, 0x87, 0x87, (), cut=False)
    assert statuses(mqtt_system_topics.CHECK, MQTT, refused) == {Status.PASS}


# TLS

TLS = Target(TargetKind.TLS, "port", "127.0.0.1", 443, access=Access(pin="0" * 64))
ALERT = ServerFlight(alert=40)
NO_SESSION = SessionFacts(refusal="handshake_failure")


@pytest.mark.parametrize(
    "check",
    [each for each in find_checks() if TargetKind.TLS in each.kinds],
    ids=lambda each: each.id,
)
def test_who_answers_every_hello_with_an_alert_passes_nothing(check: Check) -> None:
    of_type = {
        "Hello": ALERT,
        "Session": NO_SESSION,
        "Verification": VerificationFacts(0, "handshake_failure", "it", is_complete=False),
    }
    facts = {job: of_type[type(job).__name__] for job in check.jobs(TLS)}
    found, fault = judge(check, TLS, Answers(facts, NOW))
    assert fault == ""
    assert {each.status for each in found} == {Status.UNKNOWN}


def test_a_chain_is_sound_if_only_our_certificate_is_wanting() -> None:
    jobs = tls_chain.CHECK.jobs(TLS)
    wants = ServerFlight(version=TlsVersion.TLS_1_2, wants_certificate=True)
    seen = {
        "Hello": wants,
        "Session": NO_SESSION,
        "Verification": VerificationFacts(0, "handshake_failure", "ca.pem", is_complete=False),
    }
    facts = {job: seen[type(job).__name__] for job in jobs}
    found, _ = judge(tls_chain.CHECK, TLS, Answers(facts, NOW))
    assert [each.status for each in found] == [Status.PASS]


def test_an_answer_older_than_asked_for_counts_as_what_it_is() -> None:
    found = protocol_findings(TlsVersion.SSL_3_0)
    assert [each.key for each in found] == ["SSL 3.0"]
    assert [each.status for each in protocol_findings(0x0200)] == [Status.UNKNOWN]


def protocol_findings(answered: int) -> list[Any]:
    jobs = tls_protocol.CHECK.jobs(TLS)
    facts: dict[Job[Any], object] = {}
    for job in jobs:
        version = getattr(job, "version", None)
        if version is None:
            facts[job] = SessionFacts("TLSv1.3", "x", b"x")
        elif version is TlsVersion.TLS_1_1:
            facts[job] = ServerFlight(version=answered)
        else:
            facts[job] = ServerFlight(alert=70)
    found, fault = judge(tls_protocol.CHECK, TLS, Answers(facts, NOW))
    assert fault == ""
    return found


def test_a_certificate_is_demanded_by_a_server_that_shows_itself() -> None:
    check = tls_client_certificate.CHECK
    facts = {job: ALERT if type(job).__name__ == "Hello" else NO_SESSION for job in check.jobs(TLS)}
    found, _ = judge(check, TLS, Answers(facts, NOW))
    assert {each.status for each in found} == {Status.UNKNOWN}


# Interfaces

API = Target(TargetKind.API, "api", "127.0.0.1", 80, access=Access(try_defaults=True))
_SURFACE = [
    each for each in find_checks() if TargetKind.API in each.kinds and each.id.startswith("api.")
]


def walked(check: Check, target: Target, status: int) -> dict[Job[Any], object]:
    reply = Reply(status, (("content-type", "text/plain"),), b"no")
    facts: dict[Job[Any], object] = {}
    for job in check.jobs(target):
        if hasattr(job, "requests"):
            facts[job] = WalkFacts(dict.fromkeys(job.requests, reply))
        else:
            facts[job] = Unobserved("nothing")
    return facts


@pytest.mark.parametrize("status", [400, 429, 502, 503, 504])
@pytest.mark.parametrize("check", _SURFACE, ids=lambda each: each.id)
def test_an_interface_that_answers_all_with_errors_was_not_seen(check: Check, status: int) -> None:
    found, fault = judge(check, API, Answers(walked(check, API, status), NOW))
    assert fault == ""
    assert Status.PASS not in {each.status for each in found}


@pytest.mark.parametrize("check", [api_docs.CHECK, api_files.CHECK], ids=lambda each: each.id)
def test_an_interface_without_such_pages_passes(check: Check) -> None:
    found, _ = judge(check, API, Answers(walked(check, API, 404), NOW))
    assert {each.status for each in found} == {Status.PASS}


def test_who_sends_everybody_elsewhere_asks_for_no_login() -> None:
    def finding(location: str) -> set[Status]:
        reply = Reply(302, (("location", location),))
        routes = tuple(Route(path, None) for path in ("/api/devices", "/api/users"))
        facts: dict[Job[Any], object] = {}
        for job in api_open_routes.CHECK.jobs(API):
            if hasattr(job, "requests"):
                facts[job] = WalkFacts(dict.fromkeys(job.requests, reply))
            else:
                asked = {Request(each.path): reply for each in routes}
                walk = WalkFacts(asked)
                facts[job] = RouteFacts("the usual routes", routes, walk, is_guessed=True)
        found, fault = judge(api_open_routes.CHECK, API, Answers(facts, NOW))
        assert fault == ""
        return {each.status for each in found}

    assert finding("https://127.0.0.1/") == {Status.UNKNOWN}
    assert finding("http://elsewhere.example/") == {Status.UNKNOWN}
    assert finding("/login?next=/api/devices") == {Status.PASS}


@pytest.mark.parametrize(
    ("answers", "declared", "status", "told"),
    [
        ([401, 401], True, Status.PASS, "2 of 2 routes"),
        ([401, 404], True, Status.UNKNOWN, "1 of 2 routes"),
        ([401, 422], None, Status.UNKNOWN, "/r1 was answered with 422"),
        ([401, None, None], None, Status.UNKNOWN, "1 of 3 routes"),
        ([401] * 40, True, Status.UNKNOWN, "25 of 40 routes"),
        ([404, 404], True, Status.UNKNOWN, "0 of 2 routes"),
        ([200, 200], False, Status.PASS, "first page"),
        ([401, 404, 404], "guessed", Status.PASS, "1 of 1 routes"),
        ([401, 422, 404], "guessed", Status.UNKNOWN, "1 of 2 routes"),
        ([401, None, 404], "guessed", Status.UNKNOWN, "/r1: timed out"),
        ([401, 401, ""], "guessed", Status.PASS, "2 of 2 routes"),
    ],
)
def test_routes_pass_only_if_each_of_them_asked_for_a_login(
    answers: list[int | str | None], declared: Any, status: Status, told: str
) -> None:
    is_guessed = declared == "guessed"
    routes = tuple(
        Route(f"/r{number}", None if is_guessed else declared) for number in range(len(answers))
    )
    unasked = "not asked: the server closes after each answer"
    replies: dict[Request, Reply | str] = {
        Request(route.path): Reply(answer)
        if isinstance(answer, int)
        else (unasked if answer == "" else "timed out after 2 s")
        for route, answer in zip(routes[:MAX_ROUTES], answers, strict=False)
    }
    facts: dict[Job[Any], object] = {}
    for job in api_open_routes.CHECK.jobs(API):
        if hasattr(job, "requests"):
            facts[job] = WalkFacts(dict.fromkeys(job.requests, Reply(401)))
        else:
            facts[job] = RouteFacts("openapi.json", routes, WalkFacts(replies), is_guessed)
    (finding,), fault = judge(api_open_routes.CHECK, API, Answers(facts, NOW))
    assert fault == ""
    assert (finding.status, told in finding.evidence) == (status, True), finding.evidence


def tries(*statuses_seen: int, is_form: bool = False) -> LoginFacts:
    made = tuple(Try("admin", 5, Reply(status), 0.01) for status in statuses_seen)
    return LoginFacts("JSON at /api/login", made, is_form)


def test_tries_that_were_not_taken_prove_no_password_wrong() -> None:
    default, limit = api_default_password.CHECK, api_login_limit.CHECK
    assert statuses(default, API, tries(401, 401, 401, 401, 401)) == {Status.PASS}
    assert statuses(default, API, tries(401, 429)) == {Status.UNKNOWN}
    assert statuses(limit, API, tries(401, 429)) == {Status.PASS}
    assert statuses(limit, API, tries(503, 503)) == {Status.UNKNOWN}
    assert statuses(default, API, tries(200, 200, 200, 200, 200)) == {Status.UNKNOWN}
    assert statuses(default, API, tries(200, 200, 200, 200, 200, is_form=True)) == {Status.PASS}


# What a limit cut off


def test_in_a_folder_of_which_a_part_was_seen_nothing_is_settled(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"f{number:02}.py").write_text("print(1)\n")
    target = Target(TargetKind.FIRMWARE, "t", path=tmp_path)
    terms = Terms(Limits(nonce="n", max_files=20), NOW)
    results, faults = audit_all([target], find_checks(), terms)
    assert faults == []
    assert {each.status for each in results} == {Status.UNKNOWN}


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_pipe_is_no_certificate(tmp_path: Path, name: str) -> None:
    """TLS would open it in the loop, and wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    policy = tmp_path / "audit.toml"
    policy.write_text(f"[[target]]\nat = 'mqtts://127.0.0.1'\n{name} = 'pipe'\n")
    with pytest.raises(ConfigurationError, match=f"line 3: '{name}'.*no regular file"):
        read_policy(policy)

"""What broker checks make of what was seen, and probes of what a broker might send."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.audit.check import Answers, Check, Limits, Unobserved
from seawall.audit.checks import (
    mqtt_foreign_read,
    mqtt_foreign_write,
    mqtt_personal_data,
    mqtt_takeover,
    mqtt_user_enumeration,
    mqtt_wildcard_read,
)
from seawall.audit.mqtt_facts import Attempt, Foreign, Greeting, Heard, Message, Takeover
from seawall.audit.mqtt_words import topics_text
from seawall.audit.personal_data import personal_data
from seawall.audit.probes.mqtt import (
    Guess,
    Knock,
    Listen,
    TakeOver,
    TryForeign,
    TryPassword,
)
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Finding, Status
from seawall.wire.mqtt.codes import V5, V311
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.packets import ConnAck, Disconnect, PubAck, Publish, SubAck

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = Target(TargetKind.MQTT, "broker", "127.0.0.1", 1883)
IN = Greeting(True, V5, 0)


def judge(check: Check, *seen: object, target: Target = TARGET) -> list[Finding]:
    facts = dict(zip(check.jobs(target), seen, strict=True))
    return list(check.judge(target, Answers(facts, NOW)))


def attempt(code: int | None, version: int = V5, delivered: bool = False) -> Attempt:
    return Attempt("devices/seawall-audit-n/commands", code, version, delivered)


DENIED = attempt(0x87)
TAKEN = attempt(0)


@pytest.mark.parametrize(
    ("attempts", "status"),
    [
        ([DENIED], Status.PASS),
        ([attempt(None)], Status.PASS),
        ([TAKEN], Status.FAIL),
        ([attempt(0x10)], Status.FAIL),
        ([DENIED, TAKEN], Status.FAIL),
        ([attempt(0, V311)], Status.UNKNOWN),
        ([attempt(0, V311, delivered=True)], Status.FAIL),
        ([], Status.UNKNOWN),
    ],
)
def test_writing(attempts: list[Attempt], status: Status) -> None:
    seen = Foreign("a", (1,), tuple(attempts), None, False)
    (finding,) = judge(mqtt_foreign_write.CHECK, seen)
    assert finding.status is status


@pytest.mark.parametrize(
    ("codes", "own", "other", "status"),
    [
        ((1,), DENIED, None, Status.UNKNOWN),  # SUBACK proves nothing
        ((0x87,), DENIED, None, Status.PASS),
        ((), DENIED, None, Status.PASS),
        ((1, 0x87), DENIED, None, Status.UNKNOWN),
        ((1,), TAKEN, None, Status.PASS),  # taken, and not delivered
        ((1,), attempt(0, V5, delivered=True), None, Status.FAIL),
        ((1,), DENIED, TAKEN, Status.PASS),
        ((1,), DENIED, attempt(0, V5, delivered=True), Status.FAIL),
        ((1,), DENIED, DENIED, Status.UNKNOWN),
        ((1,), attempt(0, V311), attempt(0, V311), Status.UNKNOWN),
    ],
)
def test_reading(
    codes: tuple[int, ...], own: Attempt, other: Attempt | None, status: Status
) -> None:
    seen = Foreign("a", codes, (own,), None if other is None else (other,), False)
    (finding,) = judge(mqtt_foreign_read.CHECK, seen)
    assert finding.status is status


def heard(*messages: Message, everything: int | None = 0, identity: str = "a") -> Heard:
    return Heard(identity, IN, everything, 0, messages, False)


def test_own_messages_are_not_foreign() -> None:
    own = Message("devices/a/status", b"{}", True)
    theirs = Message("devices/b/status", b"{}", True)
    system = Message("$SYS/x", b"1", True)
    assert heard(own, theirs, system).foreign == (theirs,)
    assert heard(own, identity="").foreign == (own,)


def test_everything_is_judged_by_delivery() -> None:
    denied = Foreign("a", (1,), (DENIED,), (TAKEN,), False)
    quiet = Foreign("a", (1,), (DENIED,), None, False)
    check = mqtt_wildcard_read.CHECK
    message = Message("devices/b/x", b"", False)
    assert judge(check, heard(message), denied)[0].status is Status.FAIL
    assert judge(check, heard(), denied)[0].status is Status.PASS
    assert judge(check, heard(), quiet)[0].status is Status.UNKNOWN
    assert judge(check, heard(), Unobserved("gone"))[0].status is Status.UNKNOWN
    assert judge(check, heard(everything=0x87), quiet)[0].status is Status.PASS


def test_takeover() -> None:
    refused = Greeting(False, V5, 0x85)
    target = Target(TargetKind.MQTT, "b", access=Access(other=Access(username="o")))
    check = mqtt_takeover.CHECK
    assert check.needs == ("other",)
    for seen, status in (
        (Takeover(IN, IN, True, 0x8E), Status.FAIL),
        (Takeover(IN, IN, False, None), Status.PASS),
        (Takeover(IN, refused, False, None), Status.PASS),
    ):
        assert judge(check, seen, target=target)[0].status is status


def test_user_names_are_told_by_codes_that_differ() -> None:
    wrong, nobody = Greeting(False, V311, 4), Greeting(False, V311, 5)
    target = Target(TargetKind.MQTT, "b", access=Access(username="app"))
    check = mqtt_user_enumeration.CHECK
    (finding,) = judge(check, wrong, nobody, heard(), target=target)
    assert (finding.status, finding.evidence) == (
        Status.FAIL,
        "wrong password: CONNACK 4; unknown user: CONNACK 5",
    )
    assert judge(check, wrong, wrong, heard(), target=target)[0].status is Status.PASS
    assert judge(check, wrong, wrong, heard())[0].status is Status.UNKNOWN
    refused = Unobserved("the broker refuses this identity (CONNACK 5)")
    (finding,) = judge(check, wrong, wrong, refused, target=target)
    assert finding.status is Status.UNKNOWN
    assert "refuses this identity" in finding.evidence
    closed = Greeting(False, V5, None, (), "TLS: alert certificate required")
    assert judge(check, closed, closed, refused, target=target)[0].status is Status.NOT_APPLICABLE


def test_topics_are_harmless_on_a_terminal() -> None:
    shown = topics_text(["a\x1b[31m`b", "c", "c", "d" * 200, "e"])
    assert "\x1b" not in shown
    assert "and 1 more" in shown
    assert len(shown) < 150


# Personal data


@pytest.mark.parametrize(
    ("payload", "kinds"),
    [
        ('{"email":"ada@example.org"}', {"a mail address"}),
        ('{"a":[{"contact":"mail ada.l@mail.example.org now"}]}', {"a mail address"}),
        ("temp=20 user=ada@example.org", {"a mail address"}),
        ('{"phone":"+49 89 1234567"}', {"a telephone number"}),
        ('{"ownerPhone":"0891234567"}', {"a telephone number"}),
        ('{"lat":48.13743,"lon":11.57549}', {"an exact place"}),
        ('{"gps":{"latitude":"48.1374","longitude":"11.5755"}}', {"an exact place"}),
        ('{"firstName":"Ada"}', {"a person's name"}),
        ('{"name":"Ada Lovelace"}', {"a person's name"}),
        ('{"dateOfBirth":"1815-12-10"}', {"a date of birth"}),
        # What is none
        ('{"lat":48.1,"lon":11.5}', set()),
        ('{"lat":48.13743}', set()),
        ('{"name":"greenhouse-1","temp":20.5}', set()),
        ('{"name":"temperature sensor"}', set()),
        ('{"temp":23.5,"raw":723,"boot":1,"seq":7,"ts":1763759216000}', set()),
        ('{"longitude":200.123,"latitude":48.137}', set()),
        ('{"telemetry":"12345678901"}', set()),
        ('{"sig":"0f' + "a1" * 31 + '","host":"broker@home"}', set()),
        ("", set()),
        ("\x00\xff", set()),
    ],
)
def test_signs_of_persons(payload: str, kinds: set[str]) -> None:
    assert {sign.kind for sign in personal_data(payload.encode())} == kinds


def test_the_finding_names_fields_and_never_values() -> None:
    message = Message("home/x", b'{"email":"ada@example.org","mobile":"0891234567"}', True)
    findings = judge(mqtt_personal_data.CHECK, heard(message))
    assert {each.evidence for each in findings} == {
        "a mail address in field `email` on `home/x`",
        "a telephone number in field `mobile` on `home/x`",
    }
    assert "ada@" not in repr(message)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "replace")))
def test_any_payload_is_looked_into(payload: bytes) -> None:
    personal_data(payload)


def test_deep_and_wide_payloads_end() -> None:
    assert personal_data(b"[" * 100_000) == []
    assert personal_data(b'{"a":' * 500 + b"1" + b"}" * 500) == []
    wide = ",".join(f'"lat{n}":1.2345' for n in range(5_000))
    assert personal_data(b"{" + wide.encode() + b"}") == []
    assert personal_data(b'{"x":"' + b"a." * 8_000 + b'"}') == []


# Whatever a broker sends


PACKETS = st.sampled_from(
    [
        encode(ConnAck(), V5),
        encode(ConnAck(code=0x87), V5),
        encode(ConnAck(), V311),
        encode(ConnAck(code=5), V311),
        encode(SubAck(1, (0,)), V5),
        encode(SubAck(1, (1, 1)), V5),
        encode(SubAck(2, (0x87,)), V5),
        encode(PubAck(1), V5),
        encode(PubAck(2, 0x87), V5),
        encode(Publish("devices/x/readings", b'{"email":"a@b.org"}', retain=True), V5),
        encode(Publish("$SYS/broker/version", b"1", 1, packet_id=7), V5),
        encode(Disconnect(0x8E), V5),
        b"\x20\xff\xff\xff\x7f",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ]
)
SCRIPT = st.lists(PACKETS | st.binary(max_size=40), max_size=8)
OTHER = Access(username="other", password="word-of-other")
ACCESS = Access(username="own", password="word-of-own", other=OTHER)
JOBS = [Knock(), TryPassword(Guess.WRONG), Listen(), TryForeign(), TakeOver()]


@settings(max_examples=60)
@given(SCRIPT, st.sampled_from(JOBS), st.booleans())
def test_a_probe_survives_any_broker(script: list[bytes], job, closes: bool) -> None:
    """It returns facts or says why not; nothing else, and soon."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in script:
                await reader.read(4096)
                writer.write(piece)
                await writer.drain()
            if not closes:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def look() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = Target(TargetKind.MQTT, "b", "127.0.0.1", port, access=ACCESS)
        limits = Limits(connect_timeout_s=0.1, read_timeout_s=0.02, max_bytes=4096, nonce="n")
        try:
            seen = await asyncio.wait_for(job.observe(target, limits), 20)
        except Unobserved as nothing:
            seen = nothing.reason
        finally:
            server.close()
        assert seen
        assert "word-of" not in repr(seen)

    asyncio.run(look())

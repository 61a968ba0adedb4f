"""What strangers send is read without faults: hellos, certificates, pages, banners."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.http_facts import Reply, Request, find_login_form
from seawall.audit.openapi import DescriptionError, Route, read_routes
from seawall.audit.probes.http import PlainKnock, Walk
from seawall.audit.probes.http_login import LoginTries
from seawall.audit.probes.http_routes import RouteWalk
from seawall.audit.probes.ports import PortsProbe, read_nmap
from seawall.audit.probes.tls import Hello, Session, Verification
from seawall.audit.services import recognise
from seawall.audit.target import Access, Target, TargetKind
from seawall.pki.inspection import CertificateError, CertificateReport, inspect, matches_name
from seawall.testing.audit_rig import HOST, mint, read_until_end, serving
from seawall.wire.tls_hello import NotTlsError, ServerFlight, TlsVersion, client_hello, parse_flight
from seawall.wire.tls_suites import SUITES, SuiteGroup, suite_name, suites_of

RANDOM = bytes(range(32))


# Hellos


def test_suites_stand_in_one_group_each() -> None:
    every = [code for group in SUITES.values() for code in group]
    assert len(every) == len(set(every))
    assert suites_of()[0] in SUITES[SuiteGroup.MODERN]
    assert suite_name(0xC02F) == "ECDHE-RSA-AES128-GCM-SHA256"
    assert suite_name(0xFFFE) == "0xFFFE"


@pytest.mark.parametrize("version", list(TlsVersion))
def test_openssl_understands_our_hello(version: TlsVersion, tmp_path: Path) -> None:
    """OpenSSL's own server, in memory, answers with a flight or an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(mint(tmp_path).path)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(client_hello(version, suites_of(), RANDOM, "localhost"))
    with pytest.raises(ssl.SSLError) as raised:
        server.do_handshake()
    is_content = isinstance(raised.value, ssl.SSLWantReadError)
    assert is_content is (version is not TlsVersion.SSL_3_0)
    flight = parse_flight(outgoing.read())
    assert flight.complete
    if version is TlsVersion.SSL_3_0:
        assert flight.version is None
    else:
        assert flight.version == version
        assert flight.renegotiates_securely
        assert len(flight.certificates) == 1
        assert inspect(flight.certificates[0]).dns_names == ("localhost",)


@given(st.binary(max_size=400))
def test_any_bytes_make_a_flight_or_no_tls(received: bytes) -> None:
    with suppress(NotTlsError):
        assert isinstance(parse_flight(received), ServerFlight)


@given(st.binary(max_size=300), st.sampled_from([2, 11, 12, 13, 14]))
def test_any_message_in_a_record_is_read(body: bytes, kind: int) -> None:
    hello = b"\x02\0\0\x26\x03\x03" + RANDOM + b"\0\x00\x9e\0"
    message = bytes([kind]) + len(body).to_bytes(3, "big") + body
    content = hello + message
    received = b"\x16\x03\x03" + len(content).to_bytes(2, "big") + content
    with suppress(NotTlsError):
        parse_flight(received)


# Certificates


@given(st.data())
@settings(max_examples=150)
def test_damaged_certificates_are_read_or_refused(data: Any) -> None:
    der = bytearray(_sound_der())
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CertificateError):
        assert isinstance(inspect(bytes(der)), CertificateReport)


_CACHE: list[bytes] = []


def _sound_der() -> bytes:
    if not _CACHE:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            mint(Path(folder))
            _CACHE.append(ssl.PEM_cert_to_DER_cert((Path(folder) / "server.pem.crt").read_text()))
    return _CACHE[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_no_certificate(der: bytes) -> None:
    with pytest.raises(CertificateError):
        inspect(der)


def test_too_large_a_certificate_is_refused() -> None:
    with pytest.raises(CertificateError, match="larger"):
        inspect(bytes(100_000))


REPORT = CertificateReport(
    subject="CN=x",
    issuer="CN=y",
    common_name="common.example",
    dns_names=("sea.example", "*.wild.example", "*.example", "*"),
    addresses=("192.0.2.1", "2001:db8::1"),
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=1),
    key_kind="EC",
    key_bits=256,
    curve="secp256r1",
    signature_hash="sha256",
    is_self_signed=False,
)


@pytest.mark.parametrize(
    ("name", "is_covered"),
    [
        ("sea.example", True),
        ("SEA.example.", True),
        ("a.wild.example", True),
        ("a.b.wild.example", False),
        ("wild.example", False),
        ("other.example", False),
        ("localhost", False),
        ("common.example", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:0db8:0::1", True),
    ],
)
def test_names_by_rfc_9525(name: str, is_covered: bool) -> None:
    assert matches_name(REPORT, name) is is_covered
    assert not matches_name(replace(REPORT, dns_names=(), addresses=()), name)


# Descriptions and pages


def test_routes_with_a_login_come_first_and_open_ones_last() -> None:
    paths = {f"/r{n}/{{id}}": {"get": {}} for n in range(60)}
    paths["/secured"] = {"get": {"security": [{"token": []}]}}
    paths["/either"] = {"get": {"security": [{"token": []}, {}]}}
    paths = {"/open": {"get": {"security": []}}, **paths}
    routes = read_routes(json.dumps({"basePath": "/v2/", "paths": paths}).encode())
    assert len(routes) == len(paths)
    assert routes[0] == Route("/v2/secured", declares_login=True)
    assert routes[1] == Route("/v2/r0/1", declares_login=None)
    assert {each.path for each in routes[-2:]} == {"/v2/open", "/v2/either"}


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({}, "/api/v1/devices"),
        ({"servers": [{"url": "/"}]}, "/devices"),
        ({"servers": [{"url": "v2"}]}, "/api/v1/v2/devices"),
        ({"servers": [{"url": "https://elsewhere.example/v3/"}]}, "/v3/devices"),
        (
            {"servers": [{"url": "/{v}", "variables": {"v": {"default": "v4"}}}]},
            "/v4/devices",
        ),
        ({"basePath": "v5"}, "/v5/devices"),
        ({"paths": {"/api/v1/devices": {"get": {}}}}, "/api/v1/devices"),
    ],
)
def test_a_description_without_a_server_is_of_the_target(said: Any, path: str) -> None:
    content = json.dumps({"paths": {"/devices": {"get": {}}}, **said}).encode()
    assert [route.path for route in read_routes(content, "/api/v1")] == [path]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["get", "/a", "url", "security"]) | st.text(), inner)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["paths", "servers", "security", "basePath"]), JSON_VALUES)
    | JSON_VALUES
)
def test_any_json_is_a_description_or_none(value: Any) -> None:
    try:
        for route in read_routes(json.dumps(value).encode(), "/a"):
            assert route.path.isascii()
            assert route.path.startswith("/")
    except DescriptionError:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_are_a_description_or_none(content: bytes) -> None:
    with pytest.raises(DescriptionError):
        read_routes(content)


TAGS = st.sampled_from(
    [
        "<form action=",
        "<input type=password name=p",
        ">",
        "'",
        "</form>",
        "//[",
        "<!--",
        "]]>",
        "&#x",
    ]
)


@given(st.lists(TAGS | st.text(max_size=6), max_size=30).map("".join))
def test_any_page_is_searched_for_a_form(page: str) -> None:
    form = find_login_form(page, "https://sea.example/login")
    assert form is None or form.action.startswith("/")


def test_a_form_that_goes_elsewhere_is_none() -> None:
    page = "<form action='https://evil.example/x'><input type=password name=p></form>"
    assert find_login_form(page, "https://sea.example/") is None


@given(st.text(max_size=40))
def test_any_location_is_taken_or_not(location: str) -> None:
    reply = Reply(302, (("location", location),))
    assert isinstance(reply.redirect_of("http://sea.example/a"), str)


@given(st.integers(1, 65535), st.binary(max_size=100))
def test_any_banner_is_recognised_and_safe_to_print(port: int, said: bytes) -> None:
    text = recognise(port, said).text
    assert text.isprintable()
    assert text.count("`") in (0, 2)


@given(st.text(max_size=100))
def test_any_print_of_nmap_is_read(printed: str) -> None:
    with suppress(Unobserved):
        read_nmap(printed)


# Probes against servers that send anything

PROBES: list[Job[Any]] = [
    Hello(TlsVersion.TLS_1_2),
    Hello(TlsVersion.SSL_3_0, (SuiteGroup.RC4,)),
    Session(),
    Session(up_to_1_2=True),
    Verification(),
    PortsProbe((0,)),
    Walk((Request("/"), Request("/a"))),
    RouteWalk(),
    LoginTries(),
    PlainKnock(),
]
BEGINNINGS = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 302 x\r\nLocation: ",
        b"\x16\x03\x03",
        b"\x15\x03\x03\0\x02",
        b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x03",
        b"HTTP/1.0 401 \r\nWWW-Authenticate: basic\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<form><input type=password name='",
    ]
)


@given(st.lists(BEGINNINGS | st.binary(max_size=60), min_size=1, max_size=4), st.booleans())
@settings(max_examples=10)
def test_garbage_ends_as_unobserved_or_as_facts(pieces: list[bytes], closes: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if not closes:
            await read_until_end(reader, writer)

    limits = Limits(connect_timeout_s=0.1, read_timeout_s=0.05, nonce="n")
    with serving(answer) as port:
        asyncio.run(_all_probes(port, limits))


async def _all_probes(port: int, limits: Limits) -> None:
    outcomes = []
    for uses_tls in (False, True):
        access = Access(try_defaults=True)
        target = Target(TargetKind.API, "t", HOST, port, uses_tls=uses_tls, access=access)
        probes = [PortsProbe((port,)) if isinstance(job, PortsProbe) else job for job in PROBES]
        outcomes += await asyncio.gather(
            *(probe.observe(target, limits) for probe in probes), return_exceptions=True
        )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, Unobserved), repr(outcome)
            assert outcome.reason
            assert not outcome.reason.endswith(".")


@pytest.mark.parametrize("host", ["", "a" * 300, "ünï.example", "host with spaces", "-x", "a..b"])
def test_odd_host_names_are_unobserved(host: str) -> None:
    target = Target(TargetKind.TLS, "t", host, 1)
    for job in (Hello(TlsVersion.TLS_1_2), Session(), Verification(), PlainKnock()):
        with pytest.raises(Unobserved):
            asyncio.run(job.observe(target, Limits(connect_timeout_s=0.5)))

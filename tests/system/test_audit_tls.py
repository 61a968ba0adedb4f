"""TLS ports, weak and sound: what is found, with which evidence, and that the fix mends it."""

from __future__ import annotations

import asyncio
import shlex
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from seawall.audit.check import Limits
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Item, Result, Severity, Status
from seawall.pki.pins import certificate_sha256
from seawall.testing.audit_rig import (
    HOST,
    Audited,
    Counting,
    Pair,
    audit,
    flood,
    mint,
    read_until_end,
    rsa_key,
    server_context,
    serving,
)
from seawall.wire.tls_suites import SUITES, SuiteGroup, suite_name

pytestmark = pytest.mark.system

ANY = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return mint(tmp_path_factory.mktemp("root"), names=("Test root",), file="root.pem")


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, root: Pair) -> Pair:
    return mint(tmp_path_factory.mktemp("sound"), issuer=root)


@contextmanager
def tls(context: ssl.SSLContext) -> Iterator[int]:
    with serving(read_until_end, context) as port:
        yield port


def look(port: int, ca: Path | None = None, **access: Any) -> Audited:
    target = Target(TargetKind.TLS, f"tls://{HOST}:{port}", HOST, port)
    audited = audit(replace(target, access=Access(ca=ca, **access)), "tls.")
    assert audited.faults == []
    return audited


def only(audited: Audited, check: str) -> Result:
    (result,) = audited.by_check[check]
    return result


def failed(audited: Audited) -> set[str]:
    return {name for name, all_ in audited.by_check.items() for r in all_ if r.status == "fail"}


def silent(audited: Audited) -> None:
    bad = [r for all_ in audited.by_check.values() for r in all_]
    assert [r for r in bad if r.status in (Status.FAIL, Status.UNKNOWN)] == []


# Sound


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_sound_server_is_silent(sound: Pair, newest: ssl.TLSVersion) -> None:
    with tls(server_context(sound, newest=newest)) as port:
        audited = look(port, sound.ca_path)
    silent(audited)
    assert only(audited, "tls.certificate.chain").status is Status.PASS
    assert "TLS" in only(audited, "tls.protocol.old").evidence


def test_a_server_of_tls_1_3_alone_is_silent(sound: Pair) -> None:
    with tls(server_context(sound, oldest=ssl.TLSVersion.TLSv1_3)) as port:
        audited = look(port, sound.ca_path)
    silent(audited)
    assert "TLS 1.3 is spoken" in only(audited, "tls.protocol.old").evidence


def test_connections_are_few(sound: Pair) -> None:
    counting = Counting()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counting.connections += 1
        await read_until_end(reader, writer)

    with serving(listen) as port:  # plain: each hello is one connection, none is answered
        target = Target(TargetKind.TLS, "t", HOST, port)
        limits = Limits(read_timeout_s=0.05, connect_timeout_s=0.05)
        audited = audit(target, "tls.", limits=limits)
    assert counting.connections <= 14
    for check, (result,) in audited.by_check.items():
        if result.status is not Status.NOT_APPLICABLE:
            assert result.status is Status.UNKNOWN, check
            assert "timed out" in result.evidence


# Protocols


def test_old_versions_are_found_and_the_fix_mends_them(sound: Pair) -> None:
    weak = server_context(sound, ciphers=ANY, oldest=ssl.TLSVersion.TLSv1)
    with tls(weak) as port:
        audited = look(port, sound.ca_path)
    results = audited.by_check["tls.protocol.old"]
    assert [r.status for r in results] == [Status.FAIL, Status.FAIL]
    assert all(r.item is Item.TRANSFER_AND_STORAGE for r in results)
    assert "TLS 1.0" in results[0].evidence
    assert "TLS 1.1" in results[1].evidence
    assert len({r.fingerprint for r in results}) == 2
    assert results[0].fix
    assert "ssl_protocols TLSv1.2 TLSv1.3" in results[0].fix.text  # what `oldest` is here
    with tls(server_context(sound)) as port:
        silent(look(port, sound.ca_path))


def test_what_is_printed_to_reproduce_shows_it(sound: Pair, program: Callable[[str], str]) -> None:
    assert program("openssl")
    with tls(server_context(sound, ciphers=ANY, oldest=ssl.TLSVersion.TLSv1)) as port:
        result = look(port, sound.ca_path).by_check["tls.protocol.old"][0]
        assert result.reproduce
        done = subprocess.run(
            shlex.split(result.reproduce),
            check=False,
            input="",
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert "Protocol  : TLSv1\n" in done.stdout


# Suites


def test_suites_that_protect_nothing_are_found(sound: Pair, tmp_path: Path, root: Pair) -> None:
    pair = mint(tmp_path, issuer=root, key=rsa_key(2048))  # RSA: a key exchange without secrecy
    with tls(server_context(pair, ciphers=ANY, newest=ssl.TLSVersion.TLSv1_2)) as port:
        audited = look(port, root.ca_path)
    results = {r.evidence.split(",")[0]: r for r in audited.by_check["tls.cipher.weak"]}
    assert {r.severity for r in results.values()} == {Severity.CRITICAL}
    assert any("NULL" in name for name in results)
    assert any(name.startswith(("ADH", "AECDH")) for name in results)
    static = only(audited, "tls.cipher.forward-secrecy")
    assert static.status is Status.FAIL
    assert static.fix
    ciphers = static.fix.text.split("ssl_ciphers ")[1].split(";")[0]
    with tls(server_context(pair, ciphers=ciphers)) as port:
        silent(look(port, root.ca_path))


@pytest.mark.parametrize(
    ("group", "severity"),
    [
        (SuiteGroup.EXPORT, Severity.HIGH),
        (SuiteGroup.RC4, Severity.HIGH),
        (SuiteGroup.TRIPLE_DES, Severity.MEDIUM),
    ],
)
def test_suites_that_this_openssl_does_not_know(group: SuiteGroup, severity: Severity) -> None:
    suite = next(iter(SUITES[group]))
    with serving(scripted(version=0x0303, suites={suite})) as port:
        (result,) = look(port).by_check["tls.cipher.weak"]
    assert result.status is Status.FAIL
    assert result.severity is severity
    assert result.evidence.startswith(suite_name(suite))


def test_ssl_3_and_compression_and_no_renegotiation_info() -> None:
    handler = scripted(version=0x0300, suites={0x0005, 0xC02F}, compression=1, extensions=b"")
    with serving(handler) as port:
        audited = look(port)
    (old,) = audited.by_check["tls.protocol.old"]
    assert (old.status, old.severity) == (Status.FAIL, Severity.HIGH)
    assert "SSL 3.0" in old.evidence
    assert only(audited, "tls.compression.on").status is Status.FAIL
    assert only(audited, "tls.renegotiation.insecure").status is Status.FAIL
    with serving(scripted(version=0x0303, suites={0xC02F})) as port:  # a renewed library
        audited = look(port)
    assert failed(audited) == set()
    assert only(audited, "tls.compression.on").status is Status.PASS
    assert only(audited, "tls.renegotiation.insecure").status is Status.PASS


def test_a_small_group_is_found(root: Pair, tmp_path: Path, program: Callable[..., Any]) -> None:
    pair = mint(tmp_path, issuer=root, key=rsa_key(2048))
    context = server_context(
        pair, ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", newest=ssl.TLSVersion.TLSv1_2
    )
    small = tmp_path / "dh.pem"
    subprocess.run(
        [program("openssl"), "dhparam", "-dsaparam", "-out", small, "1024"],
        check=True,
        capture_output=True,
    )
    context.load_dh_params(small)
    with tls(context) as port:
        audited = look(port, root.ca_path)
    result = only(audited, "tls.cipher.small-group")
    assert result.status is Status.FAIL
    assert "1024 bits" in result.evidence
    assert result.severity is Severity.HIGH
    assert result.fix
    ciphers = result.fix.text.split("ssl_ciphers ")[1].split(";")[0]
    with tls(server_context(pair, ciphers=ciphers)) as port:
        silent(look(port, root.ca_path))


def scripted(
    version: int,
    suites: set[int],
    compression: int = 0,
    extensions: bytes = b"\xff\x01\0\x01\0",
    after: bytes = b"",
) -> Any:
    """A server that speaks one version and some suites, whatever OpenSSL thinks of them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(5)
        hello = await reader.readexactly(int.from_bytes(head[3:], "big"))
        offered_version = int.from_bytes(hello[4:6], "big")
        at = 39 + hello[38]
        count = int.from_bytes(hello[at : at + 2], "big")
        offered = struct.unpack(f">{count // 2}H", hello[at + 2 : at + 2 + count])
        chosen = next((suite for suite in offered if suite in suites), None)
        if chosen is None or offered_version < version:
            writer.write(b"\x15\x03\x00\0\x02\x02\x28")
        else:
            body = struct.pack(">H", version) + bytes(32) + b"\0" + struct.pack(">H", chosen)
            body += bytes([compression])
            body += struct.pack(">H", len(extensions)) + extensions if extensions else b""
            flight = b"\x02" + len(body).to_bytes(3, "big") + body + after + b"\x0e\0\0\0"
            for at in range(0, len(flight), 16_000):
                piece = flight[at : at + 16_000]
                writer.write(b"\x16" + struct.pack(">HH", version, len(piece)) + piece)
        await writer.drain()
        await reader.read(4096)

    return answer


# Certificates

BAD_CERTIFICATES = [
    ({"begins": timedelta(days=-30), "lasts": timedelta(days=20)}, "expiry", "expired on"),
    ({"begins": timedelta(days=2)}, "expiry", "not valid before"),
    ({"begins": timedelta(days=-30), "lasts": timedelta(days=37)}, "expiry", "in 6 days"),
    ({"lasts": timedelta(days=3650)}, "lifetime", "3650 days"),
    ({"names": ("other.example",)}, "name", "is for other.example"),
    ({"names": ()}, "name", "only the common name none"),
]


@pytest.mark.parametrize(("wrong", "check", "words"), BAD_CERTIFICATES)
def test_a_bad_certificate_is_found_and_the_command_mends_it(
    tmp_path: Path,
    root: Pair,
    wrong: dict[str, Any],
    check: str,
    words: str,
    program: Callable[..., Any],
) -> None:
    with tls(server_context(mint(tmp_path, issuer=root, **wrong))) as port:
        audited = look(port, root.ca_path)
        result = only(audited, f"tls.certificate.{check}")
        assert failed(audited) == {f"tls.certificate.{check}"}
    assert words in result.evidence
    assert result.fix
    assert result.fix.command
    new = apply_command(result.fix.command, tmp_path, root, program("openssl"))
    with tls(server_context(new)) as port:
        silent(look(port, root.ca_path))


def apply_command(command: str, folder: Path, root: Pair, openssl: str) -> Pair:
    """Run what was printed, and sign the request as an authority would."""
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    signing = ["-CA", root.path, "-CAkey", root.path, "-CAcreateserial", "-copy_extensions", "copy"]
    subprocess.run(
        [openssl, "x509", "-req", "-in", "server.csr", *signing, "-days", "90", "-out", "new.crt"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    path = folder / "new.pem"
    path.write_bytes((folder / "server.key").read_bytes() + (folder / "new.crt").read_bytes())
    return replace(root, path=path)


def test_a_small_key_is_found(tmp_path: Path, root: Pair, program: Callable[..., Any]) -> None:
    weak = mint(tmp_path, issuer=root, key=rsa_key(1024))
    with tls(server_context(weak, ciphers="ECDHE+AESGCM:@SECLEVEL=0")) as port:
        audited = look(port, root.ca_path)
    result = only(audited, "tls.certificate.key")
    assert failed(audited) == {"tls.certificate.key"}
    assert "RSA of 1024 bits" in result.evidence
    assert result.fix
    assert result.fix.command
    new = apply_command(result.fix.command, tmp_path, root, program("openssl"))
    with tls(server_context(new)) as port:
        silent(look(port, root.ca_path))


@pytest.mark.parametrize(("name", "severity"), [("sha1", "medium"), ("md5", "high")])
def test_a_broken_hash_is_found(
    tmp_path: Path, root: Pair, program: Callable[..., Any], name: str, severity: str
) -> None:
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", f"-{name}"),
            *("-keyout", "k.pem", "-out", "c.pem", "-days", "90", "-subj", "/CN=weak"),
            *("-addext", f"subjectAltName=IP:{HOST}"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0")
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    with tls(context) as port:
        audited = look(port, tmp_path / "c.pem")
    result = only(audited, "tls.certificate.signature")
    assert failed(audited) == {"tls.certificate.signature"}
    assert name.upper() in result.evidence
    assert result.severity == severity
    assert result.fix
    assert result.fix.command
    new = apply_command(result.fix.command, tmp_path, root, program("openssl"))
    with tls(server_context(new)) as port:
        silent(look(port, root.ca_path))


def test_a_chain_that_ends_elsewhere(tmp_path: Path, root: Pair, sound: Pair) -> None:
    other = mint(tmp_path, names=("Other root",), file="other.pem")
    with tls(server_context(sound)) as port:
        audited = look(port, other.ca_path)
        assert failed(audited) == {"tls.certificate.chain"}
        assert str(other.ca_path) in only(audited, "tls.certificate.chain").evidence
        assert failed(look(port, root.ca_path)) == set()
        # Nobody said what to trust: nothing is known of a private authority.
        unknown = only(look(port), "tls.certificate.chain")
        assert unknown.status is Status.UNKNOWN
        assert "--ca" in unknown.evidence
        missing = only(look(port, tmp_path / "nothing.pem"), "tls.certificate.chain")
        assert missing.status is Status.UNKNOWN
        assert "nothing.pem cannot be used" in missing.evidence


def test_self_signed_is_a_fault_unless_trusted_or_pinned(tmp_path: Path) -> None:
    alone = mint(tmp_path)
    pin = certificate_sha256(ssl.PEM_cert_to_DER_cert((tmp_path / "server.pem.crt").read_text()))
    with tls(server_context(alone)) as port:
        assert failed(look(port)) == {"tls.certificate.chain"}
        silent(look(port, alone.ca_path))
        silent(look(port, pin=pin))
        other = only(look(port, alone.ca_path, pin="0" * 64), "tls.certificate.pin")
    assert other.status is Status.FAIL
    assert pin in other.evidence


def test_name_is_taken_from_what_was_said(sound: Pair) -> None:
    with tls(server_context(sound)) as port:
        silent(look(port, sound.ca_path, server_name="localhost"))
        audited = look(port, sound.ca_path, server_name="sea.example")
    assert failed(audited) == {"tls.certificate.name"}


# Client certificates


DEMANDED = "tls.client-certificate.demanded"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates(sound: Pair, root: Pair, newest: ssl.TLSVersion) -> None:
    mine = {"cert": sound.path, "key": sound.path}
    with tls(server_context(sound, newest=newest)) as port:
        audited = look(port, root.ca_path, **mine)
    assert failed(audited) == {DEMANDED}
    result = only(audited, DEMANDED)
    assert result.item is Item.SERVICES
    assert result.fix
    assert "require_certificate true" in result.fix.text
    with tls(server_context(sound, newest=newest, client_ca=root.ca_path)) as port:
        audited = look(port, root.ca_path, **mine)
        silent(audited)
        assert only(audited, DEMANDED).status is Status.PASS
        # Without one, the server may be gone before the verdict on its chain is out.
        assert failed(look(port, root.ca_path)) == set()


@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_client_certificates_of_openssl(
    sound: Pair,
    root: Pair,
    option: str,
    program: Callable[..., Any],
    free_port: Callable[[], int],
    wait_until: Callable[..., Any],
) -> None:
    port = free_port()
    command = [program("openssl"), "s_server", "-accept", f"{HOST}:{port}", option, "-quiet"]
    command += ["-cert", str(sound.path), "-Verify", "1", "-verify_return_error"]
    command += ["-CAfile", str(root.ca_path), "-cipher", "ECDHE+AESGCM"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_until(lambda: socket.socket().connect_ex((HOST, port)) == 0, what="s_server")
            audited = look(port, root.ca_path)
        finally:
            server.terminate()
    silent(audited)
    assert only(audited, DEMANDED).status is Status.PASS


# Mosquitto: the lines that are printed, in a real configuration


def test_lines_for_mosquitto_mend_it(
    tmp_path: Path,
    root: Pair,
    program: Callable[..., Any],
    free_port: Callable[[], int],
    wait_until: Callable[..., Any],
) -> None:
    pair = mint(tmp_path, issuer=root, key=rsa_key(2048))
    base = [
        f"cafile {root.ca_path}",
        f"certfile {tmp_path / 'server.pem.crt'}",
        f"keyfile {pair.path}",
        "allow_anonymous true",
        "user root",  # of no effect for others; root's files are not for the user mosquitto
    ]

    def look_at(lines: list[str]) -> Audited:
        port = free_port()
        path = tmp_path / "mosquitto.conf"
        path.write_text("\n".join([f"listener {port} {HOST}", *base, *lines]) + "\n")
        with subprocess.Popen(
            [program("mosquitto"), "-c", path], stderr=subprocess.PIPE, text=True
        ) as broker:
            try:
                assert broker.stderr
                wait_until(lambda: "running" in broker.stderr.readline(), what="mosquitto")
                access = Access(ca=root.ca_path, cert=sound_cert.path, key=sound_cert.path)
                target = Target(TargetKind.MQTT, "m", HOST, port, uses_tls=True, access=access)
                return audit(target, "tls.")
            finally:
                broker.terminate()

    sound_cert = mint(tmp_path, issuer=root, file="client.pem")
    weak = look_at(["tls_version tlsv1.1", f"ciphers {ANY}"])
    assert failed(weak) >= {"tls.protocol.old", "tls.cipher.weak", "tls.cipher.forward-secrecy"}
    assert "tls.client-certificate.demanded" in failed(weak)
    fixes = [r.fix for all_ in weak.by_check.values() for r in all_ if r.fix]
    lines = {fix.text.split("mosquitto.conf: `")[1].split("`")[0] for fix in fixes}
    silent(look_at(sorted(lines)))


# Hostile


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "another protocol"),
        (b"220 welcome\r\n" * 100_000, "another protocol"),
        (b"\x16\x03\x03\x40\x00" * 80_000, "another protocol"),
        (b"\x16\x03\x01\x00\x05\x02\xff\xff\xff\xff", "another protocol"),
        (b"", "timed out"),
    ],
)
def test_other_protocols_and_floods_are_unknown(said: bytes, reason: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await read_until_end(reader, writer)

    with serving(answer) as port:
        target = Target(TargetKind.TLS, "t", HOST, port)
        audited = audit(target, "tls.", limits=Limits(read_timeout_s=0.2, connect_timeout_s=0.2))
    assert audited.faults == []
    result = only(audited, "tls.protocol.old")
    assert result.status is Status.UNKNOWN
    assert reason in result.evidence


@pytest.mark.parametrize("der", [b"", b"\x30\x82\xff\xff" + bytes(500), bytes(70_000)])
def test_a_certificate_that_is_none(der: bytes) -> None:
    body = (len(der) + 3).to_bytes(3, "big") + len(der).to_bytes(3, "big") + der
    message = b"\x0b" + len(body).to_bytes(3, "big") + body
    with serving(scripted(version=0x0303, suites={0xC02F}, after=message)) as port:
        audited = look(port)
    for name in ("key", "name", "expiry", "signature", "lifetime"):
        result = only(audited, f"tls.certificate.{name}")
        assert result.status is Status.UNKNOWN
        assert "cannot be read" in result.evidence


def test_an_endless_flight_ends() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(16)
        # One handshake message that never ends, in whole records.
        record = b"\x16\x03\x03\x40\x00" + b"\x02\x03\xff\xff" + bytes(16_380)
        await flood(reader, writer, record)

    with serving(answer) as port:
        target = Target(TargetKind.TLS, "t", HOST, port)
        audited = audit(target, "tls.", limits=Limits(live_deadline_s=2.0))
    assert audited.faults == []
    assert {r.status for all_ in audited.by_check.values() for r in all_} <= {
        Status.UNKNOWN,
        Status.NOT_APPLICABLE,
    }


def test_nobody_there(free_port: Callable[[], int]) -> None:
    audited = look(free_port())
    assert not [r for all_ in audited.by_check.values() for r in all_ if r.status is Status.PASS]
    assert only(audited, "tls.protocol.old").evidence == "connection refused"

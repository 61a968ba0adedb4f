"""Certificates, lists and keys, judged by OpenSSL's own command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from seawall.errors import InvalidNameError, KeyAccessError
from seawall.pki import profiles
from seawall.pki.authority import Authority, RevokedCertificate, create_issuing, create_root
from seawall.pki.pins import certificate_sha256, fingerprint_text
from seawall.pki.sealing import seal_private_key
from seawall.pki.secrets import derive_device_key

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create_issuing(create_root(NOW), NOW)


@pytest.fixture
def openssl(program: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    path = program("openssl")

    def run(*arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [path, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def _write_authority(authority: Authority, folder: Path) -> None:
    for name, certificate in (("root", authority.root), ("issuing", authority.certificate)):
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(_PEM))


_PEM = Encoding.PEM


def test_a_device_certificate_passes_openssl_as_a_client_and_not_as_a_server(
    authority: Authority, openssl: Callable[..., str], tmp_path: Path
) -> None:
    _write_authority(authority, tmp_path)
    (tmp_path / "leaf.pem").write_bytes(authority.issue_device("greenhouse-1", NOW).cert_pem)
    verify = ("verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuing.pem")
    openssl(*verify, "-purpose", "sslclient", "leaf.pem")
    assert "purpose" in openssl(*verify, "-purpose", "sslserver", "leaf.pem", fails=True)


def test_a_server_certificate_passes_openssl_for_its_names_alone(
    authority: Authority, openssl: Callable[..., str], tmp_path: Path
) -> None:
    _write_authority(authority, tmp_path)
    issued = authority.issue_server(["IoT.example.org", "192.0.2.7", "2001:db8::1"], NOW)
    (tmp_path / "leaf.pem").write_bytes(issued.cert_pem)
    verify = ("verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuing.pem")
    server = (*verify, "-purpose", "sslserver")
    openssl(*server, "-verify_hostname", "iot.example.org", "leaf.pem")
    openssl(*server, "-verify_ip", "192.0.2.7", "leaf.pem")
    openssl(*server, "-verify_ip", "2001:db8::1", "leaf.pem")
    openssl(*server, "-verify_hostname", "example.org", "leaf.pem", fails=True)
    openssl(*verify, "-purpose", "sslclient", "leaf.pem", fails=True)


def test_an_issuing_authority_cannot_make_another(
    authority: Authority, openssl: Callable[..., str], tmp_path: Path
) -> None:
    _write_authority(authority, tmp_path)
    from seawall.pki.authority import KeyPair

    sub = create_issuing(KeyPair(authority.key, authority.certificate), NOW)
    leaf = sub.issue_device("greenhouse-1", NOW)
    (tmp_path / "chain.pem").write_bytes(
        authority.certificate.public_bytes(_PEM) + sub.certificate.public_bytes(_PEM)
    )
    (tmp_path / "leaf.pem").write_bytes(leaf.cert_pem)
    told = openssl(
        "verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", "leaf.pem", fails=True
    )
    assert "path length" in told


def test_the_pin_is_what_openssl_prints(
    authority: Authority, openssl: Callable[..., str], tmp_path: Path
) -> None:
    issued = authority.issue_server(["localhost"], NOW)
    (tmp_path / "leaf.pem").write_bytes(issued.cert_pem)
    told = openssl("x509", "-fingerprint", "-sha256", "-noout", "-in", "leaf.pem")
    printed = told.strip().split("=")[1]
    assert printed == fingerprint_text(issued.cert_der)
    assert printed.replace(":", "").lower() == certificate_sha256(issued.cert_der) == issued.sha256


def test_a_device_certificate_says_who_and_what_for(authority: Authority) -> None:
    issued = authority.issue_device("greenhouse-1", NOW)
    certificate = x509.load_der_x509_certificate(issued.cert_der)
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "greenhouse-1"
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "urn:seawall:device:greenhouse-1"
    ]
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert issued.serial == format(certificate.serial_number, "x")
    assert issued.not_after_ms == certificate.not_valid_after_utc.timestamp() * 1000
    assert certificate.not_valid_before_utc <= NOW
    assert certificate.not_valid_after_utc == NOW + profiles.DEVICE.lifetime


def test_a_service_cannot_be_mistaken_for_a_device(authority: Authority) -> None:
    certificate = x509.load_der_x509_certificate(authority.issue_service("ingest", NOW).cert_der)
    assert certificate.subject.rfc4514_string() == "CN=@ingest"
    with pytest.raises(InvalidNameError):
        authority.issue_device("@ingest", NOW)


@pytest.mark.parametrize("device_id", ["", "a/b", "a#", "+", "a\0b", "é", "-a", "a" * 65, "a b"])
def test_hostile_device_ids_get_no_certificate(authority: Authority, device_id: str) -> None:
    with pytest.raises(InvalidNameError):
        authority.issue_device(device_id, NOW)


@pytest.mark.parametrize("name", ["", "a b", "*.example.org", "exämple.org", "a..b", "-a", "x\0y"])
def test_hostile_server_names_get_no_certificate(authority: Authority, name: str) -> None:
    with pytest.raises(InvalidNameError):
        authority.issue_server([name], NOW)


def test_a_server_certificate_needs_a_name(authority: Authority) -> None:
    with pytest.raises(InvalidNameError):
        authority.issue_server([], NOW)


@pytest.mark.parametrize("off", [timedelta(days=-2), timedelta(days=4000)])
def test_a_clock_far_off_is_told_and_nothing_is_signed(
    authority: Authority, off: timedelta
) -> None:
    with pytest.raises(KeyAccessError) as caught:
        authority.issue_device("greenhouse-1", NOW + off)
    assert caught.value.reference == "clock-outside-authority"
    assert "clock" in caught.value.hint


def test_no_certificate_outlives_its_issuer(authority: Authority) -> None:
    late = authority.certificate.not_valid_after_utc - timedelta(days=3)
    certificate = x509.load_der_x509_certificate(authority.issue_device("d", late).cert_der)
    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_serials_and_keys_differ(authority: Authority) -> None:
    issued = [authority.issue_device("same", NOW) for _ in range(20)]
    assert len({each.serial for each in issued}) == 20
    assert len({each.key_der for each in issued}) == 20


def test_openssl_refuses_a_listed_certificate_and_takes_the_others(
    authority: Authority, openssl: Callable[..., str], tmp_path: Path
) -> None:
    _write_authority(authority, tmp_path)
    good, bad = (authority.issue_device(name, NOW) for name in ("good", "bad"))
    (tmp_path / "good.pem").write_bytes(good.cert_pem)
    (tmp_path / "bad.pem").write_bytes(bad.cert_pem)
    crl = authority.build_crl([RevokedCertificate(bad.serial, 1_763_000_000_000)], NOW, number=7)
    (tmp_path / "crl.pem").write_bytes(crl)
    verify = (
        *("verify", "-x509_strict", "-crl_check", "-CRLfile", "crl.pem"),
        *("-CAfile", "root.pem", "-untrusted", "issuing.pem"),
    )
    openssl(*verify, "good.pem")
    assert "revoked" in openssl(*verify, "bad.pem", fails=True)
    assert "X509v3 CRL Number: \n                7" in openssl(
        "crl", "-in", "crl.pem", "-noout", "-text"
    )


def test_a_new_list_is_newer_than_the_last_whatever_the_clock_says(authority: Authority) -> None:
    ahead = NOW + timedelta(days=1000)
    lists = [
        x509.load_pem_x509_crl(authority.build_crl([], now, number=number))
        for number, now in enumerate((NOW, ahead, NOW), start=1)
    ]
    begins = [each.last_update_utc for each in lists]
    assert begins == sorted(set(begins))
    # None of them is "not yet valid" once the clock is right again.
    assert max(begins) <= NOW
    assert lists[2].next_update_utc == NOW + profiles.CRL_LIFETIME


def test_a_sealed_key_opens_in_openssl_and_with_the_passphrase_alone(
    openssl: Callable[..., str], tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = seal_private_key(key, "schlüssel zum hof".encode(), bytes(range(16)), bytes(16))
    (tmp_path / "key.pem").write_bytes(sealed)
    (tmp_path / "good").write_text("schlüssel zum hof\n")
    (tmp_path / "bad").write_text("schluessel zum hof\n")
    openssl("pkey", "-in", "key.pem", "-passin", "file:good", "-noout")
    openssl("pkey", "-in", "key.pem", "-passin", "file:bad", "-noout", fails=True)
    assert "scrypt" in openssl("asn1parse", "-in", "key.pem")


def _hkdf_by_cryptography(master: bytes, device_id: str, generation: int) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"seawall/1 device key\0" + device_id.encode() + b"\0%d" % generation
    return HKDF(hashes.SHA256(), 32, salt=b"", info=info).derive(master)


@given(st.binary(min_size=32, max_size=32), st.text("abc123-._", min_size=1), st.integers(1, 9))
def test_device_keys_are_hkdf(master: bytes, device_id: str, generation: int) -> None:
    derived = derive_device_key(master, device_id, generation)
    assert derived == _hkdf_by_cryptography(master, device_id, generation)


def test_device_keys_differ_by_device_and_generation() -> None:
    keys = {derive_device_key(bytes(32), name, n) for name in ("a", "a1", "b") for n in (1, 2, 11)}
    assert len(keys) == 9

"""Signatures and canonical JSON on the real MicroPython, against independent implementations."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from device_script import put_script
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical
from tuf_rig import build_site

from seawall.devices.firmware import compile_module
from seawall.testing.device_process import find_runtime

pytestmark = pytest.mark.system

SEED = 20270301
Ask = Callable[..., list[str]]

# The curve, once more and slowly, so that what the device computes has a witness.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def add(p: Point, q: Point) -> Point:
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] - 3) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k: int, p: Point) -> Point:
    result: Point = None
    while k:
        if k & 1:
            result = add(result, p)
        p = add(p, p)
        k >>= 1
    return result


def is_valid(q: Point, digest: int, r: int, s: int) -> bool:
    if not (0 < r < N and 0 < s < N):
        return False
    w = pow(s, -1, N)
    point = add(times(digest * w % N, G), times(r * w % N, q))
    return point is not None and point[0] % N == r


def uncompressed(point: Point) -> bytes:
    assert point is not None
    return b"\4" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return a function that puts orders to a device, and returns its answers."""
    site = build_site(tmp_path_factory.mktemp("site"))
    script = put_script("signatures.py", tmp_path_factory.mktemp("script"))

    def run(orders: list[dict[str, Any]], heap: str = "64k") -> list[str]:
        done = subprocess.run(
            [*find_runtime().command, "-X", f"heapsize={heap}", str(script), str(site)],
            input="".join(json.dumps(order) + "\n" for order in orders),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answers = done.stdout.splitlines()
        assert len(answers) == len(orders)
        return answers

    return run


def ecdsa(key: bytes, digest: int, signature: bytes) -> dict[str, Any]:
    return {
        "module": "ecdsa",
        "key": key.hex(),
        "digest": digest.to_bytes(32, "big").hex(),
        "sig": signature.hex(),
    }


# ECDSA


def test_signatures_of_another_implementation_are_valid_and_changed_ones_are_not(ask: Ask) -> None:
    chance = random.Random(SEED)
    orders, expected = [], []
    for _ in range(40):
        private = ec.generate_private_key(ec.SECP256R1())
        key = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = chance.getrandbits(256)
        signature = private.sign(digest.to_bytes(32, "big"), ec.ECDSA(Prehashed(SHA256())))
        orders.append(ecdsa(key, digest, signature))
        expected.append("1")
        orders.append(ecdsa(key, digest ^ 1 << chance.randrange(256), signature))
        expected.append("0")
        at = chance.randrange(len(signature))
        changed = bytearray(signature)
        changed[at] ^= 1 << chance.randrange(8)
        orders.append(ecdsa(key, digest, bytes(changed)))
        expected.append("0")
        orders.append(ecdsa(key[:27] + uncompressed(G)[1:], digest, signature))
        expected.append("0")
    assert ask(orders) == expected


def test_every_special_case_of_the_group_law_is_computed_right(ask: Ask) -> None:
    """Keys, nonces and digests that make sums meet their summands, opposites and infinity."""
    small = (1, 2, 3, 4, 5, 7, N // 2, N // 2 + 1, N - 3, N - 2, N - 1)
    orders, expected = [], []
    chance = random.Random(SEED)
    for secret in small:
        public = times(secret, G)
        for nonce in (1, 2, N - 1, N // 2, chance.randrange(N)):
            for digest in (0, 1, N - 1, N, 2**256 - 1, (-secret) % N, secret):
                point = times(nonce, G)
                assert point is not None
                r = point[0] % N
                s = pow(nonce, -1, N) * (digest + r * secret) % N
                # Right, of the wrong sign (valid as well), and not right.
                for sign, verdict in ((s, "1"), (N - s, "1"), ((s + 1) % N, "0")):
                    if sign % N:
                        order = ecdsa(uncompressed(public), digest, encode_dss_signature(r, sign))
                        orders.append(order)
                        expected.append(verdict)
    assert expected.count("1") > 500
    assert expected.count("0") > 100
    assert ask(orders) == expected


def test_an_x_coordinate_beyond_the_order_wraps(ask: Ask) -> None:
    """R may have an x between n and p: then r is x - n, and nothing else."""
    x = N
    while True:
        x += 1
        square = (x**3 - 3 * x + B) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P == square:
            break
    point = (x, y)
    r, s, digest = x % N, 12345, 67890
    # The key for which this R is right: Q = (s R - e G) / r.
    key = times(pow(r, -1, N), add(times(s, point), times((-digest) % N, G)))
    assert is_valid(key, digest, r, s)
    orders = [ecdsa(uncompressed(key), digest, encode_dss_signature(r, s))]
    orders.append(ecdsa(uncompressed(key), digest, encode_dss_signature(r + 1, s)))
    assert ask(orders) == ["1", "0"]


def test_numbers_out_of_range_are_refused(ask: Ask) -> None:
    public = times(7, G)
    orders = []
    for r in (0, 1, N - 1, N, N + 1, P - 1, P, 2**256 - 1):
        for s in (0, 1, N - 1, N, N + 1, 2**256 - 1):
            if not (0 < r < N and 0 < s < N):
                orders += [
                    ecdsa(uncompressed(public), digest, encode_dss_signature(r, s))
                    for digest in (0, 1, N)
                ]
    assert set(ask(orders)) == {"0"}


def test_points_that_are_none_are_refused(ask: Ask) -> None:
    digest, r, s = 99, 0, 0
    secret, nonce = 5, 7
    point = times(nonce, G)
    assert point is not None
    r = point[0] % N
    s = pow(nonce, -1, N) * (digest + r * secret) % N
    x, y = times(secret, G) or (0, 0)
    good = uncompressed((x, y))
    signature = encode_dss_signature(r, s)
    bad = [
        bytes(65),
        b"\4" + bytes(64),
        uncompressed((x, (y + 1) % P)),
        uncompressed((y, x)),
        uncompressed((P, y)),
        b"\4" + b"\xff" * 64,
        *(bytes((first,)) + good[1:] for first in (0, 2, 3, 5, 6, 7, 0x84)),
    ]
    if x + P < 2**256:
        bad.append(uncompressed((x + P, y)))
    # A zero has a root: x = 0 is on the curve, and as p it is not.
    root = pow(B, (P + 1) // 4, P)
    zero = uncompressed((0, root))
    digest_zero = 3
    point = add(times(digest_zero, G), times(1, (0, root)))
    assert point is not None
    # With s = r, u1 = e / r and u2 = 1.
    signed = None
    for e in range(1, 50):
        total = add(times(e, G), (0, root))
        assert total is not None
        if is_valid((0, root), e * total[0] % N, total[0] % N, total[0] % N):
            signed = (e * total[0] % N, encode_dss_signature(total[0] % N, total[0] % N))
            break
    assert signed is not None
    orders = [ecdsa(good, digest, signature), ecdsa(zero, *signed)]
    orders += [ecdsa(key, digest, signature) for key in bad]
    orders.append(ecdsa(b"\4" + P.to_bytes(32, "big") + zero[33:], *signed))
    assert ask(orders) == ["1", "1"] + ["0"] * (len(bad) + 1)


def test_only_strict_der_is_a_signature(ask: Ask) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = 42
    signature = private.sign(digest.to_bytes(32, "big"), ec.ECDSA(Prehashed(SHA256())))
    size = signature[3]
    first, second = signature[2 : 4 + size], signature[4 + size :]

    def sequence(content: bytes) -> bytes:
        return bytes((0x30, len(content))) + content

    def padded(integer: bytes) -> bytes:
        return bytes((2, integer[1] + 1, 0)) + integer[2:]

    bad = [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x80" + first + second + b"\0\0",
        b"\x30\x81" + signature[1:],
        b"\x30\x82\0" + signature[1:],
        signature + b"\0",
        signature[:-1],
        b"\x31" + signature[1:],
        sequence(first + second + b"\5\0"),
        sequence(first),
        sequence(padded(first) + second),
        sequence(first + padded(second)),
        sequence(b"\3" + first[1:] + second),
        sequence(b"\2\x81" + first[1:] + second),
        sequence(b"\2\0" + second),
        sequence(first + b"\2\0"),
        sequence(first + b"\2\1\0"),
        sequence(b"\2\1\0" + b"\2\1\0"),
        sequence(b"\2\1\x80" + second),
        sequence(first + b"\2\x7f" + second[2:]),
        sequence(second + first),
        sequence(first + second)[:-1] + b"",
        bytes((0x30, signature[1] + 1)) + signature[2:],
        bytes((0x30, signature[1] - 1)) + signature[2:],
        b"\0" * 70,
        b"\xff" * 72,
        signature * 2,
    ]
    chance = random.Random(SEED)
    for _ in range(300):
        piece = bytearray(signature)
        for _ in range(chance.randint(1, 3)):
            match chance.randrange(3):
                case 0 if piece:
                    del piece[chance.randrange(len(piece))]
                case 1:
                    piece.insert(chance.randrange(len(piece) + 1), chance.randrange(256))
                case _ if piece:
                    piece[chance.randrange(min(len(piece), 8))] = chance.randrange(256)
        if bytes(piece) != signature:
            bad.append(bytes(piece))
    orders = [ecdsa(key, digest, signature), *(ecdsa(key, digest, piece) for piece in bad)]
    assert ask(orders) == ["1"] + ["0"] * len(bad)


# RSA


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_pss(bits: int, ask: Ask) -> None:
    private = rsa.generate_private_key(65537, bits)
    key = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = sha256(b"message").digest()

    def signed(salt: int, hashing: Any = None) -> bytes:
        pss = padding.PSS(padding.MGF1(hashing or SHA256()), salt)
        return private.sign(digest, pss, Prehashed(SHA256()))

    def order(signature: bytes, of: bytes = digest) -> dict[str, Any]:
        return {
            "module": "rsa_pss",
            "key": key.hex(),
            "digest": of.hex(),
            "sig": signature.hex(),
        }

    good = signed(32)
    modulus = private.public_key().public_numbers().n
    number = int.from_bytes(good, "big")
    pkcs1 = private.sign(digest, padding.PKCS1v15(), Prehashed(SHA256()))
    bad = [signed(0), signed(20), signed(33), pkcs1, good[:-1], b"\0" + good, b"", bytes(len(good))]
    if number + modulus < 1 << bits:
        bad.append((number + modulus).to_bytes(bits // 8, "big"))
    chance = random.Random(SEED)
    for _ in range(30):
        changed = bytearray(good)
        changed[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        bad.append(bytes(changed))
    orders = [order(good), order(good, sha256(b"other").digest()), *map(order, bad)]
    assert ask(orders) == ["1"] + ["0"] * (len(bad) + 1)


def test_rsa_keys_that_are_too_short_or_garbled_verify_nothing(ask: Ask) -> None:
    private = rsa.generate_private_key(65537, 1024)
    digest = sha256(b"message").digest()
    pss = padding.PSS(padding.MGF1(SHA256()), 32)
    signature = private.sign(digest, pss, Prehashed(SHA256()))
    key = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    chance = random.Random(SEED)
    keys = [key, b"", key[:40]]
    long = rsa.generate_private_key(65537, 2048)
    fine = long.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signed = long.sign(digest, pss, Prehashed(SHA256()))
    for _ in range(100):
        garbled = bytearray(fine)
        garbled[chance.randrange(40)] = chance.randrange(256)
        if bytes(garbled) != fine:
            keys.append(bytes(garbled))
    orders = [
        {"module": "rsa_pss", "key": k.hex(), "digest": digest.hex(), "sig": s.hex()}
        for k, s in [(keys[0], signature), *((k, signed) for k in keys[1:])]
    ]
    assert set(ask(orders)) <= {"0", "unreadable"}


# Heap


@pytest.mark.parametrize(("module", "bits"), [("ecdsa", 256), ("rsa_pss", 2048), ("rsa_pss", 4096)])
def test_a_verifier_works_alone_in_16_kb(module: str, bits: int, tmp_path: Path) -> None:
    site = build_site(tmp_path)
    script = put_script("verify.py", site)
    (site / "verify.mpy").write_bytes(compile_module("verify", script.read_bytes()))
    script.unlink()
    digest = sha256(b"message").digest()
    if module == "ecdsa":
        curve = ec.generate_private_key(ec.SECP256R1())
        public: Any = curve.public_key()
        signature = curve.sign(digest, ec.ECDSA(Prehashed(SHA256())))
    else:
        private = rsa.generate_private_key(65537, bits)
        public = private.public_key()
        pss = padding.PSS(padding.MGF1(SHA256()), 32)
        signature = private.sign(digest, pss, Prehashed(SHA256()))
    key = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for name, data in (("key", key), ("digest", digest), ("signature", signature)):
        (site / name).write_bytes(data)
    done = subprocess.run(
        [*find_runtime().command, "-X", "heapsize=16k", "-m", "verify", module],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=site,
        env={"MICROPYPATH": f"{site}:.frozen"},
        check=False,
    )
    assert done.stdout.split() == ["True"] * 3, done.stdout + done.stderr


# Canonical JSON


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def canonical(data: bytes, get: bool = False) -> dict[str, Any]:
    return {"json": data.hex(), "get": get}


@settings(max_examples=5, phases=[Phase.explicit, Phase.generate])
@given(documents=st.lists(VALUES, min_size=60, max_size=60), seed=st.integers(0, 2**32))
def test_the_canonical_form_is_the_one_of_securesystemslib(
    documents: list[Any], seed: int, ask: Ask
) -> None:
    """However a document is written: blanks, escapes; but its members must be in order."""
    chance = random.Random(seed)
    orders = []
    for document in documents:
        text = json.dumps(
            document,
            indent=chance.choice([None, 1, 4]),
            ensure_ascii=chance.random() < 0.5,
            sort_keys=True,
        )
        orders.append(canonical(text.encode()))
    answers = ask(orders)
    for document, answer in zip(documents, answers, strict=True):
        form = encode_canonical(document)
        assert form is not None
        assert bytes.fromhex(answer.strip()).decode() == form


def test_what_is_read_is_what_was_written(ask: Ask) -> None:
    text = json.dumps(
        {"b": [1, -2, True, None, '\u00e9\U0001f600\n"\\/'], "a": {"x" * 700: "y" * 3000}},
        sort_keys=True,
    )
    [answer] = ask([canonical(text.encode(), get=True)])
    assert json.loads(answer.partition(" ")[2]) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{,}",
        "[,]",
        "[1,]",
        "[1 2]",
        '{"a":1 "b":2}',
        "{1:2}",
        '{"a":1}}',
        '{"a":1}x',
        '{"a":1}\0',
        "1.0",
        "1e3",
        "-0",
        "01",
        "+1",
        "--1",
        "0x10",
        "1_000",
        "1" * 21,
        "tru",
        "True",
        "nul",
        "NaN",
        '"',
        '"abc',
        '"\\"',
        '"\\x"',
        '"\\u12"',
        '"\\u12g4"',
        '"\\ud800"',
        '"\\ud800\\u0041"',
        '"\\ud800 \\udc00"',
        '"\\udc00"',
        '{"a":1,"a":1}',
        '{"b":1,"a":1}',
        '{"b":1,"a":1,"b":1}',
        '{"a":{"b":1,"a":1}}',
        '{"a":1,"\\u0061":1}',
        "[" * 50 + "]" * 50,
        '{"a":' * 50 + "1" + "}" * 50,
        "'a'",
        "/**/1",
    ],
)
def test_malformed_json_is_refused(text: str, ask: Ask) -> None:
    assert ask([canonical(text.encode())]) == ["malformed"]


def test_a_long_string_is_hashed_but_not_kept(ask: Ask) -> None:
    text = '"' + "x" * 20_000 + '"'
    assert ask([canonical(text.encode())], heap="512k")[0].strip() == text.encode().hex()
    assert ask([canonical(text.encode(), get=True)], heap="512k") == ["malformed"]

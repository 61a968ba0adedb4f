"""Readers of source, settings, keys and versions: exact on what they know, total on the rest."""

from __future__ import annotations

import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.audit.firmware.advisories import (
    DatabaseError,
    Range,
    digest_of,
    order_of,
    read_database,
)
from seawall.audit.firmware.bundle import is_root_metadata, read_bundle
from seawall.audit.firmware.c_code import read_c
from seawall.audit.firmware.c_tokens import Kind, tokens_of
from seawall.audit.firmware.components import components_in_image, components_in_text
from seawall.audit.firmware.configuration import read_configuration
from seawall.audit.firmware.facts import read_firmware_file
from seawall.audit.firmware.private_keys import private_key_in
from seawall.audit.firmware.python_code import read_python
from seawall.audit.firmware.words import SecretKind, is_placeholder, secret_kind

NAMES = ["main.py", "a.ino", "c.json", "c.toml", "c.yaml", "requirements.txt", "key.der", "a.h"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("WIFI_PASSWORD", SecretKind.PASSWORD),
        ("wifiPassword2", SecretKind.PASSWORD),
        ("wifi_password_A", SecretKind.PASSWORD),
        ("mqttpass", SecretKind.PASSWORD),
        ("apiKey", SecretKind.KEY),
        ("BLYNK_AUTH_TOKEN", SecretKind.TOKEN),
        ("key", None),
        ("sort_key", None),
        ("public_key", None),
        ("pin", None),
        ("compass", None),
        ("bypass", None),
        ("password_file", None),
        ("passwordHash", None),
        ("tokenize", None),
        ("x", None),
        ("", None),
    ],
)
def test_names_that_hold_secrets(name: str, kind: SecretKind | None) -> None:
    assert secret_kind(name) is kind


@pytest.mark.parametrize(
    "value",
    [
        *("", "****", "xxxxxxxx", "<password>", "your-password", "YOUR_WIFI_PASSWORD", "${PW}"),
        *("wrong_password", "Invalid password!", "no-wifi-password", "missing_token"),
        *("{pw}", "%s", "changeme", "password", "!secret wifi", "PASSWORD_HERE", "mypassword"),
    ],
)
def test_placeholders(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value",
    [
        "bad-wolf-1999",
        "no-more-tears",
        "hunter2",
        "thermostat",
        "addison77",
        "$tr0ng",
        "pa%sword9",
        "a{b",
        "the1amp5hade",
    ],
)
def test_real_passwords(value: str) -> None:
    assert not is_placeholder(value)


def test_tokens_of_c() -> None:
    text = 'a /* "x" */ "b\\x41\\n" // c\n"d" R"(e\n"f)" L\'g\' F("h")\n#define I \\\n "j"\nk'
    found = [(token.kind, token.text, token.line) for token in tokens_of(text)]
    assert found == [
        (Kind.NAME, "a", 1),
        (Kind.TEXT, 'bA\nde\n"f', 1),
        (Kind.NUMBER, "L'g'", 3),
        (Kind.TEXT, "h", 3),
        (Kind.DIRECTIVE, "define", 4),
        (Kind.NAME, "I", 4),
        (Kind.TEXT, "j", 5),
        (Kind.LINE_END, "", 5),
        (Kind.NAME, "k", 6),
    ]


def literals(text: str) -> list[tuple[str, int]]:
    return [(each.name, each.line) for each in read_c(text).literals]


def test_secrets_in_c() -> None:
    assert literals('#define WIFI_PASS "tulip-1999"\n') == [("WIFI_PASS", 1)]
    assert literals('const char password[] PROGMEM = "tulip-1999";') == [("password", 1)]
    assert literals('char pass[16] = {"tulip-1999"};') == [("pass", 1)]
    assert literals('String token("q8Zr27LmXc04TbWe91");') == [("token", 1)]
    assert literals('doc["password"] = "tulip-1999";') == [("password", 1)]
    assert literals('f(x); ap.begin(); WiFi.softAP("ap", "tulip-1999");') == [("WiFi.softAP()", 1)]
    assert literals('if (password == "tulip-1999") {}') == [("password", 1)]
    assert literals('c.connect("id", "me", "tulip-1999");') == [("c.connect()", 1)]
    two = 'const char* s = "Home";\nconst char* k = "tulip-1999";\nvoid f() { WiFi.begin(s, k); }'
    assert literals(two) == [("WiFi.begin()", 2)]
    assert literals('// #define WIFI_PASS "tulip-1999"\n/* WiFi.begin("a", "tulip-1999") */') == []
    assert literals('server.begin("80", "tulip-1999"); printf("password: tulip");') == []


def test_a_constant_and_the_call_that_uses_it_are_one_secret() -> None:
    text = "import network\nPASSWORD = 'tulip-1999'\nnetwork.WLAN(0).connect('Home', PASSWORD)\n"
    assert [each.line for each in read_python("main.py", text).literals] == [2]


def test_a_message_about_a_password_is_none() -> None:
    text = 'ERR_PASSWORD = "password refused"\nMSG_WIFI_PASSWORD = "try again, please"\n'
    assert read_python("main.py", text).literals == ()
    assert [each.name for each in read_python("main.py", 'ERR_PASSWORD = "tulip-1999"').literals]


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("platformio.ini", "upload_flags = --auth=admin123\n", [("--auth", 1, True)]),
        ("platformio.ini", "upload_flags =\n  --auth tulip-1999\n", [("--auth", 2, False)]),
        (
            "platformio.ini",
            'build_flags = -DDEBUG=5 -DWIFI_PASS=\\"tulip-1999\\"\n',
            [("WIFI_PASS", 1, False)],
        ),
        (
            "platformio.ini",
            "build_flags =\n  '-D WIFI_PASS=\"tulip-1999\"'\n  -DAPI_KEY=q8Zr27LmXc04TbWe91\n",
            [("WIFI_PASS", 2, False), ("API_KEY", 3, False)],
        ),
        ("platformio.ini", "build_flags = -DWIFI_PASS=${sysenv.WIFI_PASS} -DTOKENS=9\n", []),
        (
            "node.yaml",
            'api:\n  encryption:\n    key: "6q9Q7mWc8pJ1o3Xy2Zr5tVbNkLhGfDsAaPoIuYtReWw="\n',
            [("encryption_key", 3, False)],
        ),
        ("node.yaml", "api:\n  encryption:\n    key: !secret api_key\nsort:\n  key: q8Zr27L\n", []),
    ],
)
def test_secrets_in_flags_and_nodes(
    path: str, text: str, found: list[tuple[str, int, bool]]
) -> None:
    secrets = read_configuration(path, text)
    assert [(each.name, each.line, each.is_default) for each in secrets] == found


def test_lines_of_settings() -> None:
    text = json.dumps({"a": {"password": "tulip-1999"}, "b": {"password": "rose-2001"}}, indent=1)
    assert [each.line for each in read_configuration("a.json", text)] == [3, 6]


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("requirements.txt", "paho-mqtt[a]==2.1.0 ; x\n# b==1\nc>=2\n", {("paho-mqtt", "2.1.0")}),
        (
            "package.json",
            '{"deps": [["github:a/umqtt.simple", "1.4.0"]]}',
            {("umqtt.simple", "1.4.0")},
        ),
        ("library.properties", "name=My Lib\nversion=1.2\n", {("my-lib", "1.2")}),
        ("lib/foo/__init__.py", '__version__ = "0.3.1"\n', {("foo", "0.3.1")}),
        (
            "mbedtls/build_info.h",
            '#define MBEDTLS_VERSION_STRING   "3.6.2"\n',
            {("mbedtls", "3.6.2")},
        ),
        (
            "init.h",
            "#define LWIP_VERSION_MAJOR 2\n#define LWIP_VERSION_MINOR 1\n"
            "#define LWIP_VERSION_REVISION 2\n",
            {("lwip", "2.1.2")},
        ),
        (
            "dependencies.lock",
            "dependencies:\n  espressif/mdns:\n    version: 1.2.0\n  idf:\n    version: 5.1.2\n",
            {("mdns", "1.2.0"), ("esp-idf", "5.1.2")},
        ),
        (
            "sdkconfig",
            "#\n# Espressif IoT Development Framework (ESP-IDF) 5.1.2 Project Configuration\n#\n",
            {("esp-idf", "5.1.2")},
        ),
        ("notes.txt", "requests==2.0\n", set()),
    ],
)
def test_components(path: str, text: str, found: set[tuple[str, str]]) -> None:
    assert {(each.name, each.version) for each in components_in_text(path, text)} == found


def test_versions_are_ordered() -> None:
    ordered = ["0", "1.9", "1.21.0", "1.22.0-preview", "1.22.0", "1.22.1", "2025.8.0"]
    assert sorted(ordered, key=order_of) == ordered
    assert order_of("5.1") == order_of("5.1.0")
    assert Range("1.13.0", fixed="1.22.0").holds("1.22.0-preview")
    assert not Range("1.13.0", fixed="1.22.0").holds("1.22.0")
    assert Range("5.0", last="5.0.6").holds("5.0.6")
    assert not Range("5.0").holds("5.0.6")


def test_the_shipped_database_can_be_read() -> None:
    from importlib.resources import files

    database = read_database((files("seawall.audit") / "vulnerabilities.json").read_bytes())
    assert {"micropython", "esp-idf", "mbedtls", "mosquitto"} <= database.components()
    assert len({each.id for each in database.vulnerabilities}) == len(database.vulnerabilities)
    for each in database.vulnerabilities:
        assert each.url.startswith("https://")
        assert each.ranges
        for one in each.ranges:
            end = one.fixed or one.last
            assert end is not None
            assert order_of(one.introduced) <= order_of(end)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"format": 2}', b'{"format": 1}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_database(data: bytes) -> None:
    with pytest.raises(DatabaseError):
        read_database(data)


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), st.lists, max_leaves=5))
def test_entries_of_any_kind_are_refused(entry: object) -> None:
    content = {"format": 1, "date": "2026-11-22", "vulnerabilities": [entry]}
    content["sha256"] = digest_of(content)
    with pytest.raises(DatabaseError):
        read_database(json.dumps(content).encode())


@settings(max_examples=200)
@given(st.sampled_from(NAMES), st.binary(max_size=400))
def test_any_bytes_are_read(name: str, data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_firmware_file(name, 0o644, data)


PIECES = (
    'password = " \' \\ \n ( ) { } WiFi.begin , #define /* */ // R"x( )x" F( [ ] PROGMEM == - : '
    "a1b2c3d4 import"
)
SOURCE = st.lists(st.sampled_from([" ", "\n", *PIECES.split(" ")]), max_size=40).map("".join)


@settings(max_examples=300)
@given(st.sampled_from(["main.py", "a.ino", "c.json", "c.toml", "c.yaml"]), SOURCE)
def test_anything_like_source_is_read(name: str, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_firmware_file(name, 0o644, text.encode())
    lines = text.count("\n") + 1
    for literal in (read.source.literals if read.source else ()) + (read.settings or ()):
        assert 1 <= literal.line <= lines


@given(st.binary(max_size=200))
def test_other_readers_are_total(data: bytes) -> None:
    text = data.decode("latin-1")
    private_key_in(data)
    read_bundle(data)
    is_root_metadata(data)
    list(components_in_image("a.bin", data))
    order_of(text)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_damaged_key_is_read_without_fault(place: int, damage: bytes) -> None:
    from seawall.pki.keys import encode_key, new_key

    pem = bytearray(encode_key(new_key(), None))
    pem[place : place + len(damage)] = damage
    private_key_in(bytes(pem))

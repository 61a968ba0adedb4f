"""Weak firmware fails each check, its sound twin passes, and no text holds a secret."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits
from seawall.audit.firmware.advisories import digest_of
from seawall.audit.fixing import apply, planned
from seawall.audit.runner import Outcome, Terms, audit_target
from seawall.audit.target import Access, Target, TargetKind
from seawall.model.finding import Result, Severity, Status
from seawall.pki.keys import encode_key, new_key

CHECKS = [check for check in find_checks() if TargetKind.FIRMWARE in check.kinds]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SECRET = "Walrus-4471-tide"
TOKEN = "q8Zr27LmXc04TbWe91"


def audit(
    folder: Path, access: Access | None = None, now: datetime = NOW, limits: Limits | None = None
) -> dict[str, list[Result]]:
    outcome = Outcome()
    target = Target(TargetKind.FIRMWARE, str(folder), path=folder, access=access or Access())
    asyncio.run(audit_target(target, CHECKS, Terms(limits or Limits(), now), outcome))
    assert outcome.faults == []
    return outcome.by_check


def write(folder: Path, files: dict[str, str | bytes], mode: int = 0o600) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
    return folder


def failures(results: dict[str, list[Result]]) -> dict[str, list[Result]]:
    return {
        check: failed
        for check, found in results.items()
        if (failed := [each for each in found if each.status is Status.FAIL])
    }


WEAK: dict[str, tuple[dict[str, str], str, int]] = {
    "assigned": ({"main.py": f'WIFI_PASSWORD = "{SECRET}"\n'}, "firmware.secrets.code", 1),
    "keyword": (
        {"main.py": f'import x\nx.login(password=b"{SECRET}")\n'},
        "firmware.secrets.code",
        1,
    ),
    "dict": ({"main.py": f'c = {{"mqtt_pass": "{SECRET}"}}\n'}, "firmware.secrets.code", 1),
    "pair": ({"main.py": f'ssid, password = "Home", "{SECRET}"\n'}, "firmware.secrets.code", 1),
    "default": ({"main.py": f'def f(a, password="{SECRET}"): pass\n'}, "firmware.secrets.code", 1),
    "parameter": (
        {"main.py": f'def join(ssid, psk): pass\njoin("Home", "{SECRET}")\n'},
        "firmware.secrets.code",
        1,
    ),
    "compared": ({"main.py": f'if password == "{SECRET}": pass\n'}, "firmware.secrets.code", 1),
    "fallback": (
        {"main.py": f'import os\npassword = os.getenv("PW", "{SECRET}")\n'},
        "firmware.secrets.code",
        1,
    ),
    "wlan": (
        {"main.py": f'import network\nw = network.WLAN(0)\nK = "{SECRET}"\nw.connect("Home", K)\n'},
        "firmware.secrets.code",
        1,
    ),
    "token": ({"main.py": f'API_KEY = "{TOKEN}"\n'}, "firmware.secrets.code", 1),
    "url": ({"main.py": f'u = "mqtts://me:{SECRET}@broker"\n'}, "firmware.secrets.code", 1),
    "header": (
        {"main.py": f'h = {{"Authorization": "Bearer {TOKEN}"}}\n'},
        "firmware.secrets.code",
        1,
    ),
    "unparsed": ({"main.py": f'print "2"\npassword = "{SECRET}"\n'}, "firmware.secrets.code", 1),
    "define": ({"a.ino": f'#define WIFI_PASS "{SECRET}"\n'}, "firmware.secrets.code", 1),
    "begin": (
        {"a.ino": f'// WiFi.begin("a", "b");\nvoid f() {{ WiFi.begin("Home", "{SECRET}"); }}'},
        "firmware.secrets.code",
        1,
    ),
    "header file": ({"secrets.h": f'const char *psk = "{SECRET}";'}, "firmware.secrets.code", 1),
    "wrap": (
        {"main.py": "import ssl, machine\nssl.wrap_socket(s)\n"},
        "firmware.tls.unverified",
        7,
    ),
    "context": (
        {"main.py": "import ssl, machine\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"},
        "firmware.tls.unverified",
        7,
    ),
    "none": (
        {"main.py": "import tls\nc = tls.SSLContext(0)\nc.verify_mode = tls.CERT_NONE\n"},
        "firmware.tls.unverified",
        7,
    ),
    "requests": (
        {"main.py": "import machine, urequests as r\nr.get('https://a.example/x')\n"},
        "firmware.tls.unverified",
        7,
    ),
    "umqtt ssl": (
        {"main.py": "from umqtt.simple import MQTTClient\nc = MQTTClient('a', 'b', ssl=True)\n"},
        "firmware.tls.unverified",
        7,
    ),
    "insecure": ({"a.cpp": "void f() { client.setInsecure(); }"}, "firmware.tls.unverified", 7),
    "http": (
        {"main.py": "import urequests\nurequests.post(f'http://a.example/{x}')\n"},
        "firmware.http.plain",
        7,
    ),
    "mqtt": (
        {"main.py": "from umqtt.simple import MQTTClient\nc = MQTTClient('a', 'b.example')\n"},
        "firmware.mqtt.plain",
        7,
    ),
    "pubsub": ({"a.ino": "void f() { mqtt.setServer(host, 1883); }"}, "firmware.mqtt.plain", 7),
    "webrepl": ({"boot.py": "import webrepl\nwebrepl.start()\n"}, "firmware.webrepl.enabled", 2),
    "webrepl_cfg": ({"webrepl_cfg.py": f"PASS = '{SECRET}'\n"}, "firmware.webrepl.enabled", 2),
    "osdebug": ({"boot.py": "import esp\nesp.osdebug(0)\n"}, "firmware.debug.output", 9),
    "telnet": ({"boot.py": "import utelnetserver\n"}, "firmware.debug.shell", 2),
    "ota": (
        {
            "ota.py": "import urequests\nr = urequests.get('http://a.example/main.py')\n"
            "with open('main.py', 'w') as f:\n    f.write(r.text)\n"
        },
        "firmware.update.unsigned",
        4,
    ),
    "ota library": (
        {"boot.py": "from senko import Senko\nSenko('u', 'r').update()\n"},
        "firmware.update.unsigned",
        4,
    ),
    "ota plain": (
        {"a.ino": 'void f() { ESPhttpUpdate.update(client, "http://a.example/f.bin"); }'},
        "firmware.update.plain",
        4,
    ),
    "ota older": (
        {
            "ota.py": "import urequests\nr = urequests.get(URL)\nif remote_version != version:\n"
            "    open('main.py', 'w').write(r.text)\n"
        },
        "firmware.update.rollback",
        4,
    ),
    "requirements": (
        {"requirements.txt": "requests==2.31.0\n"},
        "firmware.components.vulnerable",
        5,
    ),
    "platformio": (
        {"platformio.ini": "lib_deps =\n  esp32async/ESPAsyncWebServer @ ^3.7.0\n"},
        "firmware.components.vulnerable",
        5,
    ),
}

SOUND: dict[str, dict[str, str]] = {
    "read at run time": {
        "main.py": "import json, network\nc = json.load(open('secrets.json'))\n"
        "w = network.WLAN(0)\nw.connect(c['ssid'], c['password'])\n"
        "password = None\nPASSWORD_FILE = 'secrets.json'\n",
        "secrets.json": json.dumps({"ssid": "Home", "password": SECRET}),
    },
    "placeholders": {
        "main.py": "WIFI_PASSWORD = '<your password>'\npassword = ''\nAPI_KEY = 'YOUR_API_KEY'\n"
        "token = '('\nkey = 'temperature'\npassword = input('Password: ')\n",
        "a.ino": '#define WIFI_PASS "your-password"\n// char* psk = "Walrus-4471-tide";\n',
    },
    "verified": {
        "main.py": "import ssl, tls, machine\n"
        "from umqtt.simple import MQTTClient\n"
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\nc.verify_mode = ssl.CERT_REQUIRED\n"
        "c.load_verify_locations(cadata=ca)\n"
        "d = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)\n"
        "e = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "ssl.wrap_socket(s, cert_reqs=ssl.CERT_REQUIRED, cadata=ca)\n"
        "m = MQTTClient('a', 'b.example', ssl=c)\n"
        "n = MQTTClient('a', 'b', ssl=True, ssl_params={'cert_reqs': 2, 'cadata': ca})\n"
        "l = MQTTClient('a', 'localhost')\n",
        "a.ino": "WiFiClientSecure net; void f() { net.setCACert(CA); mqtt.setServer(h, 8883); }",
    },
    "a host": {"tool.py": "import ssl, subprocess\nc = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"},
    "signed update": {
        "ota.py": "import urequests\nfrom ed25519 import verify\nr = fetch(URL)\n"
        "r = http.get('https://a.example/main.py')\n"
        "if version > installed and verify(key, r.content, sig):\n"
        "    open('main.py', 'w').write(r.text)\n"
    },
    "quiet": {"boot.py": "import esp\nesp.osdebug(None)\n#import webrepl\n#webrepl.start()\n"},
    "current": {"requirements.txt": "requests==2.32.4\n"},
}


@pytest.mark.parametrize("name", WEAK)
def test_what_is_weak_is_found(tmp_path: Path, name: str) -> None:
    files, check, item = WEAK[name]
    results = audit(write(tmp_path / "fw", files))
    found = failures(results)
    assert check in found
    first = found[check][0]
    assert first.item == item
    assert first.location is not None
    assert first.location.path in files
    assert first.fix is not None
    for result in (each for group in results.values() for each in group):
        text = repr(result)
        assert SECRET not in text
        assert TOKEN not in text


# The same program after its fix: each holds the code that the fix names.
MENDED: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "assigned": (
        {
            "main.py": "import json\nWIFI_PASSWORD = json.load(open('secrets.json'))['wifi']\n",
            "secrets.json": json.dumps({"wifi": SECRET}),
        },
        ("json.load(open('secrets.json'))",),
    ),
    "context": (
        {
            "main.py": "import tls, machine\n"
            "context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)\n"
            "context.verify_mode = tls.CERT_REQUIRED\ncontext.load_verify_locations(ca)\n"
            "context.wrap_socket(s, server_hostname=name)\n"
        },
        (
            "context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)",
            "context.verify_mode = tls.CERT_REQUIRED",
            "context.load_verify_locations(ca)",
            "context.wrap_socket(s, server_hostname=name)",
        ),
    ),
    "insecure": ({"a.cpp": "void f() { client.setCACert(ca); }"}, ("client.setCACert(ca)",)),
    "http": (
        {
            "main.py": "import aiohttp, tls\nc = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)\n"
            "c.verify_mode = tls.CERT_REQUIRED\nc.load_verify_locations(ca)\n"
            "session = aiohttp.ClientSession()\nsession.get(f'https://a.example/{x}', ssl=c)\n"
        },
        ("https://", "tls.CERT_REQUIRED"),
    ),
    "mqtt": (
        {
            "main.py": "import tls\nfrom umqtt.simple import MQTTClient\n"
            "context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)\n"
            "context.verify_mode = tls.CERT_REQUIRED\ncontext.load_verify_locations(ca)\n"
            "c = MQTTClient('a', 'b.example', port=8883, ssl=context)\n"
        },
        ("port=8883, ssl=context)", "verify_mode = tls.CERT_REQUIRED"),
    ),
    "pubsub": (
        {"a.ino": "WiFiClientSecure s; void f() { s.setCACert(ca); mqtt.setServer(host, 8883); }"},
        ("WiFiClientSecure", "setCACert(ca)", "8883"),
    ),
    "webrepl": ({"boot.py": "\n"}, ()),  # the lines that the fix names are taken out
    "osdebug": ({"boot.py": "import esp\nesp.osdebug(None)\n"}, ("esp.osdebug(None)",)),
    "telnet": ({"boot.py": "import network\n"}, ()),
    "ota plain": (
        {"a.ino": 'void f() { ESPhttpUpdate.update(client, "https://a.example/f.bin"); }'},
        ("https://",),
    ),
    "ota": (
        {
            "ota.py": "import urequests\nfrom ed25519 import verify\nr = fetch(URL)\n"
            "r = http.get('https://a.example/main.py')\ndef take(new_version, installed_version):\n"
            "    if new_version <= installed_version: return\n"
            "    if verify(key, r.content, sig):\n        open('main.py', 'w').write(r.text)\n"
        },
        (),
    ),
    "ota older": (
        {
            "ota.py": "import urequests\nfrom ed25519 import verify\nr = urequests.get(URL)\n"
            "def take(new_version, installed_version):\n"
            "    if new_version <= installed_version: return\n"
            "    if verify(key, r.content, sig):\n        open('main.py', 'w').write(r.text)\n"
        },
        ("if new_version <= installed_version: return",),
    ),
    "requirements": ({"requirements.txt": "requests==2.32.4\n"}, ("2.32.4",)),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_the_fix_names_makes_it_clean(tmp_path: Path, name: str) -> None:
    check = WEAK[name][1]
    found = failures(audit(write(tmp_path / "fw", WEAK[name][0])))[check]
    files, snippets = MENDED[name]
    for snippet in snippets:
        assert any(snippet in each.fix.text for each in found if each.fix), snippet
        assert any(snippet in text for text in files.values()), snippet
    for path in (tmp_path / "fw").iterdir():
        path.unlink()
    assert check not in failures(audit(write(tmp_path / "fw", files)))


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_not(tmp_path: Path, name: str) -> None:
    assert failures(audit(write(tmp_path / "fw", SOUND[name]))) == {}


def test_the_line_and_the_length_are_told(tmp_path: Path) -> None:
    results = audit(write(tmp_path / "fw", {"main.py": f'\n\nWIFI_PASSWORD = "{SECRET}"\n'}))
    [result] = failures(results)["firmware.secrets.code"]
    assert result.evidence == "a password of 16 characters in WIFI_PASSWORD stands in the code"
    assert result.location is not None
    assert result.location.line == 3
    assert result.reproduce is not None
    shown = subprocess.run(
        ["sh", "-c", result.reproduce], check=True, capture_output=True, text=True
    )
    assert SECRET in shown.stdout  # For the owner's eyes alone: the report has the command.


def test_what_everybody_tries_is_critical(tmp_path: Path) -> None:
    folder = write(tmp_path / "fw", {"main.py": "AP_PASSWORD = '12345678'\n"})
    [result] = failures(audit(folder))["firmware.secrets.code"]
    assert result.severity is Severity.CRITICAL
    assert "12345678" not in repr(result)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", json.dumps({"mqtt": {"user": "a", "password": SECRET}}, indent=1)),
        ("config.toml", f'[wifi]\nssid = "Home"\npassword = "{SECRET}"\n'),
        ("node.yaml", f"wifi:\n  ssid: Home\n  password: '{SECRET}'\n"),
        ("app.ini", f"[mqtt]\npassword = {SECRET}\n"),
        (".env", f"export MQTT_PASSWORD={SECRET}\n"),
        ("broken.json", f'{{"password": "{SECRET}",'),
        ("net.json", json.dumps({"ssid": "Home", "key": SECRET})),
    ],
    ids=["json", "toml", "yaml", "ini", "env", "broken", "network"],
)
def test_settings_that_others_may_read(tmp_path: Path, name: str, content: str) -> None:
    folder = write(tmp_path / "fw", {name: content}, mode=0o644)
    results = audit(folder)
    [result] = failures(results)["firmware.secrets.settings"]
    assert result.item == 1
    assert "mode 0644" in result.evidence
    assert SECRET not in repr(results)
    assert result.fix is not None
    assert result.fix.command is not None
    subprocess.run(["sh", "-c", result.fix.command], check=True)  # As printed.
    assert failures(audit(folder)) == {}


def test_settings_without_secrets(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.yaml": "wifi:\n  password: !secret wifi_password\n",
        "b.json": '{"password": "", "token_url": "https://a/b", "passwords": 3}',
        "c.env": "PASSWORD=${PASSWORD}\n# PASSWORD=abc12345\n",
    }
    assert failures(audit(write(tmp_path / "fw", files, mode=0o644))) == {}


def keys() -> dict[str, bytes]:
    def made(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout

    rsa = made("genrsa", "-traditional", "2048")
    pem = encode_key(new_key(), None)

    def der(source: bytes, *arguments: str) -> bytes:
        return subprocess.run(
            ["openssl", *arguments], input=source, capture_output=True, check=True
        ).stdout

    return {
        "rsa.pem": rsa,
        "rsa.der": der(rsa, "rsa", "-outform", "DER", "-traditional"),
        "pkcs8.pem": pem,
        "pkcs8.der": der(pem, "pkcs8", "-topk8", "-nocrypt", "-outform", "DER"),
        "sec1.der": der(pem, "ec", "-outform", "DER"),
        "ed.bin.key": der(made("genpkey", "-algorithm", "ed25519"), "pkey", "-outform", "DER"),
    }


def test_keys_that_others_may_read_and_the_fix(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = keys()
    folder = write(Path("with space"), dict(made), mode=0o644)
    results = audit(folder)
    found = failures(results)["firmware.keys.readable"]
    assert {each.location.path for each in found if each.location} == set(made)
    everything = [each for group in results.values() for each in group]
    apply(planned(everything))
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert failures(audit(folder)) == {}


def test_public_and_encrypted_keys_are_no_secret(tmp_path: Path) -> None:
    pem = encode_key(new_key(), None)
    public = subprocess.run(
        ["openssl", "pkey", "-pubout"], input=pem, capture_output=True, check=True
    ).stdout
    locked = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-passout", "pass:x"],
        input=pem,
        capture_output=True,
        check=True,
    ).stdout
    files: dict[str, str | bytes] = {"public.pem": public, "locked.pem": locked}
    assert failures(audit(write(tmp_path / "fw", files, mode=0o644))) == {}


def test_a_private_key_in_the_code(tmp_path: Path) -> None:
    pem = encode_key(new_key(), None).decode()
    folder = write(tmp_path / "fw", {"keys.py": f'KEY = """{pem}"""\n'})
    [result] = failures(audit(folder))["firmware.keys.embedded"]
    assert result.severity is Severity.CRITICAL
    assert pem.splitlines()[1] not in repr(audit(folder))
    # As the fix says: a file of its own with mode 0600.
    write(folder, {"keys.py": "KEY = open('key.pem').read()\n", "key.pem": pem})
    assert failures(audit(folder)) == {}


def bundle(folder: Path, **changes: object) -> Path:
    settings: dict[str, object] = {
        "format": 1,
        "device_id": "greenhouse-1",
        "broker": {"host": "b.example", "port": 8883, "server_name": "b.example"},
        "trust": {"mode": "ca+pin", "pins": ["ab" * 32]},
        "wifi": {"ssid": "Home", "password": SECRET},
        "updates": {"host": "b.example", "port": 8443},
    }
    settings.update(changes)
    root = {"signed": {"_type": "root"}, "signatures": [{"keyid": "1", "sig": "2"}]}
    return write(
        folder,
        {
            "config.json": json.dumps(settings),
            "root.json": json.dumps(root),
            "ca.der": b"\x30\x03\x02\x01\x00",
            "key.der": keys()["sec1.der"],
            "hmac.key": bytes(range(32)),
            "a/main.py": "import seawall_agent\n",
        },
    )


def test_a_bundle_as_seawall_writes_it_is_clean(tmp_path: Path) -> None:
    results = audit(bundle(tmp_path / "bundle"))
    assert failures(results) == {}
    passed = {check for check, found in results.items() if found[0].status is Status.PASS}
    assert {"firmware.bundle.trust", "firmware.update.missing", "firmware.keys.readable"} <= passed
    assert not any(each.status is Status.UNKNOWN for group in results.values() for each in group)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"trust": {"mode": "none", "pins": []}}, "firmware.bundle.trust"),
        ({"trust": {"mode": "pin", "pins": ["short"]}}, "firmware.bundle.trust"),
        ({"broker": {"host": "b"}}, "firmware.bundle.trust"),
        ({"updates": None}, "firmware.update.missing"),
    ],
)
def test_a_bundle_that_trusts_too_much(tmp_path: Path, changes: dict, check: str) -> None:
    assert set(failures(audit(bundle(tmp_path / "b", **changes)))) == {check}


def test_a_bundle_with_open_modes_is_mended(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b", wifi=None)
    folder.chmod(0o755)
    for name in ("config.json", "key.der", "hmac.key"):
        (folder / name).chmod(0o644)
    results = audit(folder)
    found = failures(results)
    assert {each.location.path for each in found["firmware.keys.readable"] if each.location} == {
        "key.der",
        "hmac.key",
    }
    assert {each.location.path for each in found["firmware.files.open"] if each.location} == {
        ".",
        "config.json",
    }
    apply(planned(each for group in results.values() for each in group))
    assert failures(audit(folder)) == {}


def test_what_everybody_may_write(tmp_path: Path) -> None:
    folder = write(tmp_path / "fw", {"main.py": "a = 1\n"}, mode=0o666)
    results = audit(folder)
    assert set(failures(results)) == {"firmware.files.open"}
    apply(planned(each for group in results.values() for each in group))
    assert failures(audit(folder)) == {}


IMAGE = bytes(3000) + b"MicroPython v1.22.2 on 2024-02-22; ESP32\0" + bytes(1 << 20)


def test_versions_in_images(tmp_path: Path) -> None:
    described = b"\x32\x54\xcd\xab" + bytes(12 + 32 + 32 + 16 + 16) + b"v5.1.2\0".ljust(32, b"\0")
    folder = write(tmp_path / "fw", {"a.bin": IMAGE, "b.bin": bytes(500) + described})
    found = failures(audit(folder))["firmware.components.vulnerable"]
    texts = " ".join(each.evidence for each in found)
    assert "micropython 1.22.2 has CVE-2024-8947" in texts
    assert "esp-idf 5.1.2 has CVE-2024-28183" in texts
    assert "CVE-2024-8946" not in texts  # That is of 1.23.


def test_a_version_between_two_pieces(tmp_path: Path) -> None:
    image = bytes((1 << 20) - 10) + b"MicroPython v1.20.0 on" + bytes(100)
    found = failures(audit(write(tmp_path / "fw", {"a.bin": image})))
    assert "firmware.components.vulnerable" in found


def test_an_old_database_is_no_pass(tmp_path: Path) -> None:
    folder = write(tmp_path / "fw", SOUND["current"])
    dated = datetime(2026, 6, 10, tzinfo=UTC)
    [result] = audit(folder, now=dated + timedelta(days=365))["firmware.components.vulnerable"]
    assert result.status is Status.PASS
    assert "365 days old" in result.evidence
    [result] = audit(folder, now=dated + timedelta(days=366))["firmware.components.vulnerable"]
    assert result.status is Status.UNKNOWN
    assert "366 days old" in result.evidence


def test_a_database_that_was_brought(tmp_path: Path) -> None:
    folder = write(tmp_path / "fw", SOUND["current"])
    content = {
        "format": 1,
        "date": "2027-05-30",
        "vulnerabilities": [
            {
                "id": "CVE-2027-0001",
                "component": "requests",
                "title": "Something",
                "severity": "high",
                "ranges": [{"introduced": "0", "fixed": "2.33"}],
                "url": "https://example.org",
            }
        ],
    }
    content["sha256"] = digest_of(content)
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(content))
    later = datetime(2027, 6, 1, tzinfo=UTC)
    [result] = audit(folder, Access(database=path), later)["firmware.components.vulnerable"]
    assert (result.status, result.severity) == (Status.FAIL, Severity.HIGH)
    path.write_text(json.dumps(content).replace("2.33", "2.0"))
    [result] = audit(folder, Access(database=path), later)["firmware.components.vulnerable"]
    assert result.status is Status.UNKNOWN
    assert "cut or edited" in result.evidence
    [result] = audit(folder, Access(database=tmp_path / "no"))["firmware.components.vulnerable"]
    assert "no such file" in result.evidence


def test_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    for path in (tmp_path / "no", write(tmp_path / "empty", {})):
        results = audit(path)
        assert {each.status for group in results.values() for each in group} == {Status.UNKNOWN}


def test_what_was_not_seen_is_no_pass(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"m{number}.py": "a = 1\n" for number in range(20)}
    results = audit(write(tmp_path / "fw", files), limits=Limits(max_files=10))
    assert not any(each.status is Status.PASS for group in results.values() for each in group)
    assert "more than 10 files" in results["firmware.secrets.code"][0].evidence


def test_reading_warns_nobody(tmp_path: Path) -> None:
    folder = write(tmp_path / "fw", {"main.py": 'a = "\\d"\nb = 1 is 1\n'})
    assert failures(audit(folder)) == {}


def test_hostile_source_ends(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "fw",
        {
            "deep.py": "(" * 5000 + ")" * 5000,
            "unary.py": "-" * 20000 + "1",
            "nul.py": b"a = 1\0",
            "deep.json": "[" * 100_000,
            "a.ino": '"' * 5000 + "\\" * 5000 + "/*",
            "b.cpp": 'R"(' * 2000,
        },
    )
    audit(folder)

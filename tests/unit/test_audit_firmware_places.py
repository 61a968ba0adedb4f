"""A pass wants a place that could have been weak; one that is decided elsewhere is unknown."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits
from seawall.audit.runner import Outcome, Terms, audit_target
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Result, Status

CHECKS = [check for check in find_checks() if TargetKind.FIRMWARE in check.kinds]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
MQTT, HTTP, TLS = "firmware.mqtt.plain", "firmware.http.plain", "firmware.tls.unverified"
SHELL, OUTPUT = "firmware.debug.shell", "firmware.debug.output"
UNSIGNED, ROLLBACK = "firmware.update.unsigned", "firmware.update.rollback"
FAIL, PASS, UNKNOWN = Status.FAIL, Status.PASS, Status.UNKNOWN
NOT_APPLICABLE = Status.NOT_APPLICABLE

SECRET = "Walrus-4471-tide"
UMQTT = "from umqtt.simple import MQTTClient\n"
PLAIN = "WiFiClient plain; WiFiClientSecure safe; void f() { safe.setCACert(ca);"
FETCH = (
    "import tls, hmac, requests\ncode = requests.get('https://a.example/main.py').text\n"
    "with open('main.py', 'w') as f:\n    f.write(code)\n"
)


def audit(folder: Path, files: dict[str, str]) -> dict[str, list[Result]]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o600)
    outcome = Outcome()
    target = Target(TargetKind.FIRMWARE, str(folder), path=folder)
    asyncio.run(audit_target(target, CHECKS, Terms(Limits(), NOW), outcome))
    assert outcome.faults == []
    return outcome.by_check


PLACES: dict[str, tuple[str, str, str, Status]] = {
    # MQTT of Python
    "umqtt, port of a name": (
        "main.py",
        f"from config import PORT\n{UMQTT}c = MQTTClient('a', HOST, PORT, USER, PW)\n",
        MQTT,
        FAIL,
    ),
    "umqtt, port 8883": ("main.py", f"{UMQTT}c = MQTTClient('a', HOST, 8883)\n", MQTT, FAIL),
    "umqtt, ssl elsewhere": (
        "main.py",
        f"{UMQTT}c = MQTTClient('a', HOST, ssl=config['tls'])\n",
        MQTT,
        UNKNOWN,
    ),
    "umqtt, context": ("main.py", f"{UMQTT}c = MQTTClient('a', HOST, ssl=context)\n", MQTT, PASS),
    "umqtt, unpacked": ("main.py", f"{UMQTT}c = MQTTClient(**settings)\n", MQTT, UNKNOWN),
    "umqtt, not called": ("main.py", "import umqtt.simple\n", MQTT, UNKNOWN),
    "umqtt, copied": (
        "main.py",
        "from simple import MQTTClient\nm = MQTTClient(b'a', 'b.example')\n",
        MQTT,
        FAIL,
    ),
    "another library": (
        "main.py",
        "from gmqtt.client import MQTTClient\nm = MQTTClient('a')\n",
        MQTT,
        UNKNOWN,
    ),
    "mqtt_as": (
        "main.py",
        "from mqtt_as import MQTTClient, config\nconfig['server'] = 'b'\nc = MQTTClient(config)\n",
        MQTT,
        FAIL,
    ),
    "mqtt_as, ssl": (
        "main.py",
        "from mqtt_as import MQTTClient, config\nconfig['ssl'] = True\nc = MQTTClient(config)\n",
        MQTT,
        PASS,
    ),
    "mqtt_as, ssl unverified": (
        "main.py",
        "from mqtt_as import MQTTClient, config\nconfig['ssl'] = True\nc = MQTTClient(config)\n",
        TLS,
        FAIL,
    ),
    "mqtt_as, config elsewhere": (
        "main.py",
        "from mqtt_as import MQTTClient\nfrom settings import config\nc = MQTTClient(config)\n",
        MQTT,
        UNKNOWN,
    ),
    "minimqtt": (
        "code.py",
        "import adafruit_minimqtt.adafruit_minimqtt as MQTT\n"
        "m = MQTT.MQTT(broker='b.example', port=1883, ssl_context=ssl.create_default_context())\n",
        MQTT,
        FAIL,
    ),
    "minimqtt, ssl": (
        "code.py",
        "import adafruit_minimqtt.adafruit_minimqtt as MQTT\n"
        "m = MQTT.MQTT(broker='b.example', is_ssl=True, ssl_context=context)\n",
        MQTT,
        PASS,
    ),
    "address": ("main.py", "BROKER = 'mqtt://b.example'\n", MQTT, FAIL),
    "address, filled in": ("main.py", "url = f'mqtt://{host}:1883'\n", MQTT, FAIL),
    "address, asked for": ("main.py", "if url.startswith('mqtt://'): pass\n", MQTT, NOT_APPLICABLE),
    "address, TLS": ("main.py", "BROKER = 'mqtts://b.example'\n", MQTT, PASS),
    # MQTT of C
    "two clients, plain": (
        "a.ino",
        f"PubSubClient m(plain); {PLAIN} m.setServer(h, 1883); }}",
        MQTT,
        FAIL,
    ),
    "two clients, plain on 8883": (
        "a.ino",
        f"PubSubClient m(plain); {PLAIN} m.setServer(h, 8883); }}",
        MQTT,
        FAIL,
    ),
    "two clients, TLS": (
        "a.ino",
        f"PubSubClient m(safe); {PLAIN} m.setServer(h, 8883); }}",
        MQTT,
        PASS,
    ),
    "server in the declaration": (
        "a.ino",
        "WiFiClient net; PubSubClient client(SERVER, 1883, callback, net);",
        MQTT,
        FAIL,
    ),
    "client set later": ("a.ino", f"{PLAIN} m.setClient(plain); m.setServer(h, p); }}", MQTT, FAIL),
    "client elsewhere": ("a.ino", "void f() { m.setServer(h, port); }", MQTT, UNKNOWN),
    "adafruit": (
        "a.ino",
        "#define SERVERPORT 1883\nWiFiClient client;\n"
        "Adafruit_MQTT_Client mqtt(&client, SERVER, SERVERPORT, USER, KEY);\n",
        MQTT,
        FAIL,
    ),
    "adafruit, TLS": (
        "a.ino",
        "WiFiClientSecure client;\nAdafruit_MQTT_Client mqtt(&client, SERVER, 8883, USER, KEY);\n",
        MQTT,
        PASS,
    ),
    "256dpi": (
        "a.ino",
        'WiFiClient net; MQTTClient client; void f() { client.begin("b.example", net); }',
        MQTT,
        FAIL,
    ),
    "256dpi, TLS": (
        "a.ino",
        'WiFiClientSecure net; MQTTClient c(256); void f() { c.begin("b", 8883, net); }',
        MQTT,
        PASS,
    ),
    "esp-idf 5": (
        "main.c",
        'esp_mqtt_client_config_t c = { .broker.address.uri = "mqtt://b.example" };',
        MQTT,
        FAIL,
    ),
    "esp-idf 5, TLS": (
        "main.c",
        'esp_mqtt_client_config_t c = { .broker.address.uri = "mqtts://b.example" };',
        MQTT,
        PASS,
    ),
    "esp-idf, elsewhere": (
        "main.c",
        "void f() { c.broker.address.uri = CONFIG_URI; esp_mqtt_client_init(&c); }",
        MQTT,
        UNKNOWN,
    ),
    "included": ("main.cpp", "#include <PubSubClient.h>\n", MQTT, UNKNOWN),
    # HTTP
    "https": (
        "main.py",
        "import aiohttp\nasync def f(s): await aiohttp.get('https://a.example/x')\n",
        HTTP,
        PASS,
    ),
    "http, address elsewhere": (
        "main.py",
        "import urequests\nfrom config import URL\nr = urequests.get(URL + '/x')\n",
        HTTP,
        UNKNOWN,
    ),
    "http, library alone": ("main.py", "import urequests\n", HTTP, UNKNOWN),
    "http in C": ("a.ino", 'void f() { http.begin("http://a.example/x"); }', HTTP, FAIL),
    "https in C": ("a.ino", 'void f() { http.begin("https://a.example/x"); }', HTTP, PASS),
    "http in C, elsewhere": (
        "a.ino",
        "HTTPClient http; void f() { http.begin(url); }",
        HTTP,
        UNKNOWN,
    ),
    # TLS
    "parameters that verify nothing": (
        "main.py",
        f"{UMQTT}c = MQTTClient('a', 'b', ssl=True, ssl_params={{'cert_reqs': ssl.CERT_NONE}})\n",
        TLS,
        FAIL,
    ),
    "decided elsewhere": ("main.py", "import ssl\nssl.wrap_socket(s, **given)\n", TLS, UNKNOWN),
    "TLS named alone": ("main.py", "import tls\n", TLS, UNKNOWN),
    "TLS in C": ("a.ino", "void f() { client.setCACert(ca); }", TLS, PASS),
    "TLS in C, named alone": ("a.ino", "#include <WiFiClientSecure.h>\n", TLS, UNKNOWN),
    # Shells
    "received and run": (
        "main.py",
        "import socket\ns = socket.socket()\ns.bind(('0.0.0.0', 23))\nc, a = s.accept()\n"
        "exec(c.recv(1024))\n",
        SHELL,
        FAIL,
    ),
    "received, named and run": (
        "main.py",
        "line = sock.recv(9)\neval(line.decode())\n",
        SHELL,
        FAIL,
    ),
    "received by a callback": (
        "main.py",
        "def sub(topic, message):\n    exec(message)\nclient.set_callback(sub)\n",
        SHELL,
        FAIL,
    ),
    "request that is run": ("main.py", "def f(request): eval(request.args['c'])\n", SHELL, FAIL),
    "own file that is run": (
        "main.py",
        "import socket\nexec(open('boot2.py').read())\n",
        SHELL,
        PASS,
    ),
    # Updates
    "verified by TLS alone": (
        "main.py",
        FETCH + "ctx.verify_mode = tls.CERT_REQUIRED\nctx.load_verify_locations(ca)\n",
        UNSIGNED,
        FAIL,
    ),
    "keyed hash of readings": ("main.py", FETCH + "hmac.new(key, data)\n", UNSIGNED, FAIL),
    "named and never called": ("main.py", FETCH + "def verify_signature(): pass\n", UNSIGNED, FAIL),
    "signature verified": ("main.py", FETCH + "verify_signature(key, code)\n", UNSIGNED, PASS),
    "name of a kind of key": (
        "a.ino",
        'void f() { mbedtls_ecdsa_init(&x); httpUpdate.update(c, "https://a.example/f"); }',
        UNSIGNED,
        FAIL,
    ),
    "signature verified in C": (
        "a.ino",
        'void f() { Update.installSignature(h, s); httpUpdate.update(c, "https://a.example/f"); }',
        UNSIGNED,
        PASS,
    ),
    "esp_https_ota": ("main.c", "void f() { esp_https_ota(&config); }", UNSIGNED, FAIL),
    "esp_ota": ("main.c", "void f() { esp_ota_set_boot_partition(p); }", ROLLBACK, FAIL),
    "update from elsewhere": (
        "a.ino",
        "void f() { httpUpdate.update(client, url); }",
        "firmware.update.plain",
        UNKNOWN,
    ),
    "update over TLS": (
        "a.ino",
        'void f() { httpUpdate.update(client, "https://a.example/f"); }',
        "firmware.update.plain",
        PASS,
    ),
    "esp_https_ota, http": (
        "main.c",
        'void f() { c.url = "http://a.example/f.bin"; esp_https_ota(&c); }',
        "firmware.update.plain",
        FAIL,
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_place_has_its_verdict(tmp_path: Path, name: str) -> None:
    file, text, check, status = PLACES[name]
    found = audit(tmp_path / "fw", {file: text})[check]
    assert {each.status for each in found} == {status}, [each.evidence for each in found]


@pytest.mark.parametrize("check", [MQTT, HTTP, TLS, SHELL, OUTPUT, UNSIGNED])
@pytest.mark.parametrize("file", ["main.c", "main.py"])
def test_a_program_without_a_place_passes_nothing(tmp_path: Path, check: str, file: str) -> None:
    text = "int main(void) { return 0; }\n" if file == "main.c" else "print(1 + 1)\n"
    [result] = audit(tmp_path / "fw", {file: text})[check]
    assert result.status is NOT_APPLICABLE


def test_a_library_that_another_file_uses_is_no_doubt(tmp_path: Path) -> None:
    files = {
        "net.h": "#include <PubSubClient.h>\n",
        "net.ino": f"PubSubClient m(safe); {PLAIN} m.setServer(h, 8883); }}",
    }
    [result] = audit(tmp_path / "fw", files)[MQTT]
    assert result.status is PASS


def test_a_doubt_names_its_place(tmp_path: Path) -> None:
    files = {"main.py": "import urequests\nurequests.get(A)\nurequests.get(B)\n"}
    [result] = audit(tmp_path / "fw", files)[HTTP]
    assert "`requests.get()`: its address is not known here, and 1 more such" in result.evidence
    assert result.location is not None
    assert (result.location.path, result.location.line) == ("main.py", 2)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("main.py", "import tls\nc.verify_mode = tls.CERT_NONE\n", "tls.SSLContext"),
        ("a.ino", "void setup() { client.setInsecure(); }", "client.setCACert(ca)"),
        ("a.c", "void f() { g(esp_tls_x, MBEDTLS_SSL_VERIFY_NONE); }", "esp_crt_bundle_attach"),
    ],
)
def test_a_fix_speaks_the_language_of_its_file(
    tmp_path: Path, file: str, text: str, words: str
) -> None:
    [result] = audit(tmp_path / "fw", {file: text})[TLS]
    assert result.fix is not None
    assert words in result.fix.text
    others = {"tls.SSLContext", "client.setCACert(ca)", "esp_crt_bundle_attach"} - {words}
    assert not any(other in result.fix.text for other in others)


def test_a_build_that_refuses_images_itself_is_sound(tmp_path: Path) -> None:
    files = {
        "main.c": "void f() { esp_https_ota(&config); }",
        "sdkconfig": "CONFIG_SECURE_BOOT=y\nCONFIG_BOOTLOADER_APP_ANTI_ROLLBACK=y\n",
    }
    found = audit(tmp_path / "fw", files)
    assert [found[check][0].status for check in (UNSIGNED, ROLLBACK)] == [PASS, PASS]
    files["sdkconfig"] = "# CONFIG_SECURE_BOOT is not set\n"
    found = audit(tmp_path / "fw", files)
    assert [found[check][0].status for check in (UNSIGNED, ROLLBACK)] == [FAIL, FAIL]


BUILD = f"""\
CONFIG_ESP_WIFI_PASSWORD="{SECRET}"
CONFIG_BROKER_URL="mqtt://me:{SECRET}@b.example"
CONFIG_FIRMWARE_UPGRADE_URL="http://a.example:8070/hello.bin"
CONFIG_ESP_TLS_SKIP_SERVER_CERT_VERIFY=y
CONFIG_MBEDTLS_SSL_PROTO_TLS1_1=y
CONFIG_LOCAL_URL="http://127.0.0.1/x"
"""


def test_the_build_of_a_project_is_read_with_it(tmp_path: Path) -> None:
    found = audit(tmp_path / "fw", {"main/main.c": "void f() {}\n", "sdkconfig": BUILD})
    lines = {
        check: [each.location.line for each in found[check] if each.location]
        for check in ("firmware.secrets.code", MQTT, HTTP, TLS)
    }
    assert lines == {"firmware.secrets.code": [1, 2], MQTT: [2], HTTP: [3], TLS: [4]}
    assert SECRET not in repr(found)
    backup = {"main/main.c": "void f() {}\n", "sdkconfig.old": BUILD}
    found = audit(tmp_path / "other", backup)
    assert found["firmware.secrets.code"][0].status is PASS


def test_what_components_bring_along_is_not_the_makers(tmp_path: Path) -> None:
    weak = f'#define WIFI_PASS "{SECRET}"\nvoid f() {{ c.setInsecure(); }}\n'
    brought = {
        "managed_components/espressif__mdns/examples/query/main/main.c": weak,
        "managed_components/espressif__mqtt/test_apps/main.c": weak,
        "main/main.c": "void f() {}\n",
    }
    found = audit(tmp_path / "fw", brought)
    assert not [each for group in found.values() for each in group if each.status is FAIL]
    own = {"managed_components/espressif__mdns/mdns.c": weak, "examples/main.c": weak}
    found = audit(tmp_path / "own", own)
    assert len(found["firmware.secrets.code"]) == 2


WIFI = "firmware.wifi.open"


@pytest.mark.parametrize(
    ("file", "weak", "mended", "words"),
    [
        (
            "main.py",
            "import network as n\nap = n.WLAN(1)\nap.config(ssid='a', security=n.AUTH_OPEN)\n",
            "import network\nap = network.WLAN(1)\n"
            "ap.config(ssid='a', security=network.AUTH_WPA2_PSK, key=read())\n",
            "security=network.AUTH_WPA2_PSK",
        ),
        (
            "a.ino",
            'void setup() { WiFi.softAP("Setup"); }',
            "void setup() { WiFi.softAP(name, password); }",
            "WiFi.softAP(name, password)",
        ),
    ],
    ids=["python", "arduino"],
)
def test_an_open_network_and_its_fix(
    tmp_path: Path, file: str, weak: str, mended: str, words: str
) -> None:
    [result] = audit(tmp_path / "fw", {file: weak})[WIFI]
    assert result.status is FAIL
    assert result.fix is not None
    assert words in result.fix.text
    assert words in mended
    [result] = audit(tmp_path / "fw", {file: mended})[WIFI]
    assert result.status is PASS


@pytest.mark.parametrize(
    ("file", "text", "status"),
    [
        ("code.py", "import wifi\nwifi.radio.start_ap('Setup')\n", FAIL),
        ("code.py", "import wifi\nwifi.radio.start_ap('Setup', password)\n", PASS),
        ("main.py", "ap.config(essid='a', authmode=0)\n", FAIL),
        ("main.c", "wifi_config_t c = { .ap = { .authmode = WIFI_AUTH_OPEN } };", FAIL),
        ("main.c", "w = { .sta = { .threshold.authmode = WIFI_AUTH_OPEN } };", NOT_APPLICABLE),
        ("a.ino", 'void f() { WiFi.softAP("Setup", NULL); }', FAIL),
        ("a.ino", "void f() { WiFi.softAP(); }", NOT_APPLICABLE),
    ],
)
def test_networks_of_its_own(tmp_path: Path, file: str, text: str, status: Status) -> None:
    found = audit(tmp_path / "fw", {file: text})[WIFI]
    assert {each.status for each in found} == {status}

"""Nothing that an audit reads, is given or is sent comes out again: secrets in every input."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.system


class Seeds:
    """Makes secrets that stand nowhere else, and finds them again."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def __call__(self, place: str) -> str:
        """Return a new secret for a place."""
        secret = f"Zq7x{len(self.places):03d}Kw9v"
        self.places[secret] = place
        return secret

    def told(self, text: str) -> list[str]:
        """Return the places whose secret stands in a text."""
        return [place for secret, place in self.places.items() if secret in text]


@pytest.fixture
def seed() -> Seeds:
    return Seeds()


def audit(folder: Path, *options: str | Path) -> str:
    """Run the command and return all that it printed and wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "seawall", "audit", *map(str, options)],
        cwd=folder,
        env={**os.environ, "SEAWALL_DEBUG": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, 1, 2}, done.stderr
    assert "Traceback (most recent" not in done.stderr
    written = [path.read_text() for path in folder.glob("report.*")]
    return "".join([done.stdout, done.stderr, *written])


FORMS: tuple[tuple[str, ...], ...] = (
    (),
    ("--json",),
    ("--sarif",),
    ("--sarif=report.sarif", "--html", "report.html"),
)


def write_firmware(folder: Path, seed: Seeds) -> None:
    """Write code and settings with secrets wherever people put them."""
    folder.mkdir()
    (folder / "main.py").write_text(f'''
import urequests, webrepl
WIFI_PASSWORD = "{seed("a constant")}"
wlan.connect("ssid", "{seed("an argument")}")
urequests.get("http://admin:{seed("userinfo")}@example.com/x")
urequests.get("http://{seed("a user that is a token")}@example.com/x")
urequests.get("http://example.com/?api_key={seed("a query")}")
headers = {{"Authorization": "Bearer {seed("a header")}", "X-Api-Key": "{seed("a key")}"}}
client = MQTTClient("id", "host", user="u", password="{seed("a keyword")}")
settings = {{"password": "{seed("a dictionary")}", "psk": b"{seed("bytes")}"}}
def sign_in(password="{seed("a default")}"): pass
# password: {seed("a comment")}
webrepl.start(password="{seed("WebREPL")}")
exec(urequests.get("http://example.com/fw.py?token={seed("an update")}").text)
''')
    (folder / "broken.py").write_text(f'password = "{seed("broken code")}"\n def (:\n')
    (folder / "main.ino").write_text(f'''
#define WIFI_PASS "{seed("a define")}"
const char* mqtt_password = "{seed("C")}";
void setup() {{
  WiFi.begin("ssid", "{seed("WiFi.begin")}"); http.begin("http://u:{seed("C URL")}@h/");
}}
''')
    values = {"wifi": {"password": seed("JSON")}, "url": f"mqtt://u:{seed('JSON URL')}@h"}
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "half.json").write_text(f'{{"password": "{seed("half JSON")}", ')
    (folder / "settings.toml").write_text(f'WIFI_PASSWORD = "{seed("TOML")}"\n')
    (folder / ".env").write_text(f"DB_PASSWORD={seed('.env')}\nDB=pg://u:{seed('.env URL')}@h/d\n")
    (folder / "esphome.yaml").write_text(f"wifi:\n  password: {seed('YAML')}\n")
    (folder / "platformio.ini").write_text(f"[mqtt]\npassword={seed('INI')}\n")
    for path in folder.iterdir():
        path.chmod(0o644)


def write_broker(folder: Path, seed: Seeds) -> None:
    """Write a weak broker whose files are full of secrets, misspelt ones too."""
    folder.mkdir()
    (folder / "mosquitto.conf").write_text(
        "listener 1883\nallow_anonymous true\nuser root\nlog_dest none\nmax_queued_messages 0\n"
        "password_file pw\nacl_file acl\npsk_file psk\n"
        f"plugin_opt_mysql_pass {seed('plugin_opt')}\nauth_opt_pg_password {seed('auth_opt')}\n"
        f"plugin_opt_dsn postgres://u:{seed('a DSN')}@h/d\n"
        f"remote_pasword {seed('misspelt')}\nrequire_certificate {seed('a wrong value')}\n"
        f"connection b\naddress h:1883\nremote_password {seed('remote_password')}\n"
        f"bridge_psk {seed('bridge_psk')}\nbridge_insecure true\npassword {seed('password')}\n"
    )
    (folder / "pw").write_text(
        f"alice:{seed('in clear')}\n{seed('no colon')}\n"
        f"bob:$7$101$c2FsdHNhbHQ=${seed('a hash')}AAAA==\n"
    )
    (folder / "psk").write_text(f"device:{seed('a PSK')}\n")
    (folder / "acl").write_text(f"topic readwrite #\npassword {seed('in the ACL')}\n")
    for path in folder.iterdir():
        path.chmod(0o644)


def test_files_are_read_and_not_repeated(tmp_path: Path, seed: Seeds) -> None:
    write_firmware(tmp_path / "firmware", seed)
    write_broker(tmp_path / "broker", seed)
    (tmp_path / "sdkconfig").write_text(
        f'CONFIG_WIFI_PASSWORD="{seed("sdkconfig")}"\n'
        f'CONFIG_MQTT_URL="mqtt://u:{seed("sdkconfig URL")}@h"\n'
    )
    (tmp_path / "devices.csv").write_text(f"id,firmware,serial,psk\na,1.0,1,{seed('CSV')}\n")
    targets = ("firmware", "broker/mosquitto.conf", "sdkconfig", "devices.csv")
    for form in FORMS:
        said = audit(tmp_path, *targets, *form)
        assert "firmware.secrets.code" in said
        assert seed.told(said) == []
    (tmp_path / "earlier.json").write_text(audit(tmp_path, *targets, "--json"))
    assert seed.told(audit(tmp_path, *targets, "--diff", "earlier.json")) == []
    mended = audit(tmp_path, *targets, "--fix", "--yes")
    assert "+allow_anonymous false" in mended
    assert seed.told(mended) == []


class Talkative(http.server.BaseHTTPRequestHandler):
    """Answers with what it was sent, and a secret of its own."""

    own = ""

    def do_GET(self) -> None:
        """Answer."""
        text = f"Traceback (most recent call last):\n{self.path} {dict(self.headers)} {self.own}"
        is_api = self.path.startswith("/api")
        body = (json.dumps([{"password": self.own}]) if is_api else text).encode()
        if self.path == "/.env":
            body = f"DB_PASSWORD={self.own}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_api else "text/plain")
        self.send_header("Set-Cookie", f"session={self.own}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_TRACE = do_GET  # noqa: N815  names of the library

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def talkative(seed: Seeds) -> Iterator[str]:
    handler = type("Handler", (Talkative,), {"own": seed("what the server holds")})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_what_it_gets_in_with_is_not_repeated(tmp_path: Path, seed: Seeds, talkative: str) -> None:
    (tmp_path / "token").write_text(seed("--token-file"))
    (tmp_path / "pw").write_text(seed("--password-file"))
    url = f"http://{talkative}"
    options = ("--token-file", "token", "--username", "me", "--password-file", "pw")
    for form in FORMS:
        said = audit(tmp_path, url, *options, *form, "--try-defaults")
        assert "api." in said
        assert seed.told(said) == []
    for place in (
        f"http://u:{seed('userinfo')}@{talkative}/o.json",
        f"http://u:a/{seed('userinfo with a slash')}@{talkative}/o.json",
        f"http://{seed('a token as user')}@{talkative}/o.json",
        f"{url}/o.json?api_key={seed('a query')}",
    ):
        assert seed.told(audit(tmp_path, url, "--openapi", place, "--json")) == []


@pytest.mark.parametrize(
    "form",
    [
        "mqtt://u:{}@h",
        "mqtt://u:a/{}@h",
        "mqtt://u:{}@h:99999",
        "mqtt://u:{}@[::",
        "mqtt:/u:{}@h",
        "ftp://u:{}@h",
        "//u:{}@h",
        "u:{}@h:8883",
        "https://h/?token={}",
        "https://h/x#{}",
        "https://u:{}@h/x@y",
        "HTTPS://u:{}@h\n",
    ],
)
def test_a_target_that_is_refused_is_shown_without_its_password(
    tmp_path: Path, seed: Seeds, form: str
) -> None:
    target = form.format(seed(form))
    said = audit(tmp_path, target)
    assert "error" in said
    assert seed.told(said) == []
    policy = tmp_path / "audit.toml"
    policy.write_text(f"[[target]]\nat = {json.dumps(target)}\n")
    said = audit(tmp_path, "--config", policy)
    assert "error" in said
    assert seed.told(said) == []


@pytest.mark.parametrize(
    "line",
    ['password = "{}"', 'token = "{}"', 'token_file = "{}"', 'pin = "{}"', 'token.x = "{}"'],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(
    tmp_path: Path, seed: Seeds, line: str
) -> None:
    policy = tmp_path / "audit.toml"
    policy.write_text("[[target]]\nat = 'mqtt://127.0.0.1'\n" + line.format(seed(line)) + "\n")
    said = audit(tmp_path, "--config", policy)
    assert "line 3" in said
    assert seed.told(said) == []


@pytest.mark.parametrize("option", ["--token-file", "--password-file"])
def test_a_secret_instead_of_its_file_is_not_repeated(
    tmp_path: Path, seed: Seeds, option: str
) -> None:
    said = audit(tmp_path, "mqtt://127.0.0.1", "--username", "me", option, seed(option))
    assert "error" in said
    assert seed.told(said) == []

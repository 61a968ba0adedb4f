"""The commands init, device, user and ca as people run them."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from seawall.cli.exit_codes import ExitCode
from seawall.cli.main import cli as entry

pytestmark = pytest.mark.system

PASSWORD = "walls of sea water"


class Cli:
    """Runs ``seawall`` on one state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def __call__(
        self, *arguments: str, status: int = 0, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "seawall.cli.main", *arguments],
            env={**os.environ, "SEAWALL_STATE": str(self.state), **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self(*arguments, "--json", **options).stdout)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("template") / "state"
    Cli(state)("init", "--mqtt-port", "0", "--web-port", "0")
    return state


@pytest.fixture
def cli(template: Path, tmp_path: Path) -> Cli:
    subprocess.run(["cp", "-a", str(template), str(tmp_path / "state")], check=True)
    return Cli(tmp_path / "state")


# init


def test_init_makes_an_installation_without_a_question(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "state")
    facts = cli.json("init", "--name", "iot.example.org", "--broker", "mosquitto")
    assert facts["names"] == ["iot.example.org", "localhost", "127.0.0.1"]
    assert len(facts["generated_password"]) == 20
    assert facts["broker"] == "mosquitto"
    assert len(facts["server_pins"]) == 2
    shown = cli.json("ca", "show")
    assert shown["server_pins"] == facts["server_pins"]
    assert shown["root"]["sha256"] == facts["root_sha256"]
    assert shown["server_names"] == ["127.0.0.1", "iot.example.org", "localhost"]
    for path in (cli.state, *cli.state.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    told = cli("init", status=ExitCode.CONFLICT)
    assert "nothing was changed" in told.stderr
    assert cli.json("ca", "show") == shown


def test_init_keeps_a_given_password_to_itself(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    cli = Cli(tmp_path / "state")
    done = cli("init", "--admin", "maria", "--password-file", str(tmp_path / "password"))
    assert PASSWORD not in done.stdout + done.stderr
    assert [user["user"] for user in cli.json("user", "list")] == ["maria"]


def test_init_on_a_terminal_asks_for_the_password(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli.main", "init", "--state", str(tmp_path / "state")],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(terminal)
    assert process.stderr is not None
    # What is typed before the prompt stands is thrown away, as at every such prompt.
    err = ""
    for prompt in ("generate one): ", "Repeat for confirmation: "):
        while not err.endswith(prompt):
            read = process.stderr.read(1)
            assert read, err
            err += read
        os.write(controller, f"{PASSWORD}\n".encode())
    out, rest = process.communicate(timeout=60)
    err += rest
    os.close(controller)
    assert process.returncode == 0, out + err
    assert PASSWORD not in out + err
    assert "password" not in out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--name", "not a name"), ExitCode.USAGE, "neither a DNS name"),
        (("--admin", "Not A Name"), ExitCode.USAGE, "not allowed"),
        (("--mqtt-port", "65536"), ExitCode.USAGE, "65536"),
        (("--encrypt-ca",), ExitCode.USAGE, "--passphrase-file"),
        (("--password-file", "/nowhere/at/all"), ExitCode.UNREADABLE_KEY, "cannot be read"),
        (("--state", "/proc/nowhere/state"), ExitCode.NOT_FOUND, "cannot be written"),
    ],
)
def test_init_refuses_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = Cli(tmp_path / "state")("init", *arguments, status=status)
    assert words in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "state").exists()


def test_a_half_made_state_is_described_by_every_command(cli: Cli) -> None:
    (cli.state / "pki" / "issuing.key.pem").unlink()
    for arguments in (("device", "list"), ("ca", "show"), ("user", "list"), ("init",)):
        status = ExitCode.CONFLICT if arguments == ("init",) else ExitCode.NOT_FOUND
        done = cli(*arguments, status=status)
        if arguments != ("init",):
            assert "half made" in done.stderr
            assert "issuing.key.pem" in done.stderr
            assert "hint:" in done.stderr


def test_a_key_that_others_may_read_stops_every_command(cli: Cli) -> None:
    (cli.state / "pki" / "master.key").chmod(0o644)
    done = cli("device", "list", status=ExitCode.UNREADABLE_KEY)
    assert f"chmod 600 '{cli.state}/pki/master.key'" in done.stderr


# device


def test_a_device_from_registration_to_revocation(cli: Cli, tmp_path: Path) -> None:
    added = cli.json("device", "add", "greenhouse-1", "--sensor", "tmp36:0", "--interval", "2.5")
    assert added["interval_ms"] == 2500
    cli("device", "add", "cellar", "--board", "esp32", "--sensor", "dht22:4", "--trust", "pin")
    listed = {entry["device"]: entry for entry in cli.json("device", "list")}
    assert sorted(listed) == ["cellar", "greenhouse-1"]
    assert listed["cellar"]["sensors"] == ["dht22:4"]
    shown = cli.json("device", "show", "greenhouse-1")
    assert shown["certificate_sha256"] == added["certificate_sha256"]
    assert [event["kind"] for event in shown["events"]] == ["device-added"]
    assert cli.json("device", "disable", "greenhouse-1")["status"] == "disabled"
    assert cli.json("device", "enable", "greenhouse-1")["status"] == "active"
    revoked = cli.json("device", "revoke", "greenhouse-1")
    assert (revoked["status"], revoked["proof"]["outcome"]) == ("revoked", "pending")
    cli("device", "enable", "greenhouse-1", status=ExitCode.CONFLICT)
    cli("device", "add", "greenhouse-1", status=ExitCode.CONFLICT)
    assert cli.json("ca", "show")["revoked"] == 1
    table = cli("device", "list", "--status", "revoked").stdout
    assert "greenhouse-1" in table
    assert "cellar" not in table


@pytest.mark.parametrize("name", ["../x", "a#+", ""])
def test_hostile_names_are_refused_by_every_command(cli: Cli, name: str, tmp_path: Path) -> None:
    for verb in ("add", "show", "disable", "enable", "revoke"):
        done = cli("device", verb, "--", name, status=ExitCode.USAGE)
        assert "device id" in done.stderr
    out = str(tmp_path / "out")
    assert (
        "device id"
        in cli(
            "device", "bundle", "--out", out, "--port", "1", "--", name, status=ExitCode.USAGE
        ).stderr
    )


def test_unknown_devices_are_not_found(cli: Cli) -> None:
    done = cli("device", "show", "nobody", status=ExitCode.NOT_FOUND)
    assert done.stderr.startswith("error: there is no device nobody\nhint:")


def test_an_esp8266_is_labelled_wherever_it_is_shown(cli: Cli, tmp_path: Path) -> None:
    refused = cli("device", "add", "old", "--board", "esp8266", status=ExitCode.USAGE)
    assert "--accept-unauthenticated-server" in refused.stderr
    cli("device", "add", "old", "--board", "esp8266", "--accept-unauthenticated-server")
    for arguments in (("device", "list"), ("device", "show", "old")):
        assert "server unauthenticated" in cli(*arguments).stdout
    assert cli.json("device", "show", "old")["server_authenticated"] is False
    out = str(tmp_path / "old")
    done = cli("device", "bundle", "old", "--out", out, "--port", "1", status=ExitCode.USAGE)
    assert "RSA" in done.stderr


def test_a_bundle_tells_no_secret(cli: Cli, tmp_path: Path) -> None:
    cli("device", "add", "cellar", "--board", "esp32", "--sensor", "tmp36:34")
    (tmp_path / "wifi").write_text("wifi-secret-1\n")
    out = tmp_path / "cellar"
    arguments = ("device", "bundle", "cellar", "--out", str(out), "--port", "8883")
    wifi = ("--wifi-ssid", "Home", "--wifi-password-file", str(tmp_path / "wifi"))
    done = cli(*arguments, *wifi)
    configuration = json.loads((out / "config.json").read_bytes())
    assert configuration["wifi"] == {"ssid": "Home", "password": "wifi-secret-1"}
    said = done.stdout + done.stderr
    for secret in ("wifi-secret-1", (out / "hmac.key").read_bytes().hex()):
        assert secret not in said
    cli(*arguments, *wifi, status=ExitCode.CONFLICT)
    facts = cli.json(*arguments, *wifi, "--force", "--source")
    assert "a/seawall_agent/app.py" in facts["files"]
    refused = cli(*arguments, "--force", "--wifi-ssid", "Home", status=ExitCode.USAGE)
    assert "--wifi-password-file" in refused.stderr


def test_a_bundle_needs_to_know_the_port(cli: Cli, tmp_path: Path) -> None:
    """The settings say 0, any free one, and no daemon runs."""
    cli("device", "add", "d")
    done = cli("device", "bundle", "d", "--out", str(tmp_path / "d"), status=ExitCode.USAGE)
    assert "--port" in done.stderr


def test_encrypted_authority_keys(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "state")
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("correct horse battery\n")
    bad.write_text("wrong horse battery\n")
    assert cli.json("init", "--passphrase-file", str(good))["ca_encrypted"] is True
    no_passphrase = cli("device", "add", "d", status=ExitCode.UNREADABLE_KEY)
    assert "--passphrase-file" in no_passphrase.stderr
    wrong = cli("device", "add", "d", "--passphrase-file", str(bad), status=ExitCode.UNREADABLE_KEY)
    assert "does not open" in wrong.stderr
    assert cli.json("device", "list") == []
    cli("device", "add", "d", "--passphrase-file", str(good))
    refused = cli("device", "revoke", "d", status=ExitCode.UNREADABLE_KEY)
    assert "seawall device disable d" in refused.stderr
    revoked = cli.json("device", "revoke", "d", env={"SEAWALL_PASSPHRASE_FILE": str(good)})
    assert revoked["status"] == "revoked"


def test_devices_added_at_the_same_time_are_all_there(cli: Cli) -> None:
    names = ["same", "same", "other", "third"]
    statuses: list[int] = []

    def add(name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "seawall.cli.main", "device", "add", name],
            env={**os.environ, "SEAWALL_STATE": str(cli.state)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        statuses.append(done.returncode)

    workers = [threading.Thread(target=add, args=(name,)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(statuses) == [0, 0, 0, ExitCode.CONFLICT]
    listed = cli.json("device", "list")
    assert [device["device"] for device in listed] == ["other", "same", "third"]
    for device in listed:
        der = (cli.state / "pki" / "devices" / device["device"] / "cert.der").read_bytes()
        assert hashlib.sha256(der).hexdigest() == device["certificate_sha256"]


# user and ca


def test_users(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    password_file = ("--password-file", str(tmp_path / "password"))
    added = cli.json("user", "add", "maria", "--role", "operator", *password_file)
    assert added == {"user": "maria", "role": "operator", "generated_password": None}
    assert len(cli.json("user", "add", "jo")["generated_password"]) == 20
    cli("user", "add", "maria", *password_file, status=ExitCode.CONFLICT)
    cli("user", "add", "M/A", *password_file, status=ExitCode.USAGE)
    cli("user", "passwd", "nobody", *password_file, status=ExitCode.NOT_FOUND)
    weak = cli(
        "user", "passwd", "maria", "--password-file", "-", stdin="short\n", status=ExitCode.USAGE
    )
    assert "at least 12" in weak.stderr
    cli("user", "passwd", "maria", "--password-file", "-", stdin="other walls of water\n")
    roles = {user["user"]: user["role"] for user in cli.json("user", "list")}
    assert roles == {"admin": "admin", "jo": "viewer", "maria": "operator"}


def test_ca_show(cli: Cli, tmp_path: Path) -> None:
    pem = cli("ca", "show", "--pem").stdout
    (tmp_path / "root.pem").write_text(pem)
    printed = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "root.pem"), "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip().split("=")[1] in cli("ca", "show").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("init",),
        ("ca", "show"),
        *(
            ("device", verb)
            for verb in ("add", "list", "show", "bundle", "revoke", "disable", "enable")
        ),
        *(("user", verb) for verb in ("add", "list", "passwd")),
    ],
    ids=" ".join,
)
def test_every_command_helps_with_an_example(arguments: tuple[str, ...]) -> None:
    said = CliRunner().invoke(entry, [*arguments, "--help"]).stdout
    assert re.search(rf"Examples?:\n\s+seawall {' '.join(arguments)}", said)
    assert "--json" in said

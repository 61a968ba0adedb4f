"""``seawall release`` as people run it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.system

PASSPHRASE = "walls of sea water"


class Cli:
    """Runs ``seawall`` on one state directory; the passphrase comes on descriptor 3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, *arguments: str, status: int = 0, passphrase: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "seawall", *arguments]
        reading, writing = os.pipe()
        if passphrase is not None:
            os.write(writing, passphrase.encode())
            command += ["--passphrase-fd", str(reading)]
        os.close(writing)
        done = subprocess.run(
            command,
            env={**os.environ, "SEAWALL_STATE": str(self.folder / "state")},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            pass_fds=(reading,),
        )
        os.close(reading)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert PASSPHRASE not in done.stdout + done.stderr
        return done

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self(*arguments, "--json", **options).stdout)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    cli = Cli(folder)
    cli("init", "--mqtt-port", "0", "--web-port", "0", "--updates-port", "0")
    cli("release", "keys", "create", passphrase=PASSPHRASE)
    (folder / "app").mkdir()
    (folder / "app" / "application.py").write_text("def start(agent):\n    pass\n")
    return folder


@pytest.fixture
def cli(template: Path, tmp_path: Path) -> Cli:
    subprocess.run(["cp", "-a", f"{template}/.", str(tmp_path)], check=True)
    return Cli(tmp_path)


def test_from_a_folder_to_a_published_release(cli: Cli) -> None:
    built = cli.json("release", "build", "app", "--version", "1.0")
    assert built["archive"] == "unix-1.0.zip"
    assert "application.mpy" in {each["path"] for each in built["contents"]}
    first = (cli.folder / "unix-1.0.zip").read_bytes()
    cli("release", "build", "app", "--version", "1.0", "--out", "again.zip")
    assert (cli.folder / "again.zip").read_bytes() == first

    signed = cli.json("release", "sign", "unix-1.0.zip", passphrase=PASSPHRASE)
    assert (signed["signed_by"], signed["published"]) == (["targets-1"], [])
    assert signed["waiting"] == {"releases": ["unix/1.0"], "withdrawals": []}
    assert cli.json("release", "list") == []
    refused = cli("release", "publish", "again.zip", passphrase=PASSPHRASE, status=4)
    assert "waits to be published: unix/1.0" in refused.stderr
    assert cli.json("release", "list") == []
    assert cli.json("release", "publish") == {"published": ["unix/1.0.json"], "withdrawn": []}
    (listed,) = cli.json("release", "list", "--board", "unix")
    assert (listed["release"], listed["sha256"]) == ("unix/1.0", built["sha256"])
    shown = cli.json("release", "show", "unix/1.0")
    assert shown["contents"] == built["contents"]

    cli("release", "build", "app", "--version", "1.0", status=4)
    cli("release", "publish", "again.zip", passphrase=PASSPHRASE, status=4)
    cli("release", "build", "app", "--version", "1.1")
    done = cli.json("release", "publish", "unix-1.1.zip", passphrase=PASSPHRASE)
    assert done["published"] == ["targets", "snapshot", "timestamp"]
    assert done["waiting"] == {"releases": [], "withdrawals": []}
    cli("release", "withdraw", "1.1", passphrase=PASSPHRASE)
    assert [each["release"] for each in cli.json("release", "list")] == ["unix/1.0"]


def test_keys_are_shown_rotated_and_recovered(cli: Cli) -> None:
    before = cli.json("release", "keys", "show")
    assert [(r["role"], r["threshold"], len(r["keys"])) for r in before["roles"]] == [
        ("root", 2, 3),
        ("targets", 1, 1),
        ("snapshot", 1, 1),
        ("timestamp", 1, 1),
    ]
    disk = cli.folder / "disk"
    for arguments in (
        ("rotate", "root-2", "--out", str(disk)),
        ("recover", "targets"),
        ("add", "root"),
        ("threshold", "root", "3"),
        ("renew",),
    ):
        done = cli.json("release", "keys", *arguments, passphrase=PASSPHRASE)
        assert "root" in done["published"], arguments
    assert (disk / "root-4.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY")
    after = cli.json("release", "keys", "show")
    assert after["roles"][0]["version"] == 6
    names = [each["name"] for each in after["roles"][0]["keys"]]
    assert names == ["root-1", "root-3", "root-4", "root-5"]
    cli("release", "keys", "remove", "root-1", passphrase=PASSPHRASE)
    cli("release", "keys", "remove", "root-3", passphrase=PASSPHRASE, status=4)


def test_two_people_sign_a_release_and_its_withdrawal(cli: Cli) -> None:
    cli("release", "keys", "add", "targets", passphrase=PASSPHRASE)
    cli("release", "keys", "threshold", "targets", "2", passphrase=PASSPHRASE)
    cli("release", "build", "app", "--version", "1.0")
    offline = cli.folder / "state/updates/keys/offline"
    mine, yours = cli.folder / "targets-1.pem", cli.folder / "targets-2.pem"
    for path in (mine, yours):
        (offline / path.name).rename(path)
    for words, said in (
        (("publish", "unix-1.0.zip"), "Published"),
        (("withdraw", "1.0"), "Withdrawn"),
    ):
        half = cli("release", *words, "--key", str(mine), passphrase=PASSPHRASE)
        assert "1 of 2 signatures" in half.stderr
        assert f"Waits to be {said.lower()}: unix/1.0." in half.stderr
        cli("release", "publish", status=5)
        whole = cli("release", "keys", "sign", "--key", str(yours), passphrase=PASSPHRASE)
        assert "Next: 'seawall release publish'" in whole.stderr
        assert f"{said}: unix/1.0" in cli("release", "publish").stderr
    assert cli.json("release", "list") == []


def test_what_is_wrong_has_a_status_and_a_hint(cli: Cli) -> None:
    (cli.folder / "app" / "key.der").write_bytes(b"secret")
    done = cli("release", "build", "app", "--version", "1.0", status=2)
    assert "key.der looks like a secret" in done.stderr
    cli("release", "build", "app", "--version", "one", status=2)
    cli("release", "build", "nowhere", "--version", "1", status=3)
    cli("release", "build", "app", "--version", "1", "--board", "toaster", status=2)
    (cli.folder / "bad.bin").write_bytes(b"\x7fELF")
    done = cli("release", "build", "bad.bin", "--version", "1", "--board", "esp32", status=1)
    assert "no ESP32 application image" in done.stderr
    cli("release", "publish", status=3)
    cli("release", "publish", "bad.bin", status=1)
    cli("release", "show", "1.0", status=3)
    cli("release", "keys", "rotate", "root-1", status=2)
    done = cli("release", "keys", "rotate", "timestamp", status=5)
    assert "--passphrase-fd" in done.stderr
    cli("release", "keys", "rotate", "root-1", passphrase="not the passphrase", status=5)
    cli("release", "keys", "create", passphrase=PASSPHRASE, status=4)
    assert "weak" not in cli("release", "keys", "show").stderr


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli("init", "--mqtt-port", "0", "--web-port", "0")
    done = cli("release", "keys", "create", passphrase="short", status=2)
    assert "at least 12" in done.stderr
    cli("release", "keys", "show", status=3)


def test_a_descriptor_that_nobody_gave_is_never_one_that_seawall_opened(tmp_path: Path) -> None:
    """Keys would be encrypted with what is in the database, and be lost at once."""
    cli = Cli(tmp_path)
    cli("init", "--mqtt-port", "0", "--web-port", "0")
    for number in range(3, 16):
        done = cli("release", "keys", "create", "--passphrase-fd", str(number), status=2)
        assert f"file descriptor {number}" in done.stderr
    cli("release", "keys", "show", status=3)


def test_a_build_needs_no_installation(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    built = Cli(tmp_path).json("release", "build", "app", "--version", "3", "--board", "rp2")
    assert built["release"] == "rp2/3"


def test_at_a_terminal_the_passphrase_is_asked_for_and_not_shown(cli: Cli) -> None:
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seawall", "release", "keys", "rotate", "timestamp"],
        env={**os.environ, "SEAWALL_STATE": str(cli.folder / "state")},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,  # else it would ask at the terminal of whoever runs the tests
    )
    os.close(terminal)
    seen = b""
    asked = threading.Event()

    def read() -> None:
        nonlocal seen
        while True:
            try:
                chunk = os.read(main, 1024)
            except OSError:
                return
            if not chunk:
                return
            seen += chunk
            if b"Passphrase of root-1" in seen:
                asked.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert asked.wait(30), seen
    os.write(main, PASSPHRASE.encode() + b"\n")
    assert process.wait(30) == 0, seen
    reader.join(10)
    os.close(main)
    assert PASSPHRASE.encode() not in seen
    assert b"timestamp is replaced" in seen
    assert seen.count(b"Passphrase of") == 1

"""The guide from a spreadsheet to a chart: its commands run, and print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from seawall.testing.daemon_process import DaemonProcess

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "import-and-export.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}\t", re.MULTILINE)
PASSWORD = "correct horse battery"


def blocks() -> Iterator[tuple[str, list[str]]]:
    """Yield commands, each with the lines that the guide shows of what they print."""
    found = [(kind, text) for kind, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8"))]
    for (kind, text), following in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "sh":
            yield text, following[1].splitlines() if following[0] == "text" else []


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the examples, a command ``seawall``, and an installation."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "seawall"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m seawall "$@"\n')
    shim.chmod(0o755)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return tmp_path


def environment(place: Path, mongodb_uri: str) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "SEAWALL_STATE": str(place / "state"),
        "MONGODB_URI": mongodb_uri,
        "PYTHONUTF8": "1",
    }


def sign_in(url: str, client: httpx.Client) -> None:
    """Sign in as the form of the page does."""
    form = client.get(f"{url}/signin").text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    fields = {**hidden, "name": "admin", "password": PASSWORD}
    answer = client.post(f"{url}/signin", data=fields, headers={"Origin": url})
    assert answer.status_code in {302, 303}, answer.text


def test_every_command_prints_what_the_guide_says(place: Path, mongodb_uri: str) -> None:
    env = environment(place, mongodb_uri)
    ports = "--mqtt-host 127.0.0.1 --mqtt-port 0 --web-port 0 --password-file password"
    subprocess.run(f"seawall init {ports}", shell=True, cwd=place, env=env, check=True)
    ran = 0
    for commands, shown in blocks():
        if commands.startswith("export MONGODB_URI"):
            continue
        if commands == "seawall up\n":
            see_the_chart(place)
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=place,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        printed = TIMESTAMP.sub("", (done.stderr + done.stdout).decode())
        refuses = any("refused: line" in line for line in shown)
        assert done.returncode == (1 if refuses else 0), commands + printed
        lines = printed.splitlines()
        for line in shown:
            assert line in lines, f"{commands}\ndoes not print {line!r}, but:\n{printed}"
        ran += 1
    assert ran == 9


def see_the_chart(place: Path) -> None:
    """Open the page of ``sf``, and ask for what its chart shows under **All**."""
    daemon = DaemonProcess(place / "state", place / "up.log")
    daemon.start()
    try:
        url = str(daemon.wait_ready()["url"]).rstrip("/")
        with httpx.Client(verify=False, timeout=30) as client:
            sign_in(url, client)
            assert "attic" in client.get(f"{url}/").text
            page = client.get(f"{url}/devices/sf").text
            assert re.search(r">8.759</span> stored", page), page
            found = re.search(r'<a href="\?(since=\d+)&amp;(until=\d+)">All</a>', page)
            assert found, page
            query = f"{found[1]}&{found[2]}&metric=temp&points=100"
            history = client.get(f"{url}/api/v1/devices/sf/readings?{query}").json()
        assert sum(history["count"]) == 8759
        assert min(history["min"]) == 7.556
    finally:
        assert daemon.stop() == 0, daemon.log()

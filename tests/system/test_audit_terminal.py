"""`seawall audit` on terminals of several widths, in a pipe, and in a shell that completes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

STYLE = re.compile(r"\x1b\[[0-9;]*m")
AGAIN = re.compile(r"\r\x1b\[K[^\r\n]*?(?=\r\x1b\[K)|\r\x1b\[K")
"""The line that says how far it is is drawn over itself."""


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    folder = tmp_path / "firmware"
    folder.mkdir()
    code = 'import webrepl, urequests\nwebrepl.start(password="reptile7")\nexec('
    (folder / "main.py").write_text(f'{code}urequests.get("http://192.0.2.1/f.py").text)\n')
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "seawall", "audit", *map(str, arguments)]


def on_terminal(columns: int, *arguments: str | Path, status: int = 1, **environment: str) -> str:
    """Return what an audit writes on a terminal, its progress taken away."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    process = subprocess.Popen(
        command(*arguments),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**own, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    said = bytearray()
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not piece:
            break
        said += piece
    os.close(master)
    assert process.wait(60) == status
    return AGAIN.sub("", said.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_prose_is_wrapped_where_words_end(firmware: Path, columns: int) -> None:
    lines = STYLE.sub("", on_terminal(columns, firmware)).splitlines()
    # Commands are copied: they, and paths that have no place to break, may be longer.
    prose = [line for line in lines if not line.startswith("    ") and "firmware/" not in line]
    assert max(map(len, prose)) <= columns
    start = next(
        at for at, line in enumerate(lines) if line.startswith("  Fix: Verify a signature")
    )
    assert lines[start + 1].startswith("       ")
    whole = " ".join(line.strip() for line in lines)
    assert "before anything of it is written where it runs" in whole
    assert any(re.match(r" 4 Lack of a secure update mechanism +D", line) for line in lines)


def test_the_list_of_checks_breaks_no_name() -> None:
    shown = STYLE.sub("", on_terminal(80, "--list-checks", status=0))
    assert max(map(len, shown.splitlines())) <= 80
    assert re.search(r"^  mqtt\.auth\.default-credentials +critical  A default", shown, re.M)
    assert shown.startswith("1 Weak, guessable or hard-coded passwords\n")


def test_colours_are_for_terminals_alone(firmware: Path) -> None:
    assert "\x1b[31m\x1b[1mHIGH  WebREPL is enabled" in on_terminal(80, firmware)
    assert not STYLE.search(on_terminal(80, firmware, NO_COLOR="1"))
    piped = subprocess.run(
        command(firmware), capture_output=True, text=True, timeout=60, check=False
    )
    assert "\x1b" not in piped.stdout + piped.stderr
    # A pipe gets whole lines to search, and tables with tabs.
    [fix] = [line for line in piped.stdout.splitlines() if "Fix: Verify a signature" in line]
    assert fix.endswith("docs/guides/releases.md.")
    assert "4\tLack of a secure update mechanism\tD\t" in piped.stdout


def test_the_schema_is_printed_and_nothing_audited(tmp_path: Path) -> None:
    words = command("--schema", tmp_path / "not-there")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    schema = json.loads(done.stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"grade", "items", "results"} <= set(schema["required"])


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("--sch", "--schema"),
        ("--profile etsi", "etsi-303645"),
        ("--fail-on cri", "critical"),
        ("--list", "--list-checks"),
    ],
)
def test_a_shell_completes_options_and_choices(words: str, offered: str) -> None:
    typed = ["seawall", "audit", *words.split()]
    done = subprocess.run(
        [sys.executable, "-c", "from seawall.cli.main import cli; cli(prog_name='seawall')"],
        env={
            **os.environ,
            "_SEAWALL_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(typed),
            "COMP_CWORD": str(len(typed) - 1),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert f"plain,{offered}" in done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("name", ["firmware", "sdkconfig"])
def test_the_age_of_the_database_is_told_wherever_it_was_asked(firmware: Path, name: str) -> None:
    place = firmware.parent / name
    if name == "sdkconfig":
        place.write_text(
            "# Espressif IoT Development Framework (ESP-IDF) 5.3.2 Project Configuration\n"
            'CONFIG_IDF_TARGET="esp32"\n'
        )
    done = subprocess.run(command(place), capture_output=True, text=True, timeout=60, check=False)
    assert re.search(
        r"^database of vulnerabilities of 20\d\d-\d\d-\d\d, \d+ days old", done.stdout, re.M
    )

"""The command line where nobody reads, nothing can be written, or no terminal is there."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from seawall.daemon.lock import read_running
from seawall.model.installation import StatePaths
from seawall.testing.daemon_process import make_installation

pytestmark = pytest.mark.system

FULL = "/dev/full"
"""Each write fails with ENOSPC (full(4))."""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an installation that is not running."""
    root = tmp_path_factory.mktemp("hostile") / "state"
    make_installation(root).store.close()
    return root


def seawall(state: Path, arguments: str, redirection: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a shell, with its redirections; ``PIPESTATUS`` is the last line."""
    command = (
        f'"$PYTHON" -m seawall {arguments} {redirection}; echo "status ${{PIPESTATUS[0]}}" >&3'
    )
    return subprocess.run(
        ["/bin/bash", "-c", f"exec 3>&1; {command}"],
        env={**os.environ, "PYTHON": sys.executable, "SEAWALL_STATE": str(state)},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )


def status(run: subprocess.CompletedProcess[str]) -> int:
    """Return the exit status of the command itself."""
    return int(run.stdout.rsplit("status ", 1)[1])


@pytest.mark.parametrize("arguments", ["readings --json", "device list --json", "--help"])
def test_a_reader_that_goes_away_is_no_error(state: Path, arguments: str) -> None:
    # `exec true` is gone before Python has even started.
    run = seawall(state, arguments, "| exec true")
    assert status(run) == 0
    assert run.stderr == ""


def test_output_that_cannot_be_written_is_told(state: Path) -> None:
    run = seawall(state, "device list --json", f"> {FULL}")
    assert status(run) == 7
    assert "No space left on device" in run.stderr
    assert "a fault in Seawall" not in run.stderr


@pytest.mark.parametrize("redirection", [f"2> {FULL}", "2>&-", "<&- >&- 2>&-"])
def test_an_error_that_cannot_be_told_keeps_its_exit_status(state: Path, redirection: str) -> None:
    assert status(seawall(state, "device show nobody", redirection)) == 3


@pytest.mark.parametrize("redirection", ["<&- >&- 2>&-", f"> {FULL} 2> {FULL}", "2>&1 | exec true"])
def test_the_daemon_runs_with_nobody_listening(
    state: Path, redirection: str, wait_until: Callable[..., Any]
) -> None:
    paths = StatePaths(state)
    command = f'"$PYTHON" -m seawall up --state "$STATE" {redirection}; exit ${{PIPESTATUS[0]}}'
    shell = subprocess.Popen(
        ["/bin/bash", "-c", command],
        env={**os.environ, "PYTHON": sys.executable, "STATE": str(state)},
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: shell.poll() is not None or read_running(paths), what="the daemon")
        running = read_running(paths)
        assert running is not None, f"it ended with {shell.returncode}"
        os.kill(running["pid"], signal.SIGTERM)
        assert shell.wait(10) == 0
    finally:
        shell.kill()
        shell.wait()


def on_terminal(arguments: list[str], environment: Mapping[str, str]) -> bytes:
    """Return what a command prints on a terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "seawall", *arguments], dict(environment))
    printed = b""
    try:
        while block := os.read(terminal, 4096):
            printed += block
    except OSError:  # EIO: the other side was closed (pty(7))
        pass
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return printed


@pytest.mark.parametrize("arguments", [["device", "list"], ["device", "show", "nobody"]])
def test_colour_is_for_terminals_that_want_it(state: Path, arguments: list[str]) -> None:
    environment = {**os.environ, "SEAWALL_STATE": str(state), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    assert b"\x1b[" not in on_terminal(arguments, {**environment, "NO_COLOR": "1"})
    if "show" in arguments:
        assert b"\x1b[31m" in on_terminal(arguments, environment)


def test_no_home_and_no_locale(state: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "seawall", "device", "show", "grün"],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "SEAWALL_STATE": str(state)},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == 2
    assert b"Traceback" not in run.stderr


@pytest.mark.parametrize("group", ["", "device", "user", "payload", "ca"])
def test_help_of_a_group_has_an_example(state: Path, group: str) -> None:
    assert "seawall " in seawall(state, f"{group} --help").stdout.split("Commands:")[1]


def test_the_shell_completes(state: Path) -> None:
    script = seawall(state, "", "").stdout
    completed = subprocess.run(
        [sys.executable, "-m", "seawall"],
        env={
            **os.environ,
            "_SEAWALL_COMPLETE": "bash_complete",
            "COMP_WORDS": "seawall dev",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert completed.stdout == "plain,device\n", script

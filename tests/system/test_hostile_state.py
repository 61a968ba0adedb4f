"""State directories that are damaged, closed to us, or somebody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seawall.testing.daemon_process import make_installation

pytestmark = pytest.mark.system

_DROPPED = "-dac_override,-dac_read_search"
"""Capabilities by which root passes over the modes of files (capabilities(7))."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an installation that is never changed."""
    root = tmp_path_factory.mktemp("hostile") / "state"
    make_installation(root).store.close()
    return root


@pytest.fixture
def state(original: Path, tmp_path: Path) -> Path:
    """Return a copy of it to damage."""
    return Path(shutil.copytree(original, tmp_path / "state"))


@pytest.fixture
def seawall(
    state: Path, program: Callable[[str], str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a command to its end, as somebody whom modes bind."""
    bound = []
    if os.geteuid() == 0:
        bound = [program("setpriv"), f"--inh-caps={_DROPPED}", f"--bounding-set={_DROPPED}"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*bound, sys.executable, "-m", "seawall", *arguments, "--state", str(state)],
            capture_output=True,
            check=False,
            text=True,
            timeout=20,
        )

    return run


Run = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = (("up",), ("device", "list"), ("device", "add", "x"))


@pytest.mark.parametrize("arguments", COMMANDS)
def test_an_empty_database_is_no_empty_fleet(
    state: Path, seawall: Run, arguments: tuple[str, ...]
) -> None:
    (state / "seawall.db").write_bytes(b"")
    run = seawall(*arguments)
    assert run.returncode == 7
    assert "seawall.db is empty" in run.stderr
    assert (state / "seawall.db").read_bytes() == b""


@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize(
    ("name", "status"),
    [("pki", 5), ("pki/server", 5), ("seawall.db", 7), ("seawall.toml", 2)],
)
def test_what_cannot_be_read_is_named(
    state: Path, seawall: Run, name: str, status: int, arguments: tuple[str, ...]
) -> None:
    (state / name).chmod(0)
    try:
        run = seawall(*arguments)
    finally:
        (state / name).chmod(0o700)
    assert run.returncode == status, run.stderr
    assert str(state / name) in run.stderr
    assert "fault" not in run.stderr


@pytest.mark.parametrize("name", ["pki/server/current.key.pem", "pki/web/current.key.pem", "lock"])
def test_up_names_the_file_that_it_cannot_open(state: Path, seawall: Run, name: str) -> None:
    (state / name).touch()
    (state / name).chmod(0)
    run = seawall("up")
    assert run.returncode in {3, 5}
    assert f"{state / name} cannot be" in run.stderr
    assert "backup" not in run.stderr


def test_up_names_a_folder_that_it_cannot_write(state: Path, seawall: Run) -> None:
    (state / "run").chmod(0o500)
    run = seawall("up")
    assert run.returncode == 3
    assert f"{state / 'run' / 'daemon.json'} cannot be written" in run.stderr
    assert "fault" not in run.stderr


def test_up_says_that_a_file_is_in_its_way(state: Path, seawall: Run) -> None:
    (state / "run").rmdir()
    (state / "run").touch()
    run = seawall("up")
    assert run.returncode == 3
    assert "daemon.json cannot be written" in run.stderr


@pytest.mark.parametrize("name", ["crl.pem", "server/current.key.pem"])
def test_up_refuses_a_damaged_file_by_its_name(state: Path, seawall: Run, name: str) -> None:
    (state / "pki" / name).write_text("garbage\n")
    run = seawall("up")
    assert run.returncode in {3, 5}
    assert str(state / "pki" / name) in run.stderr
    assert "backup" in run.stderr

"""`./run` as a person meets it: from any folder, with a bare environment, with mistakes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of `./run` alone, in a folder with a space, without an environment."""
    place = tmp_path / "a checkout"
    shutil.copytree(ROOT / "scripts", place / "scripts")
    shutil.copy(ROOT / "run", place / "run")
    return place


@pytest.fixture
def run(checkout: Path, tmp_path: Path) -> Run:
    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "no home"), **variables}
        return subprocess.run(
            [str(checkout / "run"), *words],
            cwd=tmp_path,
            env=bare,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def test_help_needs_nothing_and_installs_nothing(run: Run, checkout: Path) -> None:
    shown = run("help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "./run COMMAND" in shown.stdout
    assert not (checkout / ".venv").exists()


def test_a_mistyped_command_is_told_and_exits_2(run: Run) -> None:
    shown = run("tset")
    assert shown.returncode == 2
    assert "no './run tset'" in shown.stderr
    assert shown.stdout == ""


def test_a_link_to_it_works_from_elsewhere(run: Run, checkout: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout / "run")
    shown = subprocess.run([str(link), "help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0


def test_an_unfit_python_is_refused_by_name(run: Run) -> None:
    shown = run("seawall", "--version", SEAWALL_PYTHON="/bin/false")
    assert shown.returncode == 2
    assert "/bin/false" in shown.stderr


def test_a_failed_installation_shows_its_log_and_leaves_no_stamp(run: Run, checkout: Path) -> None:
    for lock in ("requirements.lock", "requirements-node.lock"):
        text = "click==8.2.0 --hash=sha256:" + "0" * 64 + "\n"
        (checkout / lock).write_text(text, encoding="utf-8")
    (checkout / "pyproject.toml").write_text("", encoding="utf-8")
    shown = run("seawall", "--version", PIP_NO_INDEX="1")
    assert shown.returncode == 1
    assert "click" in shown.stderr
    assert str(checkout / "build" / "setup.log") in shown.stderr
    assert not (checkout / ".venv" / "seawall-stamp.json").exists()


def test_bench_lists_what_there_is(run: Run, checkout: Path) -> None:
    (checkout / "bench").mkdir()
    (checkout / "bench" / "ingest.py").write_text("", encoding="utf-8")
    shown = run("bench")
    assert "ingest" in shown.stderr
    assert run("bench", "nothing").returncode == 2

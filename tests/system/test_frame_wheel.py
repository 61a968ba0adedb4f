"""The wheel holds all that an installation from it needs, and nothing that was left lying about."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release does."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_holds_the_agent(names: set[str]) -> None:
    sources = {path.relative_to(ROOT / "agent") for path in (ROOT / "agent").rglob("*.py")}
    assert {f"seawall/_agent/{each.as_posix()}" for each in sources} <= names


def test_it_holds_the_example_data_and_its_origin(names: set[str]) -> None:
    for name in ("README.md", "sf-temps.csv", "ambient-temperature.csv"):
        assert f"seawall/_examples/{name}" in names


def test_it_holds_the_pages_and_the_chart(names: set[str]) -> None:
    pages = ROOT / "src" / "seawall" / "web"
    static = [path for path in pages.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}]
    assert {f"seawall/{path.relative_to(pages.parent).as_posix()}" for path in static} <= names
    vendored = {name for name in names if name.startswith("seawall/web/static/vendor/")}
    assert any("uPlot" in name and name.endswith(".js") for name in vendored)
    assert any("LICENSE" in name for name in vendored)


def test_it_holds_licence_notice_and_types(names: set[str]) -> None:
    endings = ("/licenses/LICENSE", "/licenses/NOTICE", "seawall/py.typed")
    assert [ending for ending in endings if not any(name.endswith(ending) for name in names)] == []


def test_it_holds_nothing_that_was_left_lying_about(names: set[str]) -> None:
    wrong = ("__pycache__", ".pyc", ".mpy", "node_modules", ".map", "tests/", ".pem", ".key")
    assert [name for name in names for part in wrong if part in name] == []


def test_it_runs_from_elsewhere_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import seawall.errors, seawall.testing.measurements as m, seawall.devices.firmware as f;"
        "print(seawall.errors.__file__, m.examples_path(), f.agent_directory(), sep='\\n')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    places = shown.stdout.splitlines()
    assert [place.startswith(str(tmp_path / "site")) for place in places] == [True, True, True]

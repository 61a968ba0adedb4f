"""The environment that a checkout runs in: made once, renewed when a lock changes.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = Path(os.environ.get("SEAWALL_VENV") or ROOT / ".venv").absolute()
BUILD: Final = ROOT / "build"
LOG: Final = BUILD / "setup.log"

LOCKS: Final = {"demo": "requirements.lock", "dev": "requirements-dev.lock"}
"""What is installed for running, and for developing (which includes the former)."""
NODE_LOCK: Final = "requirements-node.lock"
PROJECT_FILES: Final = ("pyproject.toml", "hatch_build.py", "package.json", "package-lock.json")
VENDORED: Final = ROOT / "src" / "seawall" / "web" / "static" / "vendor"
SYSTEM_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
TAIL_LINES: Final = 25


class SetupError(Exception):
    """Something could not be installed; the message says what, and what to do."""


def say(text: str) -> None:
    """Tell the person, on standard error: standard output belongs to the command."""
    print(f"seawall: {text}", file=sys.stderr, flush=True)


def program(name: str) -> str:
    """Return the path of a program of the environment."""
    return str(VENV / "bin" / name)


@dataclass(frozen=True)
class Stamp:
    """What an environment was made from; if any of it differs, it is made again."""

    place: str
    python: str
    kind: str
    lock: str
    project: str

    @classmethod
    def wanted(cls, kind: str) -> Stamp:
        """Return what the environment should have been made from."""
        return cls(
            place=str(VENV),
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            kind=kind,
            lock=_digest(LOCKS[kind]),
            project=_digest(*PROJECT_FILES),
        )

    @classmethod
    def found(cls) -> Stamp | None:
        """Return what the environment was made from; None if there is none, or half of one."""
        try:
            return cls(**json.loads(_stamp_path().read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _stamp_path() -> Path:
    return VENV / "seawall-stamp.json"


def _digest(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
        path = ROOT / name
        digest.update(path.read_bytes() if path.exists() else b"-")
        digest.update(b"\0")
    return digest.hexdigest()


def ensure(kind: str) -> None:
    """Make or renew the environment, unless it is as it should be.

    Args:
        kind: ``demo`` (what running needs) or ``dev`` (what tests and checks need as well).

    Raises:
        SetupError: something could not be installed.
    """
    if _is_current(kind):
        return
    try:
        BUILD.mkdir(exist_ok=True)
        VENV.parent.mkdir(parents=True, exist_ok=True)
        lock = (BUILD / "setup.lock").open("w")
    except OSError as error:
        raise SetupError(f"cannot write to the checkout: {error}") from None
    with lock, _held(lock.fileno()):
        if not _is_current(kind):
            _renew(kind)


def _is_current(kind: str) -> bool:
    found = Stamp.found()
    # What developing needs includes what running needs, so it is never taken away again.
    kinds = [kind, "dev"] if kind == "demo" else [kind]
    return (
        found in [Stamp.wanted(each) for each in kinds]
        and os.access(program("python"), os.X_OK)
        and (VENDORED.exists() or not (ROOT / "hatch_build.py").exists())
    )


@contextlib.contextmanager
def _held(descriptor: int) -> Iterator[None]:
    """Hold the lock, so that of two that start at once one installs and the other waits."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another ./run to finish setting up ...")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield


def _renew(kind: str) -> None:
    if sys.prefix != sys.base_prefix and Path(sys.prefix).resolve() == VENV.resolve():
        # An environment cannot rebuild the Python that it runs on.
        base = getattr(sys, "_base_executable", sys.executable)
        os.execv(base, [base, *sys.argv])
    started = time.monotonic()
    found = Stamp.found()
    if found and found.kind == "dev":
        kind = "dev"
    LOG.write_bytes(b"")
    _make_venv(found)
    _stamp_path().unlink(missing_ok=True)
    lock = ROOT / LOCKS[kind]
    say(f"installing {_count(lock)} locked packages ...")
    pip(["install", "--require-hashes", "--prefer-binary", "-r", str(lock)], "install the packages")
    if (ROOT / "package.json").exists() and shutil.which("npm") is None:
        say("installing Node for the build of the pages ...")
        node = ["install", "--require-hashes", "-r", str(ROOT / NODE_LOCK)]
        pip(node, "install Node")
    say("building the project ...")
    pip(["install", "--no-deps", "--no-build-isolation", "-e", str(ROOT)], "build the project")
    stamp = json.dumps(vars(Stamp.wanted(kind)), indent=1)
    _stamp_path().write_text(stamp + "\n", encoding="utf-8")
    say(f"environment ready in {time.monotonic() - started:.0f} s")


def _count(lock: Path) -> int:
    return sum("==" in line for line in lock.read_text(encoding="utf-8").splitlines())


def _make_venv(found: Stamp | None) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    works = os.access(program("python"), os.X_OK) and _runs([program("python"), "-m", "pip", "-V"])
    moved = found is not None and found.place != str(VENV)
    if works and not moved and (VENV / "lib" / f"python{version}").exists():
        return
    say(f"making an environment for Python {version} in {VENV} ...")
    shutil.rmtree(VENV, ignore_errors=True)
    if _runs([sys.executable, "-c", "import ensurepip, venv"]):
        command = [sys.executable, "-m", "venv", str(VENV)]
    elif virtualenv := shutil.which("virtualenv"):
        command = [virtualenv, "-q", "-p", sys.executable, str(VENV)]
    elif uv := shutil.which("uv"):
        command = [uv, "venv", "-q", "--seed", "--python", sys.executable, str(VENV)]
    else:
        hint = "sudo apt-get install -y python3-venv"
        raise SetupError(f"this Python has no ensurepip: {hint}")
    logged(command, f"make {VENV}")


def _runs(command: Sequence[str]) -> bool:
    quiet = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return quiet.returncode == 0


def pip(arguments: Sequence[str], purpose: str) -> None:
    """Run the environment's pip; its words go to the log."""
    command = [program("python"), "-m", "pip", "--no-input", "--disable-pip-version-check"]
    logged([*command, *arguments, "--no-warn-script-location", "--progress-bar", "off"], purpose)


def logged(command: Sequence[str], purpose: str, *, extra: dict[str, str] | None = None) -> None:
    """Run a command into the log.

    Raises:
        SetupError: it failed; the end of the log was printed.
    """
    # A person's pip may install for the user by default; that fails in an environment.
    variables = {**os.environ, "PIP_USER": "0", **(extra or {})}
    if SYSTEM_AUTHORITIES.exists():
        # Node trusts its own list alone; behind a company's proxy the machine's is what counts.
        variables.setdefault("NODE_EXTRA_CA_CERTS", str(SYSTEM_AUTHORITIES))
    variables.setdefault("npm_config_cache", str(BUILD / "npm"))  # a home may be read-only
    variables["PATH"] = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    BUILD.mkdir(exist_ok=True)
    with LOG.open("ab") as log:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=variables,
                check=False,
            )
        except OSError as error:
            raise SetupError(f"could not {purpose}: {error}") from None
    if ended.returncode != 0:
        tail = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        print("\n".join(tail), file=sys.stderr)
        raise SetupError(f"could not {purpose} (exit {ended.returncode}); all of it is in {LOG}")

"""A device as a process: the agent under the real MicroPython, from a bundle folder."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall.errors import ServiceError

LOG_NAME: Final = "device.log"
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_ASK_VERSION: Final = (
    "import sys; v = sys.implementation.version; "
    "print('.'.join(str(n) for n in v[:3]) + ('-' + v[3] if len(v) > 3 and v[3] else ''))"
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs the agent: the start of the command line, and what it calls itself."""

    command: tuple[str, ...]
    version: str
    is_micropython: bool


def find_runtime() -> Runtime:
    """Return MicroPython from this environment or the path, else CPython with its shims.

    Raises:
        ServiceError: the MicroPython found does not run.
    """
    beside = Path(sys.executable).parent / "micropython"
    program = str(beside) if beside.exists() else shutil.which("micropython")
    if program is None:
        shim = agent_path() / "run_on_cpython.py"
        version = ".".join(map(str, sys.version_info[:3]))
        return Runtime((sys.executable, str(shim)), f"CPython {version}", is_micropython=False)
    try:
        answer = subprocess.run(
            [program, "-c", _ASK_VERSION],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ServiceError(
            f"{program} does not run: {error}", hint="install it anew: pip install seawall[demo]"
        ) from error
    return Runtime((program,), f"MicroPython {answer.strip()}", is_micropython=True)


def agent_path() -> Path:
    """Return the folder of the agent's sources: in the package, or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_agent"
    return inside if inside.is_dir() else package.parents[1] / "agent"


def _die_with_parent() -> None:
    # A demo that is killed must not leave devices behind that go on trying.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class DeviceProcess:
    """One device.

    Args:
        bundle: The folder that ``seawall device bundle`` wrote.
        runtime: What runs it.
        heap: MicroPython heap, such as ``32k``.
    """

    bundle: Path
    runtime: Runtime
    heap: str = "32k"
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log_path(self) -> Path:
        """The file that holds everything that the device printed, over all its starts."""
        return self.bundle / LOG_NAME

    def start(self) -> None:
        """Start it; what it prints goes to `log_path`."""
        options = ("-X", f"heapsize={self.heap}") if self.runtime.is_micropython else ()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.runtime.command, *options, "main.py"],
                cwd=self.bundle,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  one prctl call, no locks
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.bundle)},
            )

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Its exit status, once it has ended."""
        return None if self._process is None else self._process.poll()

    def lines(self) -> list[str]:
        """Return what it has printed so far."""
        try:
            return self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """Ask it to end; return at once."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ask it to end; kill it after ``timeout_s``."""
        if self._process is None:
            return
        self.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

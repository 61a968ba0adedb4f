"""Programs that the environment cannot hold: installed by apt as root, else named.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from environment import LOG, SetupError, logged, program, say

PACKAGES: Final = {
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "openssl": "openssl",
    "chromium": "chromium",
}
"""Program to Debian package."""

FOR_TESTS: Final = tuple(PACKAGES)
FOR_MOSQUITTO: Final = ("mosquitto",)

OTHER_NAMES: Final = {"chromium": ("chromium-browser", "google-chrome", "google-chrome-stable")}
POLICY: Final = Path("/usr/sbin/policy-rc.d")


def search_path() -> str:
    """Return PATH with the folders in which Debian keeps servers; a user's PATH lacks them."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def _is_there(name: str) -> bool:
    names = (name, *OTHER_NAMES.get(name, ()))
    return any(shutil.which(each, path=search_path()) for each in names)


def ensure(names: Sequence[str]) -> None:
    """Install the programs that are missing.

    Raises:
        SetupError: not root, or apt failed; the message has the line to run.
    """
    missing = [name for name in names if not _is_there(name)]
    if "chromium" in missing and _is_ubuntu():
        # Ubuntu's package is a snap, which runs in no container and sees no /tmp.
        missing.remove("chromium")
        _install_chromium_of_playwright()
    if not missing:
        return
    packages = [PACKAGES[name] for name in missing]
    line = f"apt-get install -y {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise SetupError(f"missing: {', '.join(missing)}; install them, then run this again")
    if os.geteuid() != 0:
        raise SetupError(f"missing: {', '.join(missing)}; run: sudo {line}")
    say(f"installing {', '.join(packages)} ...")
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_services():
        logged(["apt-get", "-q", "update"], "read the lists of packages", extra=quiet)
        install = [*apt, "install", "--no-install-recommends", *packages]
        logged(install, f"install {' '.join(packages)}", extra=quiet)
    if "mosquitto" in missing and shutil.which("systemctl"):
        # Seawall starts its own; a second one would hold port 1883 after the next boot.
        with contextlib.suppress(SetupError):
            logged(["systemctl", "disable", "--now", "mosquitto"], "disable Debian's service")


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Keep Debian from starting what it installs (invoke-rc.d asks this file)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def _is_ubuntu() -> bool:
    try:
        return "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False


def _install_chromium_of_playwright() -> None:
    say("installing Chromium by Playwright ...")
    command = [program("python"), "-m", "playwright", "install", "chromium"]
    if os.geteuid() == 0:
        command.insert(-1, "--with-deps")
    logged(command, f"install Chromium (see {LOG})")

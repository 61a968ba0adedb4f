"""The guide to applications, as a person follows it: docs/guides/applications.md."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seawall.model.history import ReadingQuery
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import DeviceProcess, find_runtime
from seawall.testing.update_repository import PASSPHRASE, make_update_keys

pytestmark = pytest.mark.system

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "docs" / "guides" / "applications.md").read_text(encoding="utf-8")


def commands(heading: str) -> list[str]:
    """Return the commands below a heading of the guide."""
    part = GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return "".join(re.findall(r"```sh\n(.*?)```", part, re.DOTALL)).splitlines()


def run(line: str, folder: Path, state: Path) -> None:
    """Run a command of the guide, as a person at a terminal would who knows the passphrase."""
    words = line.split()
    assert words.pop(0) == "seawall"
    arguments = [*words, "--state", str(state)]
    if "publish" in words:
        arguments += ["--passphrase-fd", "0"]
    answer = subprocess.run(
        [sys.executable, "-m", "seawall", *arguments],
        input=PASSPHRASE.decode() + "\n",
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, f"{line}: {answer.stderr}"


def test_the_guide_to_applications(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    state = tmp_path / "state"
    installation = make_installation(state)
    make_update_keys(installation)
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    daemon = DaemonProcess(state, tmp_path / "daemon.log")
    daemon.start()
    daemon.wait_ready()
    bundle = tmp_path / "shed"
    device = DeviceProcess(bundle, find_runtime(), heap="64k")
    try:
        for line in commands("Try it on one device"):
            if line.startswith("seawall"):
                run(line, tmp_path, state)
            elif line.startswith("echo"):
                value, _, name = line.removeprefix("echo ").partition(" > ")
                (bundle / name).write_text(value + "\n")
        device.start()

        def doors() -> list[float]:
            found = installation.store.readings(ReadingQuery(device_id="shed"))
            return [reading.metrics["door"] for reading in found if "door" in reading.metrics]

        wait_until(lambda: 1.0 in doors(), timeout_s=60)
        (bundle / "door.txt").write_text("0\n")
        wait_until(lambda: 0.0 in doors(), timeout_s=60)

        *to_run, status = commands("Change it")
        for line in to_run:
            run(line, tmp_path, state)
        assert status == "seawall rollout status --watch"

        def runs() -> list[tuple[str, bool]]:
            return [(each.version, each.trial) for each in installation.store.software()]

        wait_until(lambda: runs() == [("1.1", False)], timeout_s=120)
    finally:
        device.stop()
        daemon.stop()
        installation.store.close()

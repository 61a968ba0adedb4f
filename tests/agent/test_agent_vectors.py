"""The shared vectors under the device's own heap, on the modules of a real bundle."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from agent_rig import site_in

from seawall.testing.device_process import find_runtime

pytestmark = pytest.mark.system

SCRIPT = Path(__file__).parent / "device" / "vectors.py"
FILES = ("hmac.json", "envelope.json", "commands.json", "tmp36.json")


@pytest.mark.parametrize("heap", ["32k", "64k"])
def test_every_vector_is_judged_on_a_device(heap: str, tmp_path: Path, repository: Path) -> None:
    runtime = find_runtime()
    assert runtime.is_micropython
    vectors = repository / "vectors"
    with site_in(tmp_path / "site") as site:
        bundle = site.agent("vectors-1").bundle / "a"
        done = subprocess.run(
            [*runtime.command, "-X", f"heapsize={heap}", str(SCRIPT), str(bundle), str(vectors)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=bundle,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: len(json.loads((vectors / name).read_text())) for name in FILES}
    assert min(counts.values()) > 5
    assert done.stdout.splitlines() == [f"{name} {count}" for name, count in counts.items()]

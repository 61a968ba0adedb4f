"""The shared vectors under the device's own heap, on the modules of a real bundle."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from device_script import put_script
from tuf_rig import build_site

from seawall.testing.device_process import find_runtime

pytestmark = pytest.mark.system

FILES = ("hmac.json", "envelope.json", "commands.json", "tmp36.json")


@pytest.mark.parametrize("heap", ["32k", "64k"])
def test_every_vector_is_judged_on_a_device(heap: str, tmp_path: Path, repository: Path) -> None:
    runtime = find_runtime()
    assert runtime.is_micropython
    vectors = repository / "vectors"
    site = build_site(tmp_path / "site")
    script = put_script("vectors.py", tmp_path)
    done = subprocess.run(
        [*runtime.command, "-X", f"heapsize={heap}", str(script), str(site), str(vectors)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=site,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: len(json.loads((vectors / name).read_text())) for name in FILES}
    assert min(counts.values()) > 5
    assert done.stdout.splitlines() == [f"{name} {count}" for name, count in counts.items()]

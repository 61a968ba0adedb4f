"""What input is opened, and how often."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from seawall.transfer.failures import TransferFailedError
from seawall.transfer.sources import Source


def test_a_pipe_with_a_name_is_opened_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b'{"a": 1}\n'), daemon=True)
    writer.start()
    source = Source([str(pipe)])
    assert source.size is None
    assert b"".join(b"".join(chunks) for chunks in source.inputs()) == b'{"a": 1}\n'
    writer.join(10)
    assert source.bytes_read == 9


def test_a_file_that_goes_away_before_it_is_read(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_bytes(b"x\n")
    source = Source([str(file) for file in files])
    assert source.size == 4
    files[1].unlink()
    inputs = source.inputs()
    assert b"".join(next(inputs)) == b"x\n"
    with pytest.raises(TransferFailedError, match=r"^open .*/b: no such file or directory$"):
        next(inputs)

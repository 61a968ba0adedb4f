"""Files and folders that are not what they should be."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.check import Limits, Unobserved
from seawall.audit.probes.files import FolderFacts, ListFolder, ReadFile, read_file
from seawall.audit.target import Target, TargetKind

TARGET = Target(TargetKind.FIRMWARE, "folder")


def folder_of(path: Path, limits: Limits | None = None, *, contents: bool = False) -> FolderFacts:
    return asyncio.run(ListFolder(path, contents).observe(TARGET, limits or Limits()))


def test_a_file_with_its_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"abc")
    path.chmod(0o640)
    facts = asyncio.run(ReadFile(path).observe(TARGET, Limits()))
    assert (facts.data, facts.mode, facts.owner_uid) == (b"abc", 0o640, os.getuid())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to(path), "a symbolic link that leads nowhere"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.write_bytes(bytes(2049)), "larger than 2 KiB"),
    ],
)
def test_what_is_no_file_is_unobserved(tmp_path: Path, make, reason: str) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(Unobserved, match=reason):
        asyncio.run(ReadFile(path).observe(TARGET, Limits(max_bytes=2048)))


def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's path is short.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("here")
        with pytest.raises(Unobserved, match="not a regular file"):
            read_file(Path("here"), 10)
        [entry] = folder_of(tmp_path, contents=True).entries
        assert not entry.is_regular
        assert entry.data is None


def test_a_folder_in_order_without_those_of_tools(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "b.py").write_text("b = 1")
    (tmp_path / "main.py").write_text("a = 1")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("secret")
    facts = folder_of(tmp_path, contents=True)
    assert [entry.path for entry in facts.entries] == ["lib", "lib/b.py", "main.py"]
    assert [entry.data for entry in facts.entries] == [None, b"b = 1", b"a = 1"]
    assert facts.partial is None


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("root")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "away").symlink_to(outside)
    (inside / "file").symlink_to(outside / "passwd")
    (inside / "loop").symlink_to(inside)
    entries = folder_of(inside, contents=True).entries
    assert [entry.path for entry in entries] == ["away", "file", "loop"]
    assert all(entry.is_link and entry.data is None for entry in entries)


def test_limits_end_a_walk_and_say_so(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02}.py").write_bytes(bytes(100))
    facts = folder_of(tmp_path, Limits(max_files=10))
    assert len(facts.entries) == 10
    assert facts.partial == "more than 10 files"
    facts = folder_of(tmp_path, Limits(max_total_bytes=1024), contents=True)
    assert facts.partial == "more than 1 KiB of files"
    assert sum(len(entry.data or b"") for entry in facts.entries) <= 1024
    assert folder_of(tmp_path, Limits(deadline_s=0)).partial == "not all was seen within 0 s"


def test_depth_has_an_end(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(40):
        deep = deep / "d"
    deep.mkdir(parents=True)
    assert "deeper than" in str(folder_of(tmp_path).partial)


def test_a_folder_that_nobody_may_read(tmp_path: Path) -> None:
    if os.getuid() == 0:  # Root may read all: a name that cannot be is refused the same way.
        with pytest.raises(Unobserved, match="too long"):
            folder_of(tmp_path / ("x" * 300))
        return
    (tmp_path / "closed").mkdir(mode=0o000)
    assert folder_of(tmp_path).partial == "closed: permission denied"
    with pytest.raises(Unobserved, match="permission denied"):
        folder_of(tmp_path / "closed")


def test_names_that_cannot_be_shown_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text("")
    with open(os.fsencode(tmp_path) + b"/\xff\x1b[2J.py", "wb"):
        pass
    facts = folder_of(tmp_path)
    assert [entry.path for entry in facts.entries] == ["fine.py"]
    assert facts.partial == "a file's name has characters that cannot be shown"


def test_a_walk_stops_when_it_is_no_longer_wanted(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    (tmp_path / "a").write_bytes(bytes(1 << 17))
    assert len(read_file(tmp_path / "a", 1 << 20, stop).data) == 0


@given(st.text())
def test_any_path_is_read_or_refused(path: str) -> None:
    with suppress(Unobserved):  # And nothing else.
        read_file(Path(path), 1 << 20)

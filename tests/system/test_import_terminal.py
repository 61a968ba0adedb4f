"""`seawall import` on a terminal: the bar, the prompt without echo, Ctrl-C and what it says."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seawall.testing.mongo_process import MongoProcess
from seawall.testing.wire_sink import WireSink
from seawall.transfer import progress

pytestmark = pytest.mark.system

PATIENCE_S = 60.0
BATCH = 1000
ON_TERMINAL = """
import os, sys
os.login_tty(int(sys.argv[1]))
os.execv(sys.executable, [sys.executable, "-m", "seawall", *sys.argv[2:]])
"""
BAR = re.compile(
    rb"\r\x1b\[K\[#+\.+\] blog\.posts\t[\d.]+[KM]?B/[\d.]+[KM]?B \([\d.]+%\)"
    rb"  [\d,]+ rows/s  \d+:\d\d left"
)


class Gate(WireSink):
    """A sink that takes a batch when it is let."""

    def __init__(self) -> None:
        self._room = threading.Semaphore(0)
        super().__init__()

    def let(self, batches: int) -> None:
        for _ in range(batches):
            self._room.release()

    def _take(self, name: str, body: dict[str, Any], rest: memoryview) -> int:
        assert self._room.acquire(timeout=PATIENCE_S)
        return super()._take(name, body, rest)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._side, slave = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, str(slave), *arguments], pass_fds=(slave,)
        )
        os.close(slave)

    def read_until(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        deadline = time.monotonic() + PATIENCE_S
        while (found := pattern.search(self.seen)) is None:
            assert time.monotonic() < deadline, self.seen[-2000:]
            assert self._read(), self.seen[-2000:]
        return found

    def _read(self) -> bool:
        ready, _, _ = select.select([self._side], [], [], 1)
        if not ready:
            return True
        try:
            data = os.read(self._side, 65536)
        except OSError:  # the program has closed its side
            return False
        self.seen += data
        return bool(data)

    def type(self, keys: bytes) -> None:
        os.write(self._side, keys)

    def end(self) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < deadline, self.seen[-2000:]
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._side)


Start = Callable[..., Terminal]


@pytest.fixture
def start() -> Iterator[Start]:
    opened: list[Terminal] = []

    def begin(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as sink:
        yield sink
        sink.let(1000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Forty batches, of more bytes than are read ahead."""
    place = tmp_path / "posts.json"
    line = b'{"text":"%s"}\n' % (b"x" * 1000)
    place.write_bytes(line * BATCH * 40)
    return place


def arguments(gate: Gate, file: Path, *more: str) -> tuple[str, ...]:
    place = ("--host", f"127.0.0.1:{gate.port}", "-d", "blog", "-c", "posts")
    return ("import", *place, "--file", str(file), *more)


def test_a_bar_is_drawn_over_itself_and_goes(start: Start, gate: Gate, file: Path) -> None:
    terminal = start(*arguments(gate, file))
    gate.let(2)
    terminal.read_until(BAR)
    before = len(terminal.seen)
    terminal.read_until(re.compile(rb"(?s).{%d}.*?" % before + BAR.pattern))
    gate.let(40)
    assert terminal.end() == 0
    *_, whole, summary = terminal.seen.decode().strip().splitlines()
    assert "[########################] blog.posts\t" in whole
    assert "(100.0%)" in whole
    assert "rows/s" not in summary
    assert summary.endswith(
        "40000 document(s) imported successfully. 0 document(s) failed to import."
    )


def test_no_bar_with_quiet(start: Start, gate: Gate, file: Path) -> None:
    gate.let(40)
    terminal = start(*arguments(gate, file, "--quiet"))
    assert terminal.end() == 0
    assert terminal.seen == b""


def test_ctrl_c_says_what_was_written(
    start: Start, gate: Gate, file: Path, wait_until: Callable[..., Any]
) -> None:
    terminal = start(*arguments(gate, file))
    gate.let(3)
    wait_until(lambda: gate.documents == 3 * BATCH, timeout_s=PATIENCE_S)
    terminal.read_until(BAR)
    terminal.type(b"\x03")
    # The batch that is under way is ended; nobody could say otherwise whether it was written.
    terminal.read_until(re.compile(rb"\^C"))
    gate.let(40)
    assert terminal.end() == 1
    text = terminal.seen.decode()
    assert "signal 'interrupt' received; stopping" in text
    written = re.search(r"(\d+) document\(s\) imported successfully\. 0 document\(s\) failed", text)
    assert written, text
    assert int(written[1]) == gate.documents
    assert 3 * BATCH <= gate.documents < 40 * BATCH


def test_a_second_ctrl_c_ends_at_once(
    start: Start, gate: Gate, file: Path, wait_until: Callable[..., Any]
) -> None:
    terminal = start(*arguments(gate, file))
    gate.let(1)
    wait_until(lambda: gate.documents == BATCH, timeout_s=PATIENCE_S)
    terminal.read_until(BAR)
    terminal.type(b"\x03")
    while terminal.process.poll() is None:
        # The first is not dealt with at once, and a terminal does not queue signals.
        terminal.type(b"\x03")
        time.sleep(0.1)
    assert terminal.end() == 1
    assert gate.documents == BATCH


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_password_is_asked_for_without_echo(
    start: Start, scram_mongodb: MongoProcess, file: Path, command: str
) -> None:
    assert scram_mongodb.user
    name, password = scram_mongodb.user
    file.write_text('{"a":1}\n')
    place = ("--host", scram_mongodb.address, "-d", "blog", "-c", "terminal")
    source = ("--file", str(file)) if command == "import" else ()
    who = ("-u", name, "--authenticationDatabase", "admin")
    terminal = start(command, *place, *who, *source)
    terminal.read_until(re.compile(rb"Enter password for mongo user:"))
    terminal.type(password.encode() + b"\n")
    assert terminal.end() == 0, terminal.seen
    assert password.encode() not in terminal.seen
    assert b"imported" in terminal.seen or b"exported" in terminal.seen


def test_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., Any]
) -> None:
    monkeypatch.setattr(progress, "LINE_PERIOD_S", 0.01)
    lines: list[str] = []
    done = 1536
    with progress.Progress("blog.posts", lambda: done, 4096, lambda: 7, lines.append, None):
        wait_until(lambda: len(lines) > 2, timeout_s=PATIENCE_S)
        done = 4096
    assert lines[0] == "[#########...............] blog.posts\t1.50KB/4.00KB (37.5%)"
    assert lines[-1] == "[########################] blog.posts\t4.00KB/4.00KB (100.0%)"

"""How fast `seawall import` is, on files that it makes, into a sink that only counts.

./run bench import [--rows 500000] [--runs 3] [--workers 1] [--peer PATH] [--keep DIR]

With --peer PATH (a mongoimport binary) both run in turn, and the ratios of rows a
second and of CPU seconds are printed: medians of the paired runs. The sink is a
process of its own and counts what it is sent; a run that lost a row is an error.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

FIELDS = ("n", "device", "temp", "raw", "at", "state")
TYPED = (
    "n.int32(),device.string(),temp.double(),raw.int64(),"
    "at.date(2006-01-02T15:04:05Z),state.string()"
)
SEED = 7


class Kind(NamedTuple):
    name: str
    file: str
    arguments: tuple[str, ...]


KINDS = (
    Kind("CSV untyped", "rows.csv", ("--type", "csv", "--fields", ",".join(FIELDS))),
    Kind("CSV typed", "rows.csv", ("--type", "csv", "--columnsHaveTypes", "--fields", TYPED)),
    Kind("NDJSON", "rows.json", ()),
    Kind("NDJSON extended", "extended.json", ()),
)


class Measured(NamedTuple):
    seconds: float
    cpu_seconds: float
    max_rss_mb: float


def rows(count: int) -> Iterator[tuple[int, str, float, int, str, str]]:
    source = random.Random(SEED)
    for number in range(count):
        yield (
            number,
            f"device-{source.randrange(1000)}",
            round(source.uniform(-10, 40), 2),
            source.randrange(10**6),
            f"2024-{source.randrange(1, 13):02d}-{source.randrange(1, 29):02d}T"
            f"{source.randrange(24):02d}:{source.randrange(60):02d}:{source.randrange(60):02d}Z",
            source.choice(("ok", "warning", "failed")),
        )


def make(folder: Path, count: int) -> None:
    with (
        (folder / "rows.csv").open("w") as as_csv,
        (folder / "rows.json").open("w") as as_json,
        (folder / "extended.json").open("w") as extended,
    ):
        for row in rows(count):
            as_csv.write(",".join(map(str, row)) + "\n")
            document = dict(zip(FIELDS, row, strict=True))
            as_json.write(json.dumps(document) + "\n")
            document["at"] = {"$date": document["at"]}
            document = {"_id": {"$oid": f"{row[0]:024x}"}, **document}
            extended.write(json.dumps(document) + "\n")


class Sink:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "seawall.testing.wire_sink"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._read())

    def _read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def count(self) -> int:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def run(
    program: list[str], kind: Kind, folder: Path, sink: Sink, count: int, workers: int
) -> Measured:
    before = sink.count()
    command = [
        *program,
        *("--host", f"127.0.0.1:{sink.port}", "-d", "bench", "-c", "rows", "-j", str(workers)),
        *kind.arguments,
        *("--file", str(folder / kind.file)),
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr
    words = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = status
    if status or sink.count() - before != count:
        sys.exit(f"{command}: status {status}, {sink.count() - before} documents\n{words.decode()}")
    return Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def median(runs: list[Measured], key: Callable[[Measured], float]) -> float:
    return statistics.median(map(key, runs))


def report(kind: Kind, ours: list[Measured], theirs: list[Measured], count: int) -> None:
    rate = median(ours, lambda each: count / each.seconds)
    cpu = median(ours, lambda each: each.cpu_seconds) * 1e6 / count
    rss = max(each.max_rss_mb for each in ours)
    line = f"{kind.name:<16} {rate:>10,.0f} rows/s  {cpu:6.2f} CPU s/million  {rss:5.0f} MB"
    if theirs:
        peer = median(theirs, lambda each: count / each.seconds)
        faster = statistics.median(b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True))
        cheaper = statistics.median(
            a.cpu_seconds / b.cpu_seconds for a, b in zip(ours, theirs, strict=True)
        )
        line += f"   peer {peer:>9,.0f} rows/s   {faster:5.2f}x as fast, {cheaper:4.2f} of its CPU"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--peer", help="path of a mongoimport binary")
    parser.add_argument("--keep", type=Path, help="folder for the files; made once, used again")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "extended.json").exists():
            make(folder, asked.rows)
        sink = Sink()
        program = [sys.executable, "-m", "seawall", "import"]
        try:
            for kind in KINDS:
                ours, theirs = [], []
                for _ in range(asked.runs):
                    ours.append(run(program, kind, folder, sink, asked.rows, asked.workers))
                    if asked.peer:
                        theirs.append(
                            run([asked.peer], kind, folder, sink, asked.rows, asked.workers)
                        )
                report(kind, ours, theirs, asked.rows)
        finally:
            sink.close()


if __name__ == "__main__":
    main()

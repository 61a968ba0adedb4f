"""``./run sweep``: cut the power everywhere, plant bugs, and say what came of it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from seawall.errors import SeawallError
from seawall.testing.sweep import (
    FILE_SYSTEMS,
    NOT_PLANTED,
    STORIES,
    Job,
    Result,
    Sweep,
    all_jobs,
    control_jobs,
    default_processes,
)
from seawall.testing.sweep_mutants import MUTANTS

SHOWN: Final = 10  # failures in words; there are more in --json


@dataclass
class Account:
    """What came out of all jobs so far."""

    started: float = field(default_factory=time.monotonic)
    results: list[Result] = field(default_factory=list)
    surviving: dict[str, str] = field(default_factory=dict)
    killed: dict[str, str] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Take a result."""
        mutant = result.job.mutant
        if mutant is None:
            self.results.append(result)
        elif result.failures and not result.failures[0].startswith(NOT_PLANTED):
            self.killed[mutant.name] = f"{result.job.name}: {result.failures[0]}"
        else:
            told = result.failures[0] if result.failures else "no cut shows it"
            self.surviving[mutant.name] = told

    @property
    def failures(self) -> list[str]:
        """What went wrong, in words."""
        return [f"{r.job.name}: {text}" for r in self.results for text in r.failures]

    def cuts(self) -> dict[tuple[str, str, str], Counter[str]]:
        """Return cuts by story, file system and age, and in these by phase."""
        found: dict[tuple[str, str, str], Counter[str]] = {}
        for result in self.results:
            job = result.job
            counter = found.setdefault((job.story, job.file_system, job.age), Counter())
            for (phase, _mode), count in result.points.items():
                counter[phase] += count
        return found

    def facts(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        modes: Counter[str] = Counter()
        cpu: defaultdict[str, float] = defaultdict(float)
        tree: dict[str, Any] = {}
        for result in self.results:
            for (_phase, mode), count in result.points.items():
                modes[mode] += count
            cpu[result.job.name] += result.cpu_s
        for (story, file_system, age), phases in self.cuts().items():
            tree.setdefault(file_system, {}).setdefault(story, {})[age] = dict(phases)
        return {
            "cut_points": sum(result.cut_points for result in self.results),
            "distinct_boots": sum(result.boots for result in self.results),
            "second_cuts": sum(phases["second-cut"] for phases in self.cuts().values()),
            "failures": len(self.failures),
            "mutants_killed": len(self.killed),
            "mutants": len(self.killed) + len(self.surviving),
            "seconds": round(time.monotonic() - self.started, 1),
            "cpu_s": {name: round(seconds, 1) for name, seconds in cpu.items()},
            "modes": dict(modes),
            "file_systems": tree,
            "failing": self.failures,
            "surviving": self.surviving,
            "killed": self.killed,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep; return 0 if nothing failed and no planted bug survived, else 1."""
    options = _options(arguments)
    wanted = _jobs(options)
    account = Account()

    def take(result: Result) -> None:
        account.add(result)
        _tell_progress(account, len(wanted))

    try:
        with tempfile.TemporaryDirectory(prefix="seawall-sweep-") as folder:
            Sweep(Path(folder), options.processes, options.points).run(wanted, take)
    except SeawallError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    facts = account.facts()
    print(json.dumps(facts, indent=1)) if options.json else _print(account, facts)
    return 0 if not facts["failures"] and not facts["surviving"] else 1


def _jobs(options: argparse.Namespace) -> list[Job]:
    stories = options.story or STORIES
    jobs = [
        job
        for job in all_jobs(stories, options.processes)
        if not options.fs or job.file_system in options.fs
    ]
    planted = [
        Job(mutant.story, mutant.file_systems[0], "fresh", mutant=mutant)
        for mutant in MUTANTS
        if mutant.story in stories and (not options.mutant or mutant.name in options.mutant)
    ]
    if options.mutant or options.mutants == "only":
        return control_jobs({job.story for job in planted}) + planted
    return jobs if options.mutants == "none" else jobs + planted


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("./run sweep", description=__doc__)
    parser.add_argument("--json", action="store_true", help="facts instead of a table")
    parser.add_argument(
        "--points",
        type=int,
        default=0,
        metavar="N",
        help="about N cuts for each story, file system and age, instead of all",
    )
    parser.add_argument("--story", action="append", choices=STORIES, help="this story alone")
    parser.add_argument("--fs", action="append", choices=FILE_SYSTEMS, help="this one alone")
    parser.add_argument(
        "--mutants", choices=("all", "none", "only"), default="all", help="planted bugs"
    )
    parser.add_argument("--mutant", action="append", metavar="NAME", help="this one alone")
    parser.add_argument("--processes", type=int, default=default_processes(), metavar="N")
    return parser.parse_args(arguments)


def _tell_progress(account: Account, total: int) -> None:
    if sys.stderr.isatty():
        done = len(account.results) + len(account.killed) + len(account.surviving)
        cuts = sum(result.cut_points for result in account.results)
        text = f"{done} of {total} shares, {cuts:,} cuts, {len(account.failures)} failures"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _print(account: Account, facts: dict[str, Any]) -> None:
    for (story, file_system, age), phases in sorted(account.cuts().items()):
        parts = ", ".join(f"{phase} {count:,}" for phase, count in sorted(phases.items()))
        total = sum(phases.values())
        print(f"{story:9} {file_system:7} {age:6} {total:>9,} cuts: {parts}")
    for text in account.failures[:SHOWN]:
        print(f"FAILED {text}")
    for name, why in sorted(account.surviving.items()):
        print(f"SURVIVED mutant {name}: {why}")
    print(
        f"{facts['cut_points']:,} cut points ({facts['distinct_boots']:,} distinct boots, "
        f"{facts['second_cuts']:,} second cuts), {facts['failures']} failures, "
        f"mutants killed {facts['mutants_killed']} of {facts['mutants']}, "
        f"{facts['seconds']:.0f} s"
    )


if __name__ == "__main__":
    raise SystemExit(main())

"""The power-cut sweep: spreads its stories and its mutants over processes, and adds up.

The sweep itself is MicroPython, in ``agent/sweep``. Here the agent's sources
are compiled as they go onto a board, with a bug planted if there is to be one,
and `micropython worker.py` does a share of a story. Run it by ``./run sweep``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from seawall.devices.firmware import agent_directory, agent_files
from seawall.devices.lean_names import shorten
from seawall.errors import ServiceError, StateError
from seawall.testing.device_process import find_runtime
from seawall.testing.sweep_mutants import Mutant

PACKAGES: Final = ("seawall_agent", "seawall_guard")
FILE_SYSTEMS: Final = ("lfs", "fat", "fat-raw")
"""As agent/sweep/stage.py knows them."""
STORIES: Final = ("updating", "keeping", "trusting")
BLOCKS: Final = {"updating": 96, "keeping": 64, "trusting": 40}
"""Of 4 KiB, of the simulated flash: little room, so that littlefs has to move things."""
AGES: Final = ("fresh", "aged")
USE: Final = {"updating": 150, "keeping": 20, "trusting": 20}
"""How many rounds of a story's kind of use an aged file system has behind it."""
HEAP: Final = "24m"
SEED: Final = 4
SECOND_EVERY: Final = 4
SECOND_CUTS: Final = 4
TIMEOUT_S: Final = 900
ENOUGH: Final = {"fat-raw": 2000}
"""About how many cuts of a story do, where there are many alike: torn contents of one record."""
CONTROL: Final = 60
MORE: Final = "_more"
"""Ends the name of a stand-in that is added to a module, and does not replace it."""
NOT_PLANTED: Final = "does not apply"


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does.

    Attributes:
        story: What the device does meanwhile.
        file_system: one of FILE_SYSTEMS.
        age: ``fresh`` or ``aged``.
        part, parts: Its share of the cuts.
        mutant: Bug that is planted; the first failure is enough then.
        points: About so many cuts, whatever the sweep's own number is.
    """

    story: str
    file_system: str
    age: str
    part: int = 0
    parts: int = 1
    mutant: Mutant | None = None
    points: int = 0

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.story}/{self.file_system}/{self.age}"


@dataclass(slots=True)
class Result:
    """What came out of it.

    Attributes:
        job: What was done.
        points: Cuts judged, by phase and mode.
        boots: Different contents of flash that were booted.
        operations: Of the story.
        failures: What went wrong, in words.
        cpu_s: Seconds of computing.
    """

    job: Job
    points: dict[tuple[str, str], int] = field(default_factory=dict)
    boots: int = 0
    operations: int = 0
    failures: list[str] = field(default_factory=list)
    cpu_s: float = 0

    @property
    def cut_points(self) -> int:
        """How many there were."""
        return sum(self.points.values())


def all_jobs(stories: Iterable[str] = STORIES, parts: int = 1) -> list[Job]:
    """Return the jobs of the whole sweep, without mutants."""
    return [
        Job(story, file_system, age, part, parts)
        for story in stories
        for file_system in FILE_SYSTEMS
        for age in AGES
        for part in range(parts)
    ]


def control_jobs(stories: Iterable[str] = STORIES) -> list[Job]:
    """Return a few cuts of everything without mutants: a broken agent is no caught mutant."""
    return [replace(job, points=CONTROL) for job in all_jobs(stories) if job.age == "fresh"]


def build_agent(source: Path, folder: Path, story: str, mutant: Mutant | None = None) -> None:
    """Put the agent into a folder as it is on a board, with a bug and the sweep's stand-ins.

    Raises:
        StateError: the mutant does not apply.
        ServiceError: something does not compile.
    """
    changed = folder / "source"
    changed.mkdir(parents=True)
    for package in PACKAGES:
        shutil.copytree(source / package, changed / package)
    for name in ("main.py", "main_alone.py"):
        shutil.copy(source / name, changed)
    if mutant is not None:
        mutant.plant(changed)
    for stand_in in (source / "sweep" / "instead" / story).rglob("*.py"):
        place = changed / stand_in.parent.name
        if stand_in.stem.endswith(MORE):
            with (place / stand_in.name.replace(MORE, "")).open("a") as f:
                f.write(stand_in.read_text())
        else:
            shutil.copy(stand_in, place)
    for name, content in agent_files(changed).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


@dataclass
class Sweep:
    """One run of all jobs.

    Args:
        folder: For what is built.
        processes: At most so many at a time.
        points: About so many cuts a job; 0: all.
    """

    folder: Path
    processes: int
    points: int = 0
    source: Path = field(init=False)
    _built: dict[str, Path] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # A copy: nobody who edits the sources meanwhile makes it another agent.
        self.source = self.folder / "agent"
        shutil.copytree(agent_directory(), self.source)
        for script in (self.source / "sweep").glob("*.py"):
            # It calls the agent's modules by the names that they have as bytecode.
            script.write_bytes(shorten(script.read_bytes()))

    def run(self, jobs: Sequence[Job], on_result: Callable[[Result], None]) -> None:
        """Do the jobs, and hand over each result when it is there.

        Raises:
            ServiceError: a process broke down.
        """
        with ThreadPoolExecutor(self.processes) as pool:
            futures = [pool.submit(self.do, job) for job in jobs]
            try:
                for future in as_completed(futures):
                    on_result(future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def do(self, job: Job) -> Result:
        """Do one job; one with a mutant on one file system after the other, until it is caught."""
        if job.mutant is None:
            return self._sweep(job)
        result = Result(job)
        for file_system in job.mutant.file_systems:
            try:
                result = self._sweep(replace(job, file_system=file_system))
            except StateError as error:
                return Result(job, failures=[f"{NOT_PLANTED}: {error}"])
            if result.failures:
                break
        return result

    def _sweep(self, job: Job) -> Result:
        agent = self._agent(job)
        source = self.source / "sweep"
        specification = {
            "sweep": str(source),
            "agent": str(agent),
            "story": job.story,
            "fs": job.file_system,
            "blocks": BLOCKS[job.story],
            "age": USE[job.story] if job.age == "aged" else 0,
            "seed": SEED,
            "share": [job.part, job.parts],
            "points": self._points(job),
            "phases": job.mutant.phases if job.mutant else (),
            "second": [SECOND_EVERY, SECOND_CUTS],
            "patience": 20 if job.mutant is None else 1,
        }
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            given, made = Path(folder) / "given.json", Path(folder) / "made.json"
            given.write_text(json.dumps({**specification, "result": str(made)}))
            self._work(job, source / "worker.py", given)
            found = json.loads(made.read_text()) if made.exists() else {}
        return _result_of(job, found)

    def _points(self, job: Job) -> int:
        if job.mutant is not None:
            return 0
        return job.points or self.points or ENOUGH.get(job.file_system, 0)

    def _work(self, job: Job, worker: Path, specification: Path) -> None:
        runtime = find_runtime()
        if not runtime.is_micropython:
            raise ServiceError("the sweep needs MicroPython", hint="pip install seawall[demo]")
        try:
            done = subprocess.run(
                [*runtime.command, "-X", f"heapsize={HEAP}", str(worker), str(specification)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what devices say, thousands of times
                stderr=subprocess.PIPE,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"{job.name} does not end: a device waits for ever") from error
        if done.returncode != 0:
            what = done.stderr[-1500:].strip()
            raise ServiceError(f"{job.name} ended with {done.returncode}: {what}")

    def _agent(self, job: Job) -> Path:
        name = f"{job.story}-{job.mutant.name if job.mutant else 'unharmed'}"
        with self._lock:
            if name not in self._built:
                build_agent(self.source, self.folder / name, job.story, job.mutant)
                self._built[name] = self.folder / name
            return self._built[name]


def _result_of(job: Job, found: dict[str, Any]) -> Result:
    points = {(phase, mode): count for phase, mode, count in found["points"]}
    return Result(
        job, points, found["boots"], found["operations"], found["failures"], found["cpu_s"]
    )


def default_processes() -> int:
    """Return how many processes this computer can well do at a time."""
    return max(1, min(8, os.cpu_count() or 1))

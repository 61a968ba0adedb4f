"""Power cuts at any moment, torn files, a full outbox: what counts as stored is there, once."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_rig import Agent, ScriptedServer, Site, good, server_context, site_in

from seawall.model.history import ReadingQuery

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CUTS = 20
IN_FLIGHT = 8


def outbox_files(agent: Agent) -> list[Path]:
    """Return the files of the outbox, the youngest last."""
    files = (path for path in (agent.bundle / "state").rglob("*") if path.is_file())
    inner = [path for path in files if path.parent != agent.bundle / "state"]
    return sorted(inner, key=lambda path: path.stat().st_mtime_ns)


def damage_the_end(path: Path, chance: random.Random) -> None:
    """Leave the end of a file as an interrupted write may."""
    data = path.read_bytes()
    size = chance.randint(1, 60)
    kind = chance.choice(("cut", "garbled", "zeros", "more"))
    if kind == "more":
        path.write_bytes(data + chance.randbytes(size))
    else:
        kept = data[: max(0, len(data) - size)]
        end = {"cut": b"", "garbled": chance.randbytes(size), "zeros": bytes(size)}[kind]
        path.write_bytes(kept + end)


@pytest.mark.parametrize("damaged", [False, True], ids=["killed", "killed-and-damaged"])
def test_power_cuts_lose_and_double_nothing(damaged: bool, tmp_path: Path) -> None:
    chance = random.Random(20 + damaged)
    with site_in(tmp_path / "site") as site:
        agent = site.agent("device-1", interval_ms=20)
        site.start_daemon()
        site.take_in()
        for _ in range(CUTS):
            started = len(agent.boots())
            agent.start()
            agent.wait(lambda before=started: len(agent.boots()) > before, what="a start")
            time.sleep(chance.uniform(0, 0.5))  # a moment that nobody chose
            agent.kill()
            if damaged and (files := outbox_files(agent)):
                damage_the_end(files[-1], chance)
        agent.start()
        boot = agent.wait(lambda: found[-1] if len(found := agent.boots()) > CUTS else 0)
        agent.wait_stored(20, boot=boot)
        agent.assert_sane()
        agent.kill()
        assert agent.boots() == list(range(1, CUTS + 2))
        _assert_once(site, agent, complete=not damaged)


def _assert_once(site: Site, agent: Agent, *, complete: bool) -> None:
    store = site.installation.store
    rows = Counter((r.boot, r.seq) for r in store.readings(ReadingQuery(device_id=agent.name)))
    assert max(rows.values()) == 1
    counted = agent.stored()
    assert len(counted) > 3
    for boot, top in counted.items():
        missing = [seq for seq in range(1, top + 1) if (boot, seq) not in rows]
        assert not missing, f"counted as stored and not there: boot {boot}, {missing}"
    if complete:
        # Neither is there a hole in what was measured, whether or not it was counted.
        for boot in {boot for boot, _ in rows}:
            seqs = [seq for b, seq in rows if b == boot]
            assert sorted(seqs) == list(range(1, len(seqs) + 1))
    refused = {reason: count for reason, count in store.refusal_counts().items() if count}
    assert not refused, store.refusals()


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[tuple[Site, Agent]]:
    """A device whose server is not there."""
    with site_in(tmp_path / "site") as site:
        yield site, site.agent("device-1", port=1, interval_ms=1000)


def start_and_cut(agent: Agent) -> int:
    """Start it, and cut the power when it has said its boot number; return that."""
    before = len(agent.boots())
    agent.start()
    agent.wait(lambda: len(agent.boots()) > before, what="a boot number")
    agent.kill()
    return agent.boots()[-1]


def state_files(agent: Agent) -> dict[Path, bytes]:
    folder = agent.bundle / "state"
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_torn_write_of_the_state_takes_no_boot_number_back(quiet: tuple[Site, Agent]) -> None:
    _, agent = quiet
    for _ in range(3):
        used = start_and_cut(agent)
        before = state_files(agent)
        outbox = {path: path.read_bytes() for path in outbox_files(agent)}
        start_and_cut(agent)  # shows what a start writes; it is undone below
        after = state_files(agent)
        written = [path for path in after if after[path] != before.get(path)]
        assert written
        for path in written:
            for size in {0, 1, len(after[path]) // 2, len(after[path]) - 1}:
                shutil.rmtree(agent.bundle / "state")
                for place, data in (before | outbox).items():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(data)
                path.write_bytes(after[path][:size])
                assert start_and_cut(agent) == used + 1, (path.name, size)


@pytest.mark.parametrize("kind", ["cut", "garbled", "emptied", "gone"])
def test_the_newest_state_file_may_be_lost(kind: str, tmp_path: Path) -> None:
    """A boot number that the server has seen is never used again: readings would be replays."""
    with site_in(tmp_path / "site") as site:
        agent = site.agent("device-1", interval_ms=50)
        site.start_daemon()
        site.take_in()
        for boot in (1, 2, 3):
            agent.start()
            agent.wait_stored(5, boot=boot)
            agent.kill()
        newest = max(state_files(agent), key=lambda path: path.stat().st_mtime_ns)
        data = newest.read_bytes()
        if kind == "gone":
            newest.unlink()
        else:
            newest.write_bytes(
                {"cut": data[:-3], "garbled": data[:-3] + b"???", "emptied": b""}[kind]
            )
        agent.start()
        boot = agent.wait(lambda: found[-1] if len(found := agent.boots()) > 3 else 0)
        agent.wait_stored(5, boot=boot)
        agent.kill()
        assert boot > 3, "the server has seen this boot number"
        assert not any(site.installation.store.refusal_counts().values())


def kept(agent: Agent) -> int:
    """Return how many readings wait on flash."""
    return sum(path.read_bytes().count(b'"seq"') for path in outbox_files(agent))


def test_readings_of_a_long_absence_are_delivered_in_order(tmp_path: Path) -> None:
    with site_in(tmp_path / "site") as site:
        context = server_context(site.installation)
        server = ScriptedServer(context, good)
        server.close()
        agent = site.agent("device-1", port=server.port, interval_ms=10)
        measured = 0
        for _ in range(3):
            before = kept(agent)
            agent.start()
            agent.wait_line("not connected", len(agent.lines("not connected")) + 1)
            agent.wait(lambda before=before: kept(agent) > before + 15, what="readings on flash")
            agent.kill()
        again = ScriptedServer(context, good, port=server.port)
        agent.start()
        agent.wait_stored(20, boot=4)
        agent.assert_sane()
        pairs = again.pairs(agent)
        assert pairs == sorted(set(pairs))
        for boot in (1, 2, 3, 4):
            seqs = [seq for b, seq in pairs if b == boot]
            assert len(seqs) > 15
            assert seqs == list(range(1, len(seqs) + 1))
            measured += len(seqs)
        assert measured == len(pairs)
        again.close()


def test_a_full_outbox_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    with site_in(tmp_path / "site") as site:
        context = server_context(site.installation)
        server = ScriptedServer(context, good)
        server.close()
        agent = site.agent("device-1", port=server.port, interval_ms=20)
        agent.configure(outbox={"max_readings": 20})
        agent.start()
        agent.wait_line("not connected", 2)
        again = ScriptedServer(context, good, port=server.port)
        agent.wait(lambda: again.bodies(agent, "events"), 30, "an event")
        agent.wait(lambda: len(again.pairs(agent)) > 40, what="readings")
        agent.assert_sane()
        seqs = [seq for _, seq in again.pairs(agent)]
        # The oldest are gone, and from there on none.
        assert seqs[0] > 1
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        dropped = [each for each in again.bodies(agent, "events") if each["event"] == "dropped"]
        # What was on its way when it had to give way may have arrived all the same.
        assert 0 <= dropped[-1]["count"] - (seqs[0] - 1) <= IN_FLIGHT
        assert dropped[-1]["boot"] == 1
        again.close()


@pytest.mark.parametrize("junk", [b"", b"\0" * 40, b"\xff" * 5000])
def test_files_full_of_junk_are_passed_over(junk: bytes, tmp_path: Path) -> None:
    """Every file of the outbox is ruined: what was in it is lost, and nothing else."""
    with site_in(tmp_path / "site") as site:
        context = server_context(site.installation)
        server = ScriptedServer(context, good)
        server.close()
        agent = site.agent("device-1", port=server.port, interval_ms=20)
        agent.start()
        agent.wait_line("not connected", 1)
        agent.kill()
        files = outbox_files(agent)
        assert files
        for path in files:
            path.write_bytes(junk)
        again = ScriptedServer(context, good, port=server.port)
        agent.start()
        agent.wait_stored(10, boot=2)
        agent.assert_sane()
        seqs = [seq for boot, seq in again.pairs(agent) if boot == 2]
        assert seqs == list(range(1, len(seqs) + 1))
        again.close()

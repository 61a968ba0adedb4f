"""Updates over the air: the real MicroPython, the real endpoint, a network that breaks off."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_rig import Agent, ScriptedServer, good
from update_rig import (
    APPLICATION,
    Proxy,
    UpdateSite,
    reports,
    slot_is_whole,
    slots,
    update_site_in,
    wait_report,
    wait_version,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

BLOCK = 4096
SEED = 20_240_607
KILLS = 12


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpdateSite]:
    with update_site_in(tmp_path_factory.mktemp("update") / "site") as site:
        yield site


def _updated(server: ScriptedServer, agent: Agent, n: int) -> None:
    report = wait_report(server, agent, n, "confirmed", "failed", "refused", "rolled-back")
    assert report["state"] == "confirmed", report


def test_a_device_goes_from_version_to_version_while_it_goes_on_measuring(
    site: UpdateSite,
) -> None:
    server = site.broker()
    agent = site.agent("goes-1", server).start()
    agent.wait_stored(2)
    for boot, (live, floor) in enumerate((("b", "1.0"), ("a", "2.0"), ("b", "3.0")), 2):
        release = site.release(version=floor)
        n = site.order(server, agent, release)
        _updated(server, agent, n)
        wait_version(server, agent, floor, boot)
        agent.wait(lambda: slots(agent)["outcome"] == "-", what="the outcome told")
        found = slots(agent)
        assert (found["live"], found["trial"], found["floor"]) == (live, "-", release[1])
        assert slot_is_whole(agent.bundle / live)
        states = [each["state"] for each in reports(server, agent, n)]
        assert list(dict.fromkeys(states)) == ["downloading", "verified", "trying", "confirmed"]
    running = [e for e in server.bodies(agent, "events") if e["event"] == "running"]
    assert running[0] | {"boot": 1} == {
        "event": "running", "version": "0", "slot": "a", "trial": False, "boot": 1
    }  # fmt: skip
    # A boot that began on trial ends before the next download: its memory is taken.
    told = dict.fromkeys((e["version"], e["slot"], e["trial"]) for e in running[1:])
    assert list(told) == [
        (version, slot, trial)
        for version, slot in (("1.0", "b"), ("2.0", "a"), ("3.0", "b"))
        for trial in (True, False)
    ]
    pairs = server.pairs(agent)
    for boot in {boot for boot, _ in pairs}:
        seqs = [seq for each, seq in pairs if each == boot]
        assert set(seqs) == set(range(1, max(seqs) + 1)), "a reading is missing"
    boots = {boot for boot, _ in pairs}
    assert len(server.connections) == len(boots), "MQTT stayed connected through each download"
    agent.assert_enough_memory()
    agent.assert_sane()


def test_a_line_changed_in_one_of_twenty_files_costs_a_tenth_at_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with update_site_in(tmp_path / "site") as site:
        _change_a_line(site, capsys)


def _change_a_line(site: UpdateSite, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random(SEED)
    names = [f"part{number}.py" for number in range(19)]
    # From 2 to 14 KB, compiled; the one that changes is neither small nor large.
    files = {name: _program(dice, 60 + 20 * at) for at, name in enumerate(names)} | {
        "application.py": APPLICATION % 1
    }
    server = site.broker()
    agent = site.agent("small-1", server)
    proxy = Proxy(site.endpoint)
    agent.configure(updates={"port": proxy.port})
    agent.start()
    agent.wait_stored(1)
    _updated(server, agent, site.order(server, agent, site.release(files)))
    first = proxy.to_device + proxy.from_device
    files["part7.py"] += "\nmore = 1\n"
    _updated(server, agent, site.order(server, agent, site.release(files)))
    second = proxy.to_device + proxy.from_device - first
    whole = sum(p.stat().st_size for p in (agent.bundle / "a").rglob("*") if p.is_file())
    with capsys.disabled():
        print(f"\nfirst update {first}, one line changed {second} of {whole} bytes")
    assert second < whole / 10
    proxy.close()


def _program(dice: random.Random, functions: int) -> str:
    # Names and numbers that no other file has, as code has them.
    lines = [
        f"def do_{dice.randbytes(5).hex()}(n):\n    return n * {dice.randrange(10**9)}\n"
        for _ in range(functions)
    ]
    return "\n".join(lines)


def test_a_network_that_breaks_off_costs_a_block_at_most(site: UpdateSite) -> None:
    dice = random.Random(SEED)
    text = "data = b'" + "".join(dice.choices("abcdefghij", k=60_000)) + "'\n"
    release = site.release({"application.py": APPLICATION % 1, "large.py": text})
    server = site.broker()
    agent = site.agent("cut-1", server)
    proxy = Proxy(site.endpoint, cuts=(30_000, 24_000, 9_000))  # anywhere in a TLS record of 16 KB
    agent.configure(updates={"port": proxy.port})
    agent.start()
    agent.wait_stored(1)
    n = site.order(server, agent, release)
    _updated(server, agent, n)
    percents = [e["percent"] for e in reports(server, agent, n) if "percent" in e]
    assert percents[0] == 0
    assert max(percents) > 50
    assert proxy.connections >= 4
    undisturbed = Proxy(site.endpoint)
    server = site.broker()
    other = site.agent("cut-2", server, updates={"port": undisturbed.port}).start()
    other.wait_stored(1)
    _updated(server, other, site.order(server, other, release))
    waste = proxy.to_device - undisturbed.to_device
    # With the handshakes of the further connections, about 2,400 bytes each.
    assert waste < (proxy.connections - undisturbed.connections) * BLOCK, waste
    proxy.close()
    undisturbed.close()


@pytest.mark.parametrize("part", range(3))
def test_killed_at_any_moment_it_boots_a_complete_version_and_gets_there(
    site: UpdateSite, part: int
) -> None:
    dice = random.Random(SEED + part)
    server = site.broker()
    agent = site.agent(f"killed-{part}", server)
    release = site.release()
    agent.start()
    agent.wait_stored(1)
    n = site.order(server, agent, release, trial_s=30)
    agent.wait_line("command update")
    for _ in range(KILLS // 3):
        time.sleep(dice.uniform(0, 0.9))
        agent.kill()
        found = slots(agent)
        assert slot_is_whole(agent.bundle / found["live"])
        if found["trial"] != "-":
            assert slot_is_whole(agent.bundle / found["trial"])
        agent.start()
    report = wait_report(server, agent, n, "confirmed", "rolled-back", timeout_s=60)
    if report["state"] == "rolled-back":
        assert report["reason"] == "boot-loop"
    else:
        wait_version(server, agent, release[1], 2)
    agent.assert_sane()


# What is refused


def _refusal(
    site: UpdateSite, name: str, release: tuple[str, str], **changes: Any
) -> dict[str, Any]:
    server = site.broker()
    agent = site.agent(name, server, **changes).start()
    agent.wait_stored(1)
    n = site.order(server, agent, release)
    report = wait_report(server, agent, n, "refused", "failed", "confirmed", timeout_s=70)
    readings = len(server.pairs(agent))
    agent.wait(lambda: len(server.pairs(agent)) > readings + 2, what="that it goes on")
    assert slots(agent)["live"] == "a"
    assert slots(agent)["trial"] == "-"
    agent.wait(lambda: not (agent.bundle / "state/update").exists(), what="the report settled")
    assert slot_is_whole(agent.bundle / "a")
    agent.assert_sane()
    return report


def test_what_is_not_signed_is_refused(site: UpdateSite) -> None:
    report = _refusal(site, "unsigned-1", ("unix/77.0.json", "77.0"))
    assert (report["state"], report["reason"], report["again"]) == (
        "refused", "unknown-target", False
    )  # fmt: skip


def test_another_version_than_ordered_is_refused(site: UpdateSite) -> None:
    target, _ = site.release()
    report = _refusal(site, "version-1", (target, "99.0"))
    assert (report["reason"], report["again"]) == ("wrong-version", False)


def test_another_board_is_refused(site: UpdateSite) -> None:
    _, version = site.release()
    report = _refusal(site, "board-1", (f"rp2/{version}.json", version))
    assert (report["reason"], report["again"]) == ("wrong-board", False)


def test_below_the_floor_is_refused(site: UpdateSite) -> None:
    server = site.broker()
    agent = site.agent("floor-1", server).start()
    agent.wait_stored(1)
    old, new = site.release(), site.release()
    _updated(server, agent, site.order(server, agent, new))
    report = wait_report(server, agent, site.order(server, agent, old), "refused", "confirmed")
    assert (report["state"], report["reason"]) == ("refused", "version-floor")
    again = wait_report(server, agent, site.order(server, agent, new), "refused", "confirmed")
    assert again["state"] == "confirmed", "it runs already"


def test_a_changed_file_is_refused(site: UpdateSite) -> None:
    release = site.release()
    folder = Path(site.site.installation.paths.updates) / "targets"
    _, version = release
    (path,) = folder.glob(f"unix/*.{version}.json")
    files = json.loads(path.read_bytes())["files"]
    digest = next(digest for name, _, digest in files if name.startswith("application"))
    data = (folder / "files" / digest).read_bytes()
    (folder / "files" / digest).chmod(0o600)
    (folder / "files" / digest).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    report = _refusal(site, "hash-1", release)
    assert (report["reason"], report["again"]) == ("wrong-hash", False)


def test_a_changed_manifest_is_refused(site: UpdateSite) -> None:
    release = site.release()
    folder = Path(site.site.installation.paths.updates) / "targets"
    (path,) = folder.glob(f"unix/*.{release[1]}.json")
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"application", b"applicatiom"))
    report = _refusal(site, "manifest-1", release)
    assert (report["reason"], report["again"]) == ("wrong-hash", False)


def test_without_the_endpoint_it_tries_and_then_says_that_later_may_do(site: UpdateSite) -> None:
    closed = Proxy(site.endpoint)
    closed.close()
    report = _refusal(site, "closed-1", site.release(), updates={"port": closed.port})
    assert (report["state"], report["reason"], report["again"]) == ("failed", "network", True)


def test_an_order_is_dropped_on_request(site: UpdateSite) -> None:
    closed = Proxy(site.endpoint)
    closed.close()
    server = site.broker(good)
    agent = site.agent("dropped-1", server, updates={"port": closed.port}).start()
    agent.wait_stored(1)
    n = site.order(server, agent, site.release())
    agent.wait_line("command update")
    agent.wait_line("update: ")
    server.command(agent, cmd="update-abort", n=n + 1000)
    report = wait_report(server, agent, n, "failed")
    assert (report["reason"], report["again"]) == ("aborted", True)
    agent.wait(lambda: not (agent.bundle / "state/update").exists(), what="the order dropped")

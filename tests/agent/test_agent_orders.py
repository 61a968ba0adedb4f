"""Commands from the server: obeyed once, from the right hand alone; and what `stored` settles."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_rig import Agent, ScriptedServer, good, server_context, site_in

from seawall.wire.envelope import seal

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

Stage = tuple[Agent, ScriptedServer]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A device that measures, and a good server."""
    with site_in(tmp_path / "site") as site:
        server = ScriptedServer(server_context(site.installation), good)
        agent = site.agent("greenhouse-1", port=server.port, interval_ms=200).start()
        agent.wait_stored(1)
        yield agent, server
        server.close()


def replies(stage: Stage) -> list[dict[str, object]]:
    agent, server = stage
    return server.bodies(agent, "replies")


def wait_reply(stage: Stage, n: int) -> None:
    agent, _ = stage
    agent.wait(lambda: {"re": n, "ok": True} in replies(stage), what=f"the reply to {n}")


def count_in(server: ScriptedServer, agent: Agent, seconds: float) -> int:
    before = len(server.pairs(agent))
    time.sleep(seconds)  # a rate is seen over a time
    return len(server.pairs(agent)) - before


def test_identify_replies(stage: Stage) -> None:
    agent, server = stage
    server.command(agent, cmd="identify", n=1)
    wait_reply(stage, 1)
    agent.wait_line("command identify")


def test_the_interval_changes_the_rate_and_lasts(stage: Stage) -> None:
    agent, server = stage
    server.command(agent, cmd="interval", n=1, ms=5000)
    wait_reply(stage, 1)
    assert count_in(server, agent, 1.5) <= 1
    server.command(agent, cmd="interval", n=2, ms=100)
    wait_reply(stage, 2)
    assert count_in(server, agent, 1.5) >= 8
    agent.kill()
    agent.start()
    agent.wait_stored(1, boot=2)
    assert count_in(server, agent, 1.5) >= 8
    agent.assert_sane()


def test_restart_begins_a_new_boot(stage: Stage) -> None:
    agent, server = stage
    for n in (1, 2):
        server.command(agent, cmd="restart", n=n)
        wait_reply(stage, n)
        agent.wait_stored(3, boot=1 + n)
    agent.assert_sane()
    assert agent.boots() == [1, 2, 3]
    # Whatever was measured before has been delivered, in order.
    pairs = server.pairs(agent)
    firsts = list(dict.fromkeys(pairs))
    assert firsts == sorted(firsts)
    for boot in (1, 2):
        seqs = [seq for b, seq in firsts if b == boot]
        assert seqs == list(range(1, len(seqs) + 1))


def test_nothing_is_obeyed_twice_not_even_after_a_power_cut(stage: Stage) -> None:
    agent, server = stage
    server.command(agent, cmd="identify", n=5)
    wait_reply(stage, 5)
    refusals = 0
    for n in (5, 4, 1, 0):
        server.command(agent, cmd="restart", n=n)
        refusals += 1
        agent.wait_line("command refused: replay", refusals)
    agent.kill()
    agent.start()
    agent.wait_stored(1, boot=2)
    server.command(agent, cmd="restart", n=5)
    agent.wait_line("command refused: replay", refusals + 1)
    server.command(agent, cmd="identify", n=6)
    wait_reply(stage, 6)
    assert agent.boots() == [1, 2]
    assert [each["re"] for each in replies(stage)] == [5, 6]


def test_orders_that_are_not_the_servers_are_refused(stage: Stage) -> None:
    agent, server = stage
    topic = f"devices/{agent.name}/commands"
    body = b'{"cmd":"restart","n":9}'
    sealed = seal(body, topic, agent.key)
    forged = [
        seal(body, topic, os.urandom(32)),
        seal(body, topic, b""),
        seal(body, "devices/greenhouse-2/commands", agent.key),
        seal(body, f"devices/{agent.name}/readings", agent.key),
        sealed.replace(b'"n":9', b'"n":8'),
        sealed[:-3] + (b'1"}' if sealed[-3:-2] == b"0" else b'0"}'),
        sealed.upper(),
        sealed[1:],
        b"x" + sealed,
        sealed + b" ",
        sealed[:60],
        body,
        b"",
        b"{}",
        b"\xff" * 120,
        b'{"cmd":"restart","n":9,"sig":"' + b"0" * 64 + b'"}',
    ]
    # The right key again: what a server that has gone mad could say.
    strange = [
        seal(json.dumps(each).encode(), topic, agent.key)
        for each in (
            {"cmd": "explode", "n": 9},
            {"cmd": "restart"},
            {"cmd": "restart", "n": "9"},
            {"cmd": "restart", "n": 9.5},
            {"cmd": "restart", "n": True},
            {"cmd": "restart", "n": -1},
            {"cmd": "restart", "n": 2**60},
            {"cmd": "restart", "n": [9]},
            {"cmd": ["restart"], "n": 9},
            {"cmd": "interval", "n": 9, "ms": 0},
            {"cmd": "interval", "n": 9, "ms": 10**9},
            {"cmd": "interval", "n": 9},
            {"n": 9},
        )
    ]
    for count, payload in enumerate([*forged, *strange], 1):
        server.order(topic, payload)
        agent.wait_line("command refused", count)
    assert len(agent.lines("bad-signature")) == len(forged)
    assert len(agent.lines("malformed")) == len(strange)
    # None of it counts: the number is free still.
    server.command(agent, cmd="identify", n=9)
    wait_reply(stage, 9)
    assert agent.boots() == [1]
    assert len(server.connections) == 1
    agent.assert_sane()


def test_a_command_that_does_not_fit_does_no_harm(stage: Stage) -> None:
    agent, server = stage
    server.command(agent, cmd="restart", n=1, padding="x" * 5000)
    server.command(agent, cmd="identify", n=2)
    wait_reply(stage, 2)
    assert agent.boots() == [1]
    agent.assert_sane()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Stage]:
    """A device that believes `stored` alone, and a server that acknowledges every PUBLISH."""
    with site_in(tmp_path / "site") as site:
        server = ScriptedServer(server_context(site.installation), good)
        agent = site.agent("keeper-1", port=server.port, interval_ms=100)
        agent.configure(broker={"ack": "stored", "settle_s": 60})
        agent.start()
        agent.wait(lambda: len(server.pairs(agent)) >= 4, what="readings")
        yield agent, server
        server.close()


def test_stored_settles_and_nothing_else(keeper: Stage) -> None:
    agent, server = keeper
    assert agent.stored() == {}
    topic = f"devices/{agent.name}/commands"
    body = b'{"cmd":"stored","boot":1,"seq":3}'
    for count, payload in enumerate(
        (body, seal(body, topic, os.urandom(32)), seal(body, topic + "x", agent.key)), 1
    ):
        server.order(topic, payload)
        agent.wait_line("command refused: bad-signature", count)
    assert agent.stored() == {}
    server.command(agent, cmd="stored", boot=1, seq=3)
    agent.wait_line("stored boot=1 seq=3")
    # An old one, played again, takes nothing back, and one for an older boot says nothing.
    server.command(agent, cmd="stored", boot=1, seq=2)
    server.command(agent, cmd="stored", boot=0, seq=1000)
    server.command(agent, cmd="identify", n=1)
    wait_reply(keeper, 1)
    assert [line[-5:] for line in agent.lines("stored boot")] == ["seq=3"]
    assert not agent.lines("replay")
    agent.assert_sane()


def test_what_is_not_stored_is_sent_again_after_a_power_cut(keeper: Stage) -> None:
    agent, server = keeper
    server.command(agent, cmd="stored", boot=1, seq=2)
    agent.wait_line("stored boot=1 seq=2")
    agent.wait(lambda: (1, 6) in server.pairs(agent), what="more")
    agent.kill()
    sent = len(server.pairs(agent))
    agent.start()
    agent.wait(lambda: len(server.pairs(agent)) >= sent + 4, what="all again")
    again = server.pairs(agent)[sent:]
    # From the first that is not settled; one more may be, for settling writes nothing.
    assert again[0] in ((1, 1), (1, 2), (1, 3))
    assert again == sorted(again)
    server.command(agent, cmd="stored", boot=1, seq=10_000)
    agent.wait(lambda: (2, 1) in server.pairs(agent), what="the new boot")
    assert 2 not in agent.stored()
    agent.assert_sane()


def test_what_the_server_never_says_it_stored_is_sent_again(tmp_path: Path) -> None:
    with site_in(tmp_path / "site") as site:
        server = ScriptedServer(server_context(site.installation), good)
        agent = site.agent("patient-1", port=server.port, interval_ms=100)
        agent.configure(broker={"ack": "stored", "settle_s": 1})
        agent.start()
        agent.wait(lambda: server.pairs(agent).count((1, 1)) >= 2, what="a second attempt")
        assert agent.stored() == {}
        assert len(server.connections) >= 2
        agent.assert_sane()
        server.close()

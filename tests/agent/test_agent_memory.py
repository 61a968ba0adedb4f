"""In 32 KB: many failed connections of every kind, one after the other, and nothing is lost.

The back-off and the time-outs of these agents are shortened in their code, by
numbers alone, so that each meets dozens of bad servers in the time of a test.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from agent_rig import Agent, Connection, Script, ScriptedServer, good, server_context, site_in
from test_agent_servers import BOUTS

from seawall.devices.firmware import agent_directory, compile_module
from seawall.devices.lean_names import shorten

pytestmark = pytest.mark.system

AGENTS = 8
BAD_TIMES = 25  # connections of each agent before servers behave
MORE = 10  # readings that must come in the end
HURRY = {
    "farewell": (("min(60_000, 2000 <<", "min(60, 100 <<"),),
    "joining": (
        ('1000 * broker["timeout_s"]', '200 * broker["timeout_s"]'),
        ('1000 * broker["settle_s" if', '200 * broker["settle_s" if'),
    ),
}
KINDS = [name for name in BOUTS if name != "never-pingresp"]
"""That one waits for a keep-alive."""

Pair = tuple[Agent, ScriptedServer]


def hurry(agent: Agent) -> None:
    """Put code that waits less into a bundle."""
    for name, changes in HURRY.items():
        source = (agent_directory() / "seawall_agent" / f"{name}.py").read_text()
        for old, new in changes:
            assert source.count(old) == 1, f"{name}.py has changed: {old}"
            source = source.replace(old, new)
        compiled = compile_module(f"{name}.py", shorten(source.encode()))
        (agent.bundle / "a" / "seawall_agent" / f"{name}.mpy").write_bytes(compiled)


def cut_after(connection: Connection, seconds: float) -> None:
    """Break a connection off from below."""

    def cut() -> None:
        time.sleep(seconds)
        while not connection.is_over:  # in the handshake there is nothing to take hold of
            with contextlib.suppress(OSError):
                # Not the method of an SSLSocket, behind which ciphertext would be read as packets.
                socket.socket.shutdown(connection.tls or connection.raw, socket.SHUT_RDWR)
            time.sleep(0.02)

    threading.Thread(target=cut, daemon=True).start()


def moody(dice: random.Random) -> list[Script]:
    """Return scripts that are bad in random ways, the last one good."""

    def good_for_a_while(connection: Connection) -> None:
        cut_after(connection, dice.choice((0, 0.1, 0.3, 1)))
        good(connection)

    def bad(connection: Connection) -> None:
        name = dice.choice(KINDS)
        if not BOUTS[name].returns:
            cut_after(connection, 1)
        BOUTS[name].script(connection)

    return [dice.choice((good_for_a_while, bad, bad)) for _ in range(BAD_TIMES)] + [good]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Pair]]:
    """Agents, each with a server of its own, once all of them have been through it."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    with site_in(tmp_path_factory.mktemp("memory") / "site") as site:
        context = server_context(site.installation)
        pairs: list[Pair] = []
        for number in range(AGENTS):
            server = ScriptedServer(context, *moody(random.Random(seed + number)))
            interval_ms = 50 if number % 2 else 200
            agent = site.agent(f"crowd-{number}", port=server.port, interval_ms=interval_ms)
            agent.configure(broker={"timeout_s": 1})
            hurry(agent)
            pairs.append((agent.start(), server))
        yield pairs
        for _, server in pairs:
            server.close()


@pytest.mark.timeout(240)
def test_failed_connections_of_every_kind_take_no_memory(crowd: list[Pair]) -> None:
    for agent, server in crowd:
        agent.wait(lambda server=server: len(server.connections) > BAD_TIMES, 150, "connections")
        agent.wait_stored(agent.stored().get(1, 0) + MORE, timeout_s=60)
        agent.assert_sane()
        agent.assert_enough_memory()
        assert agent.boots() == [1], "memory ran out, and it began anew"


@pytest.mark.timeout(240)
def test_failed_connections_cost_no_reading(crowd: list[Pair]) -> None:
    for agent, server in crowd:
        agent.wait(lambda server=server: len(server.connections) > BAD_TIMES, 150, "connections")
        agent.wait_stored(agent.stored().get(1, 0) + MORE, timeout_s=60)
        assert not [e for e in server.bodies(agent, "events") if e["event"] == "dropped"]
        top = agent.stored()[1]  # first: both grow
        firsts = list(dict.fromkeys(server.pairs(agent)))
        assert firsts[:top] == [(1, seq) for seq in range(1, top + 1)]

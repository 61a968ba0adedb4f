"""Two handshakes at a time: what one certificate is worth, another one never gets.

The link and an update share one TLS context, and so one callback that judges. A man in the
middle has no key, but he can hold packets back and break connections off.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_rig import Connection, good
from test_agent_trust import Certificates
from update_rig import Proxy, UpdateSite, update_site_in, wait_report

from seawall.model.device import Trust

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[UpdateSite]:
    with update_site_in(tmp_path / "site") as site:
        yield site


class Holding(Proxy):
    """Holds back what the update endpoint says until it is let go.

    Attributes:
        is_held: Something is held back.
        let_go: Set by a test.
    """

    def __init__(self, port: int) -> None:
        self.is_held = threading.Event()
        self.let_go = threading.Event()
        super().__init__(port)

    def _pump(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            if source.getpeername()[1] == self._port:
                select.select([source], [], [])
                self.is_held.set()
                self.let_go.wait(60)
        super()._pump(source, sink, left)


@pytest.mark.parametrize(
    ("trust", "certificate"), [(Trust.PIN, "self-signed"), (Trust.CA_AND_PIN, "ours-unpinned")]
)
def test_a_genuine_answer_to_the_one_does_not_let_a_stranger_into_the_other(
    trust: Trust, certificate: str, site: UpdateSite, tmp_path: Path
) -> None:
    proxy = Holding(site.endpoint)
    strange = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strange.load_cert_chain(Certificates(site.site, tmp_path).offer(certificate)[0])

    def cut_off(connection: Connection) -> None:
        def cut() -> None:
            proxy.is_held.wait(60)
            assert connection.tls is not None
            socket.socket.shutdown(connection.tls, socket.SHUT_RDWR)

        threading.Thread(target=cut, daemon=True).start()
        good(connection)

    def stranger(connection: Connection) -> None:
        # A second for a handshake that had better not begin while the other one lasts.
        select.select([connection.raw], [], [], 1)
        proxy.let_go.set()
        # The genuine certificate first: then whoever judges has accepted one.
        agent.wait_line("seawall: update")
        connection.raw.settimeout(30)
        connection.tls = strange.wrap_socket(connection.raw, server_side=True)
        connection.tls.settimeout(0.1)
        good(connection)

    server = site.broker(cut_off, stranger, good)
    agent = site.agent("held-1", server, trust=trust, updates={"port": proxy.port}).start()
    agent.wait_stored(1)
    n = site.order(server, agent, site.release())
    agent.wait(lambda: len(server.connections) > 2, 60, "a third connection")
    assert server.connections[1].received == b"", "a stranger was told something"
    agent.wait_line("refused server certificate")
    assert wait_report(server, agent, n, "confirmed", "failed", "refused")["state"] == "confirmed"
    agent.assert_sane()
    proxy.close()


def test_an_agent_that_starts_again_in_the_middle_of_one_connects(site: UpdateSite) -> None:
    proxy = Holding(site.endpoint)
    server = site.broker(good)
    agent = site.agent("anew-1", server, updates={"port": proxy.port}).start()
    agent.wait_stored(1)
    n = site.order(server, agent, site.release())
    agent.wait(proxy.is_held.is_set, 30, "a handshake")
    server.command(agent, cmd="restart", n=n + 1)
    agent.wait_stored(3, boot=2, timeout_s=40)
    proxy.let_go.set()
    assert wait_report(server, agent, n, "confirmed", "failed", "refused")["state"] == "confirmed"
    agent.assert_sane()
    proxy.close()

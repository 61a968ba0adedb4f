"""The subscriber's TLS over memory, against a server in memory."""

from __future__ import annotations

import contextlib
import random
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.ingest.link import Tls
from seawall.pki.contexts import client_context, web_server_context
from seawall.pki.keystore import Keystore


class Server:
    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def shake(self, client: Tls) -> None:
        data, done = b"", False
        for _ in range(10):
            done = client.shake(data) or done
            self.incoming.write(client.pending_output())
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            data = self.outgoing.read()
            if done and not data:
                return
            if done:
                client.decrypt(data)  # session tickets
                return
        pytest.fail("no handshake")

    def records(self, *messages: bytes) -> bytes:
        for message in messages:
            self.tls.write(message)
        return self.outgoing.read()


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    path: Path = tmp_path_factory.mktemp("tls") / "pki"
    Keystore.create(path, ["localhost"], datetime.now(UTC), None)
    return Keystore.open(path)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def pair(keystore: Keystore, request: pytest.FixtureRequest) -> tuple[Tls, Server]:
    context = client_context(keystore.root_path)
    context.maximum_version = request.param
    client, server = Tls(context, "localhost"), Server(web_server_context(keystore))
    server.shake(client)
    return client, server


def test_records_are_read_wherever_the_stream_is_cut(pair: tuple[Tls, Server]) -> None:
    client, server = pair
    dice = random.Random(7)
    messages = [dice.randbytes(dice.choice([1, 50, 150, 16_384, 40_000])) for _ in range(60)]
    stream = server.records(*messages)
    clear = b""
    while stream:
        cut = dice.choice([1, 3, 20, 500, 70_000])
        clear += client.decrypt(stream[:cut])
        stream = stream[cut:]
    assert clear == b"".join(messages)


def test_what_is_encrypted_arrives(pair: tuple[Tls, Server]) -> None:
    client, server = pair
    server.incoming.write(client.encrypt(b"a" * 50_000))
    received = b""
    while len(received) < 50_000:
        received += server.tls.read(65_536)
    assert received == b"a" * 50_000


def test_the_servers_farewell_ends_a_read(pair: tuple[Tls, Server]) -> None:
    """OpenSSL says 'nothing, for ever' after it; that must not be waited for."""
    client, server = pair
    stream = server.records(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        server.tls.unwrap()
    assert client.decrypt(stream + server.outgoing.read()) == b"last words"
    with pytest.raises(ssl.SSLZeroReturnError):
        client.decrypt(b"")


def test_a_forged_record_is_an_error(pair: tuple[Tls, Server]) -> None:
    client, server = pair
    stream = bytearray(server.records(b"genuine"))
    stream[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        client.decrypt(bytes(stream))


def test_another_name_convinces_nobody(keystore: Keystore) -> None:
    client = Tls(client_context(keystore.root_path), "elsewhere.example.org")
    with pytest.raises(ssl.SSLCertVerificationError, match="elsewhere"):
        Server(web_server_context(keystore)).shake(client)

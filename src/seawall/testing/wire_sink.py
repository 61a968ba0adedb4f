"""A server that speaks enough of MongoDB's wire protocol to take documents, and only counts them.

It measures importers: whatever it is sent, it says yes and forgets. With
``keep=True`` it keeps the commands, so that tests can compare what two programs
sent, byte for byte. One thread a connection; documents are counted by walking
their lengths, so a message costs little more than receiving it.

Source: MongoDB wire protocol, OP_MSG (kind 0 and 1 sections) and OP_QUERY for
the first hello of old drivers.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import bson

OP_REPLY: Final = 1
OP_QUERY: Final = 2004
OP_MSG: Final = 2013
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
MAX_MESSAGE_BYTES: Final = 48_000_000
MAX_BATCH: Final = 100_000
WRITES: Final = {"insert": "documents", "update": "updates", "delete": "deletes"}


@dataclass
class Message:
    """One command as it came: its body and the raw documents of its sequence."""

    body: dict[str, Any]
    documents: list[bytes] = field(default_factory=list)


def hello() -> dict[str, Any]:
    """Return what a lone server of a recent version says about itself."""
    return {
        "helloOk": True,
        "ismaster": True,
        "isWritablePrimary": True,
        "maxBsonObjectSize": MAX_DOCUMENT_BYTES,
        "maxMessageSizeBytes": MAX_MESSAGE_BYTES,
        "maxWriteBatchSize": MAX_BATCH,
        "minWireVersion": 0,
        "maxWireVersion": 21,
        "readOnly": False,
        "ok": 1.0,
    }


class WireSink:
    """Listens on a free port of 127.0.0.1 until `close`.

    Args:
        keep: Keep every message in `messages`; without it, only `documents` counts.
    """

    def __init__(self, *, keep: bool = False, port: int = 0) -> None:
        self.messages: list[Message] = []
        self.documents = 0
        self._keep = keep
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> WireSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def inserted(self) -> list[bytes]:
        """The raw documents of all inserts, in the order they came (``keep=True``)."""
        return [d for m in self.messages if "insert" in m.body for d in m.documents]

    def close(self) -> None:
        """Stop listening; connections end with their clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray(MAX_MESSAGE_BYTES + 65536)
        view = memoryview(buffer)
        try:
            while _fill(connection, view[:16]):
                length, request, _, operation = struct.unpack_from("<iiii", buffer)
                if not _fill(connection, view[16:length]):
                    return
                reply = self._answer(operation, view[16:length])
                if reply is not None:
                    connection.sendall(_framed(operation, request, reply))
        except OSError:
            return
        finally:
            connection.close()

    def _answer(self, operation: int, message: memoryview) -> dict[str, Any] | None:
        if operation == OP_QUERY:
            return hello()
        (flags,) = struct.unpack_from("<I", message)
        (size,) = struct.unpack_from("<i", message, 5)
        body = bson.decode(message[5 : 5 + size])
        name = next(iter(body))
        count = 0
        if name in WRITES:
            count = self._take(name, body, message[5 + size :])
        elif self._keep:
            self.messages.append(Message(body))
        if flags & 2:
            return None
        if name in WRITES:
            return {"n": count, "nModified": count if name == "update" else 0, "ok": 1.0}
        return hello() if name.lower() in {"hello", "ismaster"} else {"ok": 1.0, "n": 0}

    def _take(self, name: str, body: dict[str, Any], rest: memoryview) -> int:
        if not rest:
            raw = [bson.encode(each) for each in body.pop(WRITES[name])]
            rest = memoryview(b"\x01" + bytes(4) + WRITES[name].encode() + b"\0" + b"".join(raw))
        start = 5 + len(WRITES[name]) + 1
        if rest[0] != 1:
            raise OSError("expected a document sequence")
        count = 0
        documents = []
        length_of = struct.Struct("<i").unpack_from
        end = len(rest)
        while start < end:
            (length,) = length_of(rest, start)
            if self._keep:
                documents.append(bytes(rest[start : start + length]))
            start += length
            count += 1
        if name == "insert":
            self.documents += count
        if self._keep:
            self.messages.append(Message(body, documents))
        return count


def _fill(connection: socket.socket, view: memoryview) -> bool:
    while view:
        count = connection.recv_into(view)
        if not count:
            return False
        view = view[count:]
    return True


def _framed(operation: int, request: int, reply: dict[str, Any]) -> bytes:
    document = bson.encode(reply)
    if operation == OP_QUERY:
        payload = struct.pack("<iqii", 8, 0, 0, 1) + document
        return struct.pack("<iiii", 16 + len(payload), 0, request, OP_REPLY) + payload
    payload = struct.pack("<IB", 0, 0) + document
    return struct.pack("<iiii", 16 + len(payload), 0, request, OP_MSG) + payload


def main() -> None:
    """Serve until standard input ends, then print how many documents came."""
    sink = WireSink()
    print(sink.port, flush=True)
    for _ in sys.stdin:
        print(sink.documents, flush=True)
    print(sink.documents, flush=True)


if __name__ == "__main__":
    main()

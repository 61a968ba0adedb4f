"""Whole batches of BSON on a connection of pymongo: it finds the server, we send the bytes.

pymongo would look at every document again; an OP_MSG with a document sequence
(kind 1 section) takes them as they are. Where the driver has no such connection
to lend, or compresses, the same batch goes through its public `command`.
"""

from __future__ import annotations

import itertools
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from seawall.transfer.blocks import Buffer
from seawall.transfer.failures import TransferFailedError

OP_MSG: Final = 2013
MORE_TO_COME: Final = 2
RETRYABLE: Final = frozenset({6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""Errors of a server that is stepping down or going away (retryable writes specification)."""
MAX_COMMAND_BYTES: Final = 16 * 1024 * 1024 + 8192
"""Of documents in a command that is one document; a server lets it have 16 KB more than theirs."""
ELEMENT_BYTES: Final = 12
"""Around each document in an array, at most."""
MAX_MESSAGE_BYTES: Final = 48_000_000 - 1_048_576
"""What the original puts into one message at most."""

Client = MongoClient[dict[str, Any]]


class Channel:
    """Sends batches to one collection.

    Args:
        client: Connected.
        database: Its name.
        retries: Whether a batch is sent again, under the same number, after a failure of
            the network; servers that stand alone cannot do that.
    """

    def __init__(self, client: Client, database: str, *, retries: bool, raw: bool) -> None:
        self._client, self._database = client, database
        self._retries, self._raw = retries, raw and hasattr(client, "_conn_for_writes")
        self._requests = itertools.count(1)
        self._transactions = itertools.count(1)
        self._connection: Any = None
        self._lending: Any = None
        # A batch is sent again only where its number tells the server that it is the same.
        self._session = client.start_session() if retries and self._raw else None

    def send(
        self,
        command: Mapping[str, Any],
        sequence: str,
        documents: Sequence[Buffer],
        size: int,
        *,
        acknowledged: bool,
    ) -> Mapping[str, Any]:
        """Send one command and return its reply; an empty one if nobody waits for it.

        Args:
            command: Without its documents.
            sequence: Name of the member that they are.
            documents: BSON, one or more in each.
            size: Bytes of them all.
            acknowledged: Whether the server answers.

        Raises:
            TransferFailedError: The server refused, or went away.
        """
        body = dict(command)
        if self._session is not None and acknowledged:
            body["lsid"] = self._session.session_id
            body["txnNumber"] = bson.Int64(next(self._transactions))
        body["$db"] = self._database
        if not self._raw:
            body.pop("$db")
            return self._answered(lambda: self._portable(body, sequence, documents))
        return self._answered(lambda: self._once(body, sequence, documents, size, acknowledged))

    def _answered(self, send: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            try:
                reply = send()
            except AutoReconnect:
                if self._session is None:
                    raise
                reply = send()
            if not reply.get("ok", 1) and reply.get("code") in RETRYABLE and self._session:
                reply = send()
        except OperationFailure as error:
            raise _refusal(error.details or {}) from None
        except PyMongoError as error:
            raise TransferFailedError(
                f"connection lost: {error}",
                hint="what the server confirmed is counted; the last batch may be there in part",
            ) from None
        if not reply.get("ok", 1):
            raise _refusal(reply)
        return reply

    def _once(
        self,
        body: dict[str, Any],
        sequence: str,
        documents: Sequence[Buffer],
        size: int,
        acknowledged: bool,
    ) -> Mapping[str, Any]:
        request = next(self._requests) & 0x7FFFFFFF
        name = sequence.encode() + b"\0"
        head = bson.encode(body)
        total = 16 + 4 + 1 + len(head) + 1 + 4 + len(name) + size
        flags = 0 if acknowledged else MORE_TO_COME
        start = struct.pack("<iiiiIB", total, request, 0, OP_MSG, flags, 0)
        section = struct.pack("<Bi", 1, 4 + len(name) + size)
        message = b"".join([start, head, section, name, *documents])
        connection = self._borrowed()
        try:
            connection.send_message(message, 0)
            if not acknowledged:
                return {}
            reply = connection.receive_message(request)
        except BaseException:
            # The driver learns of it, looks for a server anew, and lends another.
            self._connection = None
            self._lending.__exit__(*sys.exc_info())
            raise
        found: Mapping[str, Any] = reply.unpack_response()[0]
        if not found.get("ok", 1) and found.get("code") in RETRYABLE:
            self._connection = None
            self._lending.__exit__(None, None, None)
        return found

    def _borrowed(self) -> Any:
        """Return a connection to a server that takes writes; the same until it fails."""
        if self._connection is None:
            client: Any = self._client
            self._lending = client._conn_for_writes(None, "insert")
            self._connection = self._lending.__enter__()
        return self._connection

    def _portable(
        self, body: dict[str, Any], sequence: str, documents: Sequence[Buffer]
    ) -> Mapping[str, Any]:
        """Send by the public interface of the driver, in commands of the size of a document."""
        database = self._client[self._database]
        whole: dict[str, Any] = {"ok": 1, "n": 0, "nModified": 0, "upserted": [], "writeErrors": []}
        for part in _portions(bytes(b"".join(documents))):
            reply = database.command({**body, sequence: part})
            if not reply.get("ok", 1):
                return reply
            for name in ("n", "nModified", "upserted", "writeErrors"):
                whole[name] += reply.get(name, type(whole[name])())
            if "writeConcernError" in reply:
                whole["writeConcernError"] = reply["writeConcernError"]
            if whole["writeErrors"] and body.get("ordered", True):
                break
        return whole


def _portions(raw: bytes) -> Iterator[list[RawBSONDocument]]:
    """Yield documents, as many together as fit into one document; one at least."""
    part: list[RawBSONDocument] = []
    size = start = 0
    while start < len(raw):
        length = struct.unpack_from("<i", raw, start)[0] + ELEMENT_BYTES
        if part and size + length > MAX_COMMAND_BYTES:
            yield part
            part, size = [], 0
        part.append(RawBSONDocument(raw[start : start + length - ELEMENT_BYTES]))
        start += length - ELEMENT_BYTES
        size += length
    yield part


def _refusal(reply: Mapping[str, Any]) -> TransferFailedError:
    name = reply.get("codeName") or reply.get("code") or "error"
    return TransferFailedError(f"({name}) {reply.get('errmsg', 'the server refused')}")

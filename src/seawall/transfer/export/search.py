"""Asks a server for the documents of an export, and takes them as bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from seawall.transfer.export.options import ExportOptions
from seawall.transfer.export.query import filter_of, preference_of, projection_of, sort_of
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.wire import Client

_length_of = struct.Struct("<i").unpack_from


@dataclass(frozen=True)
class Found:
    """What is exported.

    Args:
        name: Database and collection, with a point between.
        expected: About so many documents; 0 if nobody knows.
        documents: BSON, as the server sent it, fetched as it is consumed.
    """

    name: str
    expected: int
    documents: Iterator[bytes]


def search(client: Client, asked: ExportOptions, query: str) -> Found | None:
    """Return the documents asked for; None if there is no such collection.

    Raises:
        TransferFailedError: The query is wrong, the server refused or went away; the
            documents raise it too.
    """
    database = client[asked.database or "test"]
    preference = preference_of(asked.query.read_preference)
    collection = database.get_collection(asked.collection, read_preference=preference)
    with _failures():
        facts = next(iter(database.list_collections(filter={"name": asked.collection})), None)
        if facts is None:
            return None
        is_view = facts.get("type") == "view"
        arguments = _arguments(asked, query, is_view=is_view)
        expected = asked.query.limit
        if not expected and not query and not is_view:
            expected = collection.estimated_document_count() - asked.query.skip
    name = f"{database.name}.{asked.collection}"
    return Found(name, max(0, expected), _fetched(collection, arguments))


def _fetched(collection: Any, arguments: dict[str, Any]) -> Iterator[bytes]:
    with _failures():
        for batch in collection.find_raw_batches(**arguments):
            yield from documents_of(batch)


def documents_of(batch: bytes) -> Iterator[bytes]:
    """Yield the documents that stand one behind the other in a batch."""
    at = 0
    while at < len(batch):
        end = at + _length_of(batch, at)[0]
        yield batch[at:end]
        at = end


def _arguments(asked: ExportOptions, query: str, *, is_view: bool) -> dict[str, Any]:
    """Return what the search is told."""
    if asked.query.skip < 0:
        raise TransferFailedError(f"skip must not be negative, but is {asked.query.skip}")
    found: dict[str, Any] = {"skip": asked.query.skip, "limit": asked.query.limit}
    if query:
        found["filter"] = filter_of(query)
    if asked.query.sort:
        found["sort"] = sort_of(asked.query.sort)
    if asked.query.allow_disk_use:
        found["allow_disk_use"] = True
    if asked.output.fields:
        found["projection"] = projection_of(asked.output.fields)
    if not query and not asked.query.sort and not is_view:
        found["hint"] = [("$natural", 1)]
    return found


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except OperationFailure as error:
        name = (error.details or {}).get("codeName")
        text = str((error.details or {}).get("errmsg", error))
        raise TransferFailedError(f"({name}) {text}" if name else text) from None
    except PyMongoError as error:
        raise TransferFailedError(f"connection lost: {error}") from None

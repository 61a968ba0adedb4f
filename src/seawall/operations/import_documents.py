"""Imports files of documents into a collection of a MongoDB server."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from seawall.errors import SeawallError
from seawall.transfer import options
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.connect import channel, connect, drop, node_type
from seawall.transfer.documents import Documents, Skipped, new_ids
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.insert import Inserter, Target
from seawall.transfer.operations import Planner
from seawall.transfer.options import ImportOptions
from seawall.transfer.progress import Progress
from seawall.transfer.server_uri import ServerAddress
from seawall.transfer.sources import Source
from seawall.transfer.wire import Client

SWITCH_INTERVAL_S: Final = 0.0005


@dataclass(frozen=True)
class Reporting:
    """Where words go.

    Args:
        log: A line for people; verbosity from 0.
        raw: A row that was left out, as it was.
        bad: A record that cannot be read, and why; None ends the run at the first.
        draw: Draws over a line of the terminal; None if there is no terminal.
    """

    log: Callable[[str, int], None]
    raw: Callable[[str], None]
    bad: Callable[[str, str], None] | None = None
    draw: Callable[[str], None] | None = None


@dataclass
class ImportResult:
    """How a run ended.

    Args:
        written: Documents that the server says it inserted, changed or deleted.
        failed: Writes that it refused.
        skipped_bad: Records that could not be read and were left out.
        error: What ended the run early; None if nothing did.
        interrupted: Somebody ended the run.
    """

    written: int = 0
    failed: int = 0
    skipped_bad: int = 0
    acknowledged: bool = True
    error: SeawallError | None = None
    interrupted: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Interrupted(BaseException):
    """Somebody asked the run to end; the text is the name of the signal."""


def import_documents(
    asked: ImportOptions, address: ServerAddress, concern: dict[str, Any], reporting: Reporting
) -> ImportResult:
    """Import, and say how it went; raises only what happens before the input is opened.

    Args:
        asked: Validated options.
        address: Of the server.
        concern: Write concern.
        reporting: Where words go.

    Raises:
        UnreachableError: No connection.
    """
    result = ImportResult(acknowledged=concern.get("w", 1) != 0)
    client = connect(address, asked.connection, asked.tls)
    try:
        _run(asked, address, concern, reporting, client, result)
    except SeawallError as error:
        result.error = error
    except (Interrupted, KeyboardInterrupt) as stop:
        result.interrupted = str(stop) or "interrupt"
    if result.error is None:
        # A server that went away would be waited for once more, to take leave of it.
        client.close()
    return result


def _run(
    asked: ImportOptions,
    address: ServerAddress,
    concern: dict[str, Any],
    reporting: Reporting,
    client: Client,
    result: ImportResult,
) -> None:
    source = _opened(asked, reporting)
    ids = new_ids()
    inserts = asked.ingest.mode == options.INSERT
    skipped = Skipped(lambda text: reporting.log(text, 0), reporting.raw, reporting.bad)
    documents = Documents(asked.input, ids if inserts else None, skipped)
    inputs = source.inputs()
    first = documents.start(next(inputs))
    reporting.log(f"connected to: {address.shown}", 0)
    reporting.log(f"ns: {asked.database}.{asked.collection}", 1)
    if asked.verbosity:
        reporting.log(f"connected to node type: {node_type(client)}", 1)
    if asked.ingest.drop:
        reporting.log(f"dropping: `{asked.database}.{asked.collection}`", 0)
        drop(client, asked.database, asked.collection, concern)
    channels = [
        channel(client, asked.database, address) for _ in range(asked.ingest.insertion_workers)
    ]
    inserter = Inserter(channels, _target(asked, concern, ids), lambda text: reporting.log(text, 0))
    name = f"{asked.database}.{asked.collection}"
    progress = Progress(
        name,
        lambda: source.bytes_read,
        source.size,
        lambda: inserter.counts.written,
        lambda text: reporting.log(text, 0),
        reporting.draw,
    )
    try:
        with progress:
            _pump(first, documents, inputs, inserter)
    finally:
        result.written, result.failed = inserter.counts.written, inserter.counts.failed
        result.skipped_bad = skipped.bad_rows


def _opened(asked: ImportOptions, reporting: Reporting) -> Source:
    source = Source(asked.input.files)
    if source.files and source.size is not None:
        reporting.log(f"filesize: {source.size} bytes", 1)
    elif not source.files:
        reporting.log("reading from stdin", 1)
    return source


def _target(asked: ImportOptions, concern: dict[str, Any], ids: ObjectIds) -> Target:
    ingest = asked.ingest
    planner = None
    if ingest.mode != options.INSERT:
        planner = Planner(str(ingest.mode), (ingest.upsert_fields or "_id").split(","), ids)
    return Target(
        collection=asked.collection,
        ordered=ingest.maintain_insertion_order,
        stop_on_error=ingest.stop_on_error,
        concern=concern,
        bypass_validation=ingest.bypass_document_validation,
        batch_size=ingest.batch_size,
        planner=planner,
    )


def _pump(first: Any, documents: Documents, inputs: Any, inserter: Inserter) -> None:
    """Move blocks until the input ends; whatever was read before an error is written."""
    # Millions of short-lived objects without cycles: the collector would only cost time.
    collects, interval_s = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    # The thread that sends needs the interpreter for microseconds, often; it must not wait.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        blocks = first
        while True:
            for block in blocks:
                inserter.write(block)
            following = next(inputs, None)
            if following is None:
                break
            blocks = documents.start(following)
        inserter.finish()
    except TransferFailedError as error:
        try:
            inserter.finish()
        except TransferFailedError as earlier:
            raise earlier from None
        raise error from None
    except BaseException:
        inserter.abandon()
        raise
    finally:
        sys.setswitchinterval(interval_s)
        if collects:
            gc.enable()

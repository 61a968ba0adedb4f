"""Writes blocks of documents: batches, workers, modes, what to do with errors, and the counts."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from seawall.transfer import options
from seawall.transfer.blocks import Block, Buffer
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.operations import SEQUENCES, UPDATE, Operation, Planner
from seawall.transfer.wire import Channel

DUPLICATE_KEY, VALIDATION_FAILED = 11000, 121
SKIPPABLE: Final = frozenset({DUPLICATE_KEY, VALIDATION_FAILED})
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
WAITING_BATCHES: Final = 64
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Of a batch with more than one document. The original fills messages of 47 MB; several of these
at a time are too much memory, and nothing is faster for them."""
MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
"""Between the converter and the server: enough that neither waits for the other's rhythm."""


@dataclass
class Counts:
    """What the server said it did."""

    written: int = 0
    failed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, written: int, failed: int) -> None:
        """Add the numbers of one reply."""
        with self._lock:
            self.written += written
            self.failed += failed


@dataclass(frozen=True)
class Target:
    """Where and how documents are written.

    Args:
        ordered: Stop a batch at its first error.
        stop_on_error: Let a skippable error end the run.
        concern: Write concern as a document.
        planner: Makes operations of documents; None inserts them.
    """

    collection: str
    ordered: bool
    stop_on_error: bool
    concern: Mapping[str, Any]
    bypass_validation: bool = False
    batch_size: int = options.MAX_BATCH_DOCUMENTS
    planner: Planner | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the server answers."""
        return bool(self.concern.get("w", 1) != 0)

    def command(self, kind: str) -> dict[str, Any]:
        """Return a command without its documents."""
        found: dict[str, Any] = {kind: self.collection, "ordered": self.ordered}
        if self.bypass_validation and kind != options.DELETE:
            found["bypassDocumentValidation"] = True
        found["writeConcern"] = dict(self.concern)
        return found


@dataclass
class Batch:
    """Documents, or operations, that go to the server together."""

    kind: str = options.INSERT
    parts: list[Buffer] = field(default_factory=list)
    count: int = 0
    size: int = 0


class Inserter:
    """Takes blocks, sends batches.

    Args:
        channels: One for each worker.
        target: Where and how.
        log: Is told of errors that are gone past.
    """

    def __init__(
        self, channels: Sequence[Channel], target: Target, log: Callable[[str], None]
    ) -> None:
        self.counts = Counts()
        self._target, self._log = target, log
        self._batch = Batch()
        self._waiting: queue.Queue[Batch | None] = queue.Queue(WAITING_BATCHES)
        self._waiting_bytes = 0
        self._room = threading.Condition()
        self._error: BaseException | None = None
        self._workers = [
            threading.Thread(target=self._work, args=(each,), daemon=True) for each in channels
        ]
        for worker in self._workers:
            worker.start()

    def write(self, block: Block) -> None:
        """Take a block; blocks while the workers have enough.

        Raises:
            TransferFailedError: A write failed, now or before, and the run has to end.
        """
        if self._target.planner is not None:
            self._write_operations(block, self._target.planner)
            return
        start, taken = 0, 0
        data = memoryview(block.data)
        ends = block.ends
        while taken < len(ends):
            room = self._target.batch_size - self._batch.count
            stop = min(taken + room, len(ends))
            limit = start + MAX_BATCH_BYTES - self._batch.size
            if ends[stop - 1] > limit:
                stop = taken + sum(1 for _ in itertools.takewhile(limit.__ge__, ends[taken:stop]))
                # What is larger than a batch goes alone.
                stop += stop == taken and not self._batch.count
            if stop > taken:
                large = _first_too_large(ends[taken:stop], start)
                if large == 0:
                    raise _too_large(ends[taken] - start)
                stop = stop if large is None else taken + large
                self._add(data[start : ends[stop - 1]], stop - taken)
                start, taken = ends[stop - 1], stop
            if self._batch.count >= self._target.batch_size or taken < len(ends):
                self._submit()

    def finish(self) -> None:
        """Send what is left, and wait for the workers.

        Raises:
            TransferFailedError: A write failed, and the run has to end.
        """
        try:
            self._submit()
        finally:
            self.stop()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Let the workers end the batches that wait, then end."""
        for _ in self._workers:
            self._put(None, always=True)
        for worker in self._workers:
            worker.join()

    def abandon(self) -> None:
        """Let the workers end the batch that each has under way, and forget the rest."""
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
        self.stop()

    # The converting thread

    def _write_operations(self, block: Block, planner: Planner) -> None:
        for raw in block.raw():
            if len(raw) > MAX_DOCUMENT_BYTES:
                raise _too_large(len(raw))
            operation = planner.plan(raw)
            if operation is not None:
                self._add_operation(operation)

    def _add_operation(self, operation: Operation) -> None:
        batch = self._batch
        full = batch.size + len(operation.raw) > MAX_BATCH_BYTES
        if batch.count and (operation.kind != batch.kind or full):
            self._submit()
        self._batch.kind = operation.kind
        self._add(operation.raw, 1)
        if self._batch.count >= self._target.batch_size:
            self._submit()

    def _add(self, part: Buffer, count: int) -> None:
        self._batch.parts.append(part)
        self._batch.count += count
        self._batch.size += len(part)

    def _submit(self) -> None:
        if self._error is not None:
            raise self._error
        if self._batch.count:
            batch, self._batch = self._batch, Batch()
            self._put(batch)

    def _put(self, batch: Batch | None, *, always: bool = False) -> None:
        if batch is not None:
            with self._room:
                self._room.wait_for(
                    lambda: (
                        not self._waiting_bytes
                        or self._waiting_bytes + batch.size <= MAX_WAITING_BYTES
                    )
                )
                self._waiting_bytes += batch.size
        while any(worker.is_alive() for worker in self._workers):
            try:
                self._waiting.put(batch, timeout=0.1)
                return
            except queue.Full:
                continue
        if self._error is not None and not always:
            raise self._error

    # Workers

    def _work(self, channel: Channel) -> None:
        while (batch := self._waiting.get()) is not None:
            try:
                if self._error is None:
                    self._send(channel, batch)
            except TransferFailedError as error:
                self._error = self._error or error
            except BaseException as fault:
                self._error = self._error or TransferFailedError(f"{type(fault).__name__}: {fault}")
            size = batch.size
            del batch
            with self._room:
                self._waiting_bytes -= size
                self._room.notify()

    def _send(self, channel: Channel, batch: Batch) -> None:
        reply = channel.send(
            self._target.command(batch.kind),
            SEQUENCES[batch.kind].decode(),
            batch.parts,
            batch.size,
            acknowledged=self._target.acknowledged,
        )
        if not self._target.acknowledged:
            return
        errors = reply.get("writeErrors", [])
        written = reply.get("n", 0)
        if batch.kind == UPDATE:
            written = reply.get("nModified", 0) + len(reply.get("upserted", []))
        self.counts.add(written, len(errors))
        self._judge(errors, reply.get("writeConcernError"))

    def _judge(self, errors: Sequence[Mapping[str, Any]], concern: Any) -> None:
        texts = [str(each.get("errmsg", "")) for each in errors]
        skippable = all(each.get("code") in SKIPPABLE for each in errors)
        if concern is not None:
            texts.append(f"write concern: {concern.get('errmsg', concern)}")
        elif not texts:
            return
        elif skippable and not self._target.stop_on_error:
            for text in texts:
                self._log(f"continuing through error: {text}")
            return
        raise TransferFailedError(f"bulk write exception: write errors: [{', '.join(texts)}]")


def _first_too_large(ends: Sequence[int], start: int) -> int | None:
    if ends[-1] - start <= MAX_DOCUMENT_BYTES:
        return None
    for index, end in enumerate(ends):
        if end - start > MAX_DOCUMENT_BYTES:
            return index
        start = end
    return None


def _too_large(size: int) -> TransferFailedError:
    return TransferFailedError(
        f"an inserted document is too large: {size} bytes, a document has at most "
        f"{MAX_DOCUMENT_BYTES}",
        hint="an array of documents in one file needs --jsonArray",
    )

"""Batches in flight: one reader prepares them, `workers` threads store them, neither far ahead of the other."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog

from etl.errors import SourceError
from etl.staging.batch.preparation import Rules, prepare
from etl.staging.batch.records import PreparedBatch, RawBatch
from etl.staging.batch.store import BatchStore
from etl.staging.sources.base import Source

AHEAD = 2
"""Prepared batches that may wait for each worker: enough to keep it busy, and all that memory has to hold."""

IN_FLIGHT_BYTES = 128 * 1024 * 1024
"""And whatever the number of workers, no more than so many bytes; a larger batch goes alone."""

TURN_SECONDS = 0.0005
"""How long a thread computes while another wants to; Python's own 5 ms are as long as preparing a batch takes."""


log = structlog.get_logger(__name__)


@dataclass
class Engine:
    """`stop` ends the run after the batches in flight, those that workers are storing; what waits for a worker is not
    begun. `stopped_by` says why it was set here."""

    store: BatchStore
    rules: Rules
    workers: int
    source: Source
    refuse: Callable[[PreparedBatch], str | None]
    stop: threading.Event
    stopped_by: str | None = field(default=None, init=False)

    def run(self, batches: Iterable[RawBatch]) -> bool:
        """Whether all were handed out. Raises what is no single batch's fault: the source's error, or the ledger's."""
        room = _Room(self.workers * (1 + AHEAD), IN_FLIGHT_BYTES)
        failed: list[BaseException] = []

        def done(size_bytes: int, future: Future[None]) -> None:
            room.leave(size_bytes)
            error = future.exception()
            if error is not None:
                failed.append(error)
                self.stop.set()

        with _short_turns(), ThreadPoolExecutor(self.workers, thread_name_prefix="batch") as pool:

            def hand_out(prepared: PreparedBatch, raw: RawBatch) -> None:
                pool.submit(self._store, prepared, raw).add_done_callback(partial(done, prepared.size_bytes))

            try:
                is_complete = self._hand_out_all(batches, room, hand_out)
            except KeyboardInterrupt:  # the pool waits for its workers before it goes on
                self.stop.set()
                raise
        if failed:
            raise failed[0]
        return is_complete

    def _hand_out_all(
        self, batches: Iterable[RawBatch], room: _Room, hand_out: Callable[[PreparedBatch, RawBatch], None]
    ) -> bool:
        for raw in batches:
            prepared = prepare(raw, self.rules)
            self.store.get_ready(prepared)
            room.enter(prepared.size_bytes)
            if not self._may_go_on(prepared):
                return False
            hand_out(prepared, raw)
        return True

    def _may_go_on(self, prepared: PreparedBatch) -> bool:
        if not self.stop.is_set():
            self.stopped_by = self.refuse(prepared)
        if self.stopped_by:
            self.stop.set()
        return not self.stop.is_set()

    def _store(self, prepared: PreparedBatch, raw: RawBatch) -> None:
        if self.stop.is_set():
            return
        if not self.store.store(prepared, lambda ordinal: self.source.locate(raw, ordinal)):
            return
        try:
            self.source.forget(raw.index)
        except SourceError as error:  # what is kept in vain harms nothing
            log.warning("spool file left behind", batch=raw.index, error=error.message)


class _Room:
    """For so many batches and so many bytes of them; one alone finds room whatever its size."""

    def __init__(self, batches: int, size_bytes: int) -> None:
        self._batches, self._bytes = batches, size_bytes
        self._held, self._held_bytes = 0, 0
        self._changed = threading.Condition()

    def enter(self, size_bytes: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._has_room(size_bytes))
            self._held += 1
            self._held_bytes += size_bytes

    def leave(self, size_bytes: int) -> None:
        with self._changed:
            self._held -= 1
            self._held_bytes -= size_bytes
            self._changed.notify()

    def _has_room(self, size_bytes: int) -> bool:
        return self._held < self._batches and self._held_bytes + size_bytes <= self._bytes


@contextmanager
def _short_turns() -> Iterator[None]:
    """A server that waits for its next word does not wait until the reader has prepared a whole batch."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)

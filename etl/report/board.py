"""What stands where in a run right now: written by many threads, read by the display."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from etl.config.destinations.registry import in_order
from etl.model import Destination, LoadResult, LoadStatus

RECENT = 6


@dataclass(frozen=True)
class Line:
    """One load on the display, or the upkeep of its target; `status` is None while it runs. `rows` were read for it."""

    table: str
    destination: Destination
    rows: int
    seconds: float
    status: LoadStatus | None = None
    doing: str = "loading"


@dataclass(frozen=True)
class Total:
    """One destination: loads planned and done, rows written."""

    destination: Destination
    planned: int
    done: int
    failed: int
    rows: int


@dataclass(frozen=True)
class View:
    """The board at one moment: `recent` has the latest last."""

    run_id: str
    seconds: float
    rows_extracted: int
    active: tuple[Line, ...]
    recent: tuple[Line, ...]
    totals: tuple[Total, ...]


class Board:
    """Every method may be called by any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._run_id = ""
        self._started_at = time.monotonic()
        self._planned: dict[Destination, int] = {}
        self._extracted = 0
        self._active: dict[tuple[str, Destination], tuple[int, float]] = {}
        self._maintained: dict[tuple[str, Destination], float] = {}
        self._written: dict[Destination, int] = {}
        self._recent: deque[Line] = deque(maxlen=RECENT)
        self._done: dict[Destination, list[LoadStatus]] = {}

    def start_run(self, run_id: str, loads: Iterable[tuple[str, Destination]]) -> None:
        with self._guard:
            self._run_id = run_id
            self._started_at = time.monotonic()
            for _, destination in loads:
                self._planned[destination] = self._planned.get(destination, 0) + 1

    def extract(self, rows: int) -> None:
        with self._guard:
            self._extracted += rows

    def start_load(self, table: str, destination: Destination, rows_read: int) -> None:
        with self._guard:
            self._active[table, destination] = (rows_read, time.monotonic())

    def finish_load(self, result: LoadResult, rows_read: int) -> None:
        with self._guard:
            written = result.rows_inserted + result.rows_updated
            self._written[result.destination] = self._written.get(result.destination, 0) + written
            self._end(result.table_name, result.destination, result.status, rows_read)

    def fail_load(self, table: str, destination: Destination) -> None:
        with self._guard:
            self._end(table, destination, LoadStatus.FAILED)

    def start_maintenance(self, table: str, destination: Destination) -> None:
        with self._guard:
            self._maintained[table, destination] = time.monotonic()

    def end_maintenance(self, table: str, destination: Destination) -> None:
        with self._guard:
            self._maintained.pop((table, destination), None)

    def view(self) -> View:
        with self._guard:
            now = time.monotonic()
            active = tuple(
                Line(table, destination, rows_read, now - started_at)
                for (table, destination), (rows_read, started_at) in self._active.items()
            )
            active += tuple(
                Line(table, destination, 0, now - started_at, doing="maintaining")
                for (table, destination), started_at in self._maintained.items()
            )
            totals = tuple(self._total(destination) for destination in in_order(self._planned))
            return View(self._run_id, now - self._started_at, self._extracted, active, tuple(self._recent), totals)

    def _end(self, table: str, destination: Destination, status: LoadStatus, rows_read: int = 0) -> None:
        now = time.monotonic()
        # a load may end without having been started: unchanged, or failed in its extraction
        rows_started, started_at = self._active.pop((table, destination), (0, now))
        self._recent.append(Line(table, destination, rows_read or rows_started, now - started_at, status))
        self._done.setdefault(destination, []).append(status)

    def _total(self, destination: Destination) -> Total:
        done = self._done.get(destination, [])
        failed = done.count(LoadStatus.FAILED)
        return Total(destination, self._planned[destination], len(done), failed, self._written.get(destination, 0))

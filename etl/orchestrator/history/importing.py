"""Imports a log, chunk by chunk: each is committed whole, with the line of each run in its event. A second time adds
nothing, so that what was ended in the middle is simply begun again."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import structlog

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.files.writing import whole
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.history.records import KNOWN, RejectedError, Runs
from etl.orchestrator.history.rows import Row, rows_of
from etl.retrying import retrying

CHUNK = 10_000
RETRIES, RETRY_FOR_SECONDS = 5, 60
_CHUNK_SECONDS = 600.0

Progress = Callable[["ImportReport"], None]

log = structlog.get_logger(__name__)


@dataclass
class ImportReport:
    """read = imported + already_there + rejected. Rows that say the same, or have one correlation id, are one run."""

    file: str
    read: int = 0
    imported: int = 0
    already_there: int = 0
    rejected: int = 0
    reject_file: str | None = None
    seconds: float = 0.0


def import_history(
    database: OrchestratorDatabase,
    path: Path,
    *,
    reject_file: Path | None = None,
    chunk: int = CHUNK,
    progress: Progress | None = None,
) -> ImportReport:
    """Rejected rows go to `reject_file` (default: beside the log), a JSON object a line, if there are any."""
    report = ImportReport(str(path))
    began = time.monotonic()
    runs = _runs(database)
    rows = rows_of(path)
    with ExitStack() as stack:
        rejects = _Rejects(reject_file or path.with_name(f"{path.name}.rejects.jsonl"), stack)
        unknown: set[str] = set()
        writer = _Writer(database, path.name, stack)
        while part := list(islice(rows, chunk)):
            good = list(_good(part, runs, rejects, unknown))
            writer.write(good)
            report.read += len(part)
            report.rejected = rejects.count
            report.imported, report.already_there = writer.imported, writer.already_there
            if progress:
                progress(report)
        writer.wait()
        report.imported, report.already_there = writer.imported, writer.already_there
        report.seconds = time.monotonic() - began
        if unknown:
            log.warning("columns_not_imported", file=str(path), columns=sorted(unknown))
    report.reject_file = str(rejects.path) if rejects.count else None
    return report


def _runs(database: OrchestratorDatabase) -> Runs:
    jobs = {row["slug"]: row["job_id"] for row in database.at_once("job_numbers")}
    if not jobs:
        raise UsageError(f"there are no jobs to import runs of; run `{etl_as_typed()} orchestrator migrate`")
    return Runs(jobs)


def _good(part: Sequence[Row], runs: Runs, rejects: _Rejects, unknown: set[str]) -> Iterator[tuple[Any, ...]]:
    for row in part:
        if row.fault:
            rejects.add(row, row.fault)
            continue
        unknown |= row.values.keys() - KNOWN
        try:
            yield runs.run(row.line, row.values)
        except RejectedError as error:
            rejects.add(row, str(error))


class _Writer:
    """Writes a chunk while the next is read."""

    def __init__(self, database: OrchestratorDatabase, file: str, stack: ExitStack) -> None:
        self.imported = 0
        self.already_there = 0
        self._database = database
        self._file = file
        self._thread = stack.enter_context(ThreadPoolExecutor(1))
        self._under_way: Future[tuple[int, int]] | None = None

    def write(self, runs: Sequence[tuple[Any, ...]]) -> None:
        """Returns when the chunk before it is committed."""
        self.wait()
        if runs:
            # a chunk that was committed, although nobody heard of it, is already there
            again = retrying(RETRIES, RETRY_FOR_SECONDS, "import_tries_again", file=self._file)
            self._under_way = self._thread.submit(again, _write, self._database, self._file, runs)

    def wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            given, made = under_way.result()
            self.imported += made
            self.already_there += given - made


def _write(database: OrchestratorDatabase, file: str, runs: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    """How many it was given, and how many it made."""
    text = io.StringIO()
    csv.writer(text).writerows(runs)
    text.seek(0)
    with database.transaction("import runs", statement_timeout_seconds=_CHUNK_SECONDS) as cursor:
        cursor.execute(statement("create_imported"))
        cursor.copy_expert(statement("copy_imported"), text)
        cursor.execute(statement("add_imported"), {"file": file})
        return len(runs), dict(cursor.fetchone() or {})["imported"]


class _Rejects:
    """The file appears whole at the end, and only where something is in it."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.count = 0
        self._stack = stack
        self._file: BinaryIO | None = None

    def add(self, row: Row, reason: str) -> None:
        if self._file is None:
            self._file = self._stack.enter_context(whole(self.path))
        self.count += 1
        told = {"line": row.line, "reason": reason, "row": row.values}
        self._file.write(orjson.dumps(told, default=str, option=orjson.OPT_PASSTHROUGH_SUBCLASS) + b"\n")

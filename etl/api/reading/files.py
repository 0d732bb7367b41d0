"""What the downloads of a run hold, a page at a time: memory is the same for ten records and for ten million."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from etl.api.downloads import JsonText, Pages, Record
from etl.api.problems import ProblemError
from etl.api.reading.batches import FIELDS, lines_of, read_batches
from etl.api.reading.ledger import Look, Row, looking
from etl.api.reading.runs import run_row, unknown_run
from etl.staging.database.database import StagingDatabase
from etl.statements.quoting import postgresql_identifier

ReadPage = Callable[[Look, int], Sequence[Row]]
"""The page after this key; a shorter one is the last."""

METRICS = FIELDS
REJECTS = ("ordinal", "batch_index", "source_position", "reason", "message", "record")
INVALID = ("source_id", "validation_errors", "data")

_OF_OPERATORS = {"requested_from", "output_tail"}
_PAGE = 1000
_RECORDS = 100
_PAGE_BYTES = 1024 * 1024
_PATIENCE = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
"""With a reader who takes nothing any more."""


def logs(database: StagingDatabase, run_id: str, *, is_for_operator: bool) -> Pages:
    """What was asked and what became of it, then the log of each batch. Addresses, and what a load's process said, are
    for operators."""
    with looking(database, "read the run's log") as look:
        row = _run(look, run_id)
        requests = look.rows("page_run_log", run_id=run_id)
    if not is_for_operator:
        requests = [{key: each[key] for key in each if key not in _OF_OPERATORS} for each in requests]
    yield list(_of_run(row, requests))
    for page in _pages(database, "batch_index", _named("page_batch_logs", run_id)):
        yield [
            {"batch_index": each["batch_index"], "attempt": None, **entry}
            for each in page
            for entry in each["logs_fragment"]
        ]


def metrics(database: StagingDatabase, run_id: str) -> Pages:
    """A line a batch."""
    with looking(database, "read the run") as look:
        _run(look, run_id)
    yield from _pages(
        database, "index", lambda look, after: lines_of(read_batches(look, run_id, after=after, limit=_PAGE))
    )


def rejects(database: StagingDatabase, run_id: str) -> Pages:
    """In the order of the input."""
    with looking(database, "read the run") as look:
        _run(look, run_id)
    yield from _pages(database, "ordinal", _named("rejects_of_run", run_id))


def invalid_records(database: StagingDatabase, run_id: str) -> Pages:
    """Those that stand in the table as this run stored them, from one snapshot of it. The more they hold, the fewer at
    a time."""
    with looking(database, "read invalid records") as look:
        table = _run(look, run_id)["target_table"]
        if not look.one("page_table", table=table)["has_invalid"]:
            raise ProblemError(404, "table_missing", f"table {table} is gone, or was never one of the staging loader's")
        look.execute(_PATIENCE)
        look.execute(
            "DECLARE invalid NO SCROLL CURSOR FOR SELECT source_id, validation_errors::text, data::text "
            f"FROM {postgresql_identifier(table)} WHERE etl_run_id = %(run_id)s AND NOT is_valid",
            run_id=run_id,
        )
        count = 1
        while rows := look.fetch(f"FETCH {count:d} FROM invalid"):
            yield [
                {"source_id": source_id, "validation_errors": JsonText(errors), "data": JsonText(data)}
                for source_id, errors, data in rows
            ]
            size = sum(len(data) for _, _, data in rows)
            count = min(2 * count, _RECORDS) if size < _PAGE_BYTES else max(1, count // 2)


def _run(look: Look, run_id: str) -> Row:
    row = run_row(look, run_id)
    if row is None:
        raise unknown_run(run_id)
    return row


def _named(name: str, run_id: str) -> ReadPage:
    return lambda look, after: look.rows(name, run_id=run_id, after=after, limit=_PAGE)


def _pages(database: StagingDatabase, key: str, read: ReadPage) -> Iterator[Sequence[Row]]:
    """In the order of `key`, each in a transaction of its own."""
    after = -1
    while True:
        with looking(database, "read a page") as look:
            page = read(look, after)
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1][key]


def _of_run(row: Row, requests: Sequence[Row]) -> Iterator[Record]:
    """In the order of time."""
    entries = [
        _entry(row["created_at"], "info", "run created", {"job": row["etl_job_id"], "table": row["target_table"]})
    ]
    for request in requests:
        detail = {key: value for key, value in request.items() if value is not None}
        level = "warning" if request["refusal"] else "info"
        entries.append(_entry(request["requested_at"], level, f"{request['action']} requested", detail))
    for at, event in (("started_at", "run started"), ("resumed_at", "run resumed")):
        if row[at]:
            entries.append(_entry(row[at], "info", event, {"host": row["host"], "process_id": row["process_id"]}))
    if row["cancelled_at"]:
        entries.append(_entry(row["cancelled_at"], "warning", "run canceled", {"by": row["cancelled_by"]}))
    if row["finished_at"]:
        level = "info" if row["status"] == "success" else "error"
        detail = {"status": row["status"], "failure": row["failure"]}
        entries.append(_entry(row["finished_at"], level, "run finished", detail))
    yield from sorted(entries, key=lambda entry: entry["at"])


def _entry(at: Any, level: str, event: str, detail: Record) -> Record:
    return {"batch_index": None, "attempt": None, "at": at, "level": level, "event": event, "detail": detail}

"""Loads and watermarks: one function a step of a load, on a cursor of the caller's transaction."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from psycopg2.extras import Json

from etl.errors import LockedError, ReconciliationError, TerminalError, ValidationError
from etl.ledger.runs import GRACE_SECONDS
from etl.ledger.statements import statement
from etl.ledger.values import LoadPlan, LoadRecord, LoadState, Watermark
from etl.model import ColumnDefinition, Destination, LoadResult, WriteMode
from etl.redaction import redact

LONGEST_TRACE = 20_000


def plan(cursor: Any, run_id: str, table_name: str, destination: Destination) -> None:
    cursor.execute(statement("plan_load"), _key(run_id, table_name, destination))


def begin(cursor: Any, run_id: str, load: LoadPlan, configuration: Mapping[str, Any]) -> None:
    key = _key(run_id, load.table_name, load.destination)
    cursor.execute(statement("interrupt_dead_loads"), key | {"grace_seconds": GRACE_SECONDS})
    cursor.execute(statement("running_load"), key)
    holder = cursor.fetchone()
    if holder is not None and holder["run_id"] != run_id:
        raise _locked(load.table_name, load.destination, holder["run_id"])
    cursor.execute(
        statement("begin_load"),
        key
        | {
            "target": load.target,
            "mode": str(load.mode),
            "configuration": Json(configuration),
            "rows_read": load.rows_read,
            "rows_rejected": load.rows_rejected,
            "rows_deduplicated": load.rows_deduplicated,
            "rows_filtered": load.rows_filtered,
            "next_watermark": load.next_watermark,
            "next_fingerprint": load.next_fingerprint,
            "next_tail": load.next_tail,
            "config_hash": load.config_hash,
            "files_read": load.files_read,
            "files_skipped": [_storable(skipped) for skipped in load.files_skipped],
            "notes": list(load.notes),
            "next_columns": None
            if load.next_columns is None
            else Json([asdict(column) for column in load.next_columns]),
            "rows_trimmed": load.rows_trimmed,
            "next_snapshot": load.next_snapshot,
        },
    )
    if cursor.fetchone() is None:
        raise TerminalError(
            f"{load.table_name} into {load.destination}: expected to begin this load in run {run_id}, but the run has"
            " ended (or was declared dead) or the load is published already; start again with --resume",
            table=load.table_name,
            destination=load.destination,
        )


def complete(cursor: Any, run_id: str, result: LoadResult) -> None:
    """One statement; where it finds nothing to complete, says why."""
    cursor.execute(
        statement("complete_load"),
        _key(run_id, result.table_name, result.destination)
        | {
            "status": str(result.status),
            "target": result.target,
            "rows_inserted": result.rows_inserted,
            "rows_updated": result.rows_updated,
            "rows_unchanged": result.rows_unchanged,
            "rows_skipped": result.rows_skipped,
            "rows_rejected": result.rows_rejected,
            "rows_accounted": result.accounted,
            "rows_deleted": result.rows_deleted,
            "rows_kept": result.rows_kept,
            "notes": list(result.notes),
            "bytes_written": result.bytes_written,
            "seconds": result.seconds,
            "skipped_reason": result.skipped_reason,
        },
    )
    if cursor.fetchone() is None:
        _explain_refusal(cursor, run_id, result)


def fail(cursor: Any, run_id: str, table_name: str, destination: Destination, failure: dict[str, Any]) -> bool:
    key = _key(run_id, table_name, destination)
    cursor.execute(statement("fail_load"), key | failure)
    has_failed = cursor.fetchone() is not None
    if failure["is_published_wrong"]:
        cursor.execute(statement("forget_watermark"), key)
    return has_failed


def describe_failure(error: BaseException, secrets: frozenset[str]) -> dict[str, Any]:
    """Class, message and stack trace (its end, where it is long) as text that PostgreSQL takes, without secrets."""
    trace = "".join(traceback.format_exception(error))
    return {
        "error_class": type(error).__name__,
        "error_message": _storable(redact(str(error) or type(error).__name__, secrets)),
        "stack_trace": _storable(redact(trace, secrets))[-LONGEST_TRACE:],
        "is_published_wrong": isinstance(error, ValidationError),
    }


def list_loads(cursor: Any, run_id: str) -> list[LoadRecord]:
    cursor.execute(statement("loads"), {"run_id": run_id})
    return [_record(row) for row in cursor.fetchall()]


def find_load(cursor: Any, run_id: str, table_name: str, destination: Destination) -> LoadRecord | None:
    cursor.execute(statement("load"), _key(run_id, table_name, destination))
    row = cursor.fetchone()
    return None if row is None else _record(row)


def list_watermarks(cursor: Any) -> list[Watermark]:
    cursor.execute(statement("watermarks"))
    return [_watermark(row) for row in cursor.fetchall()]


def find_watermark(cursor: Any, table_name: str, destination: Destination) -> Watermark | None:
    cursor.execute(statement("watermark"), {"table_name": table_name, "destination": str(destination)})
    row = cursor.fetchone()
    return None if row is None else _watermark(row)


def _explain_refusal(cursor: Any, run_id: str, result: LoadResult) -> None:
    """Returns only where the very same completion stands already: its first answer was lost."""
    where = f"{result.table_name} into {result.destination}, run {run_id}"
    record = find_load(cursor, run_id, result.table_name, result.destination)
    facts = {"table": result.table_name, "destination": str(result.destination)}
    if record is None:
        raise TerminalError(f"{where}: expected a load that was begun, found none; call begin_load first", **facts)
    if record.status.is_published and _is_same(record, result):
        return
    if record.status is not LoadState.RUNNING:
        raise LockedError(
            f"{where}: expected a running load, found it {record.status}"
            f" ({record.error_message or 'published with other counts'}); nothing was published by this call,"
            " resume the run",
            **facts,
        )
    cursor.execute(statement("lease_holder"), _key(run_id, result.table_name, result.destination))
    holder = cursor.fetchone()
    if holder is not None and holder["run_id"] != run_id:
        raise _locked(result.table_name, result.destination, holder["run_id"])
    raise ReconciliationError(f"{where}: {_imbalance(record, result)}", **facts)


def _imbalance(record: LoadRecord, result: LoadResult) -> str:
    accounted = result.accounted + record.rows_filtered + record.rows_rejected + record.rows_deduplicated
    skipped, rejected = result.rows_skipped + record.rows_filtered, result.rows_rejected + record.rows_rejected
    return (
        f"expected {record.rows_read} rows read, found {accounted} accounted for"
        f" (inserted {result.rows_inserted}, updated {result.rows_updated}, unchanged {result.rows_unchanged},"
        f" skipped {skipped}, rejected {rejected}, deduplicated {record.rows_deduplicated});"
        " the load is not recorded as done"
    )


def _is_same(record: LoadRecord, result: LoadResult) -> bool:
    return (record.rows_inserted, record.rows_updated, record.rows_unchanged, record.rows_deleted) == (
        result.rows_inserted,
        result.rows_updated,
        result.rows_unchanged,
        result.rows_deleted,
    )


def _locked(table_name: str, destination: Destination, holder: str) -> LockedError:
    return LockedError(
        f"{table_name} into {destination}: expected to be alone, but run {holder} is loading it;"
        " wait until that run has finished, or stop it",
        table=table_name,
        destination=str(destination),
    )


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL, and UTF-8 no lone surrogates."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _key(run_id: str, table_name: str, destination: Destination) -> dict[str, Any]:
    return {"run_id": run_id, "table_name": table_name, "destination": str(destination)}


def _record(row: Mapping[str, Any]) -> LoadRecord:
    facts = dict(row)
    facts["destination"] = Destination(facts["destination"])
    facts["status"] = LoadState(facts["status"])
    facts["files_skipped"] = tuple(facts["files_skipped"])
    facts["mode"] = WriteMode(facts["mode"]) if facts["mode"] else None
    facts["notes"] = tuple(facts["notes"])
    facts["next_columns"] = _columns(facts["next_columns"])
    return LoadRecord(**facts)


def _watermark(row: Mapping[str, Any]) -> Watermark:
    known = {"destination": Destination(row["destination"]), "columns": _columns(row.get("columns"))}
    return Watermark(**{**row, **known})


def _columns(stored: list[dict[str, Any]] | None) -> tuple[ColumnDefinition, ...] | None:
    return None if stored is None else tuple(ColumnDefinition(**column) for column in stored)

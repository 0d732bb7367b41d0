"""One batch, one transaction: the rows, the rejects and the batch's own entry in the ledger commit together.

So a lost answer to COMMIT doubles nothing: the batch's entry says whether it was stored. Nothing outlives the
transaction, and no statement is prepared: PgBouncer in transaction mode serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from psycopg2.extensions import cursor as Cursor

from etl.staging.records import RUN_POSITIONS, PreparedBatch
from etl.statements.staging import StagingTable, count_unchanged, find_changed, find_superseded, upsert_batch


@dataclass(frozen=True)
class Target:
    """Where a run's batches go. `compares` asks for stored digests first: worth it where rows stand already.

    `is_empty`: no row stood when the run began.
    """

    table: StagingTable
    job_id: str
    run_id: str
    run_number: int
    skip_unchanged: bool = False
    compares: bool = False
    is_empty: bool = False


@dataclass(frozen=True)
class Stored:
    """What a batch did to the table; with rejects and duplicates it adds up to the records attempted.

    `superseded`: places of the invalid records that were not stored, since a newer one of their source_id stands.
    """

    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_deduplicated: int
    superseded: frozenset[int] = frozenset()


def store_rows(cursor: Cursor, target: Target, batch: PreparedBatch) -> Stored:
    """Inside the caller's transaction."""
    chosen: Sequence[int] = range(len(batch.source_ids))
    if target.compares and target.skip_unchanged and target.table.has_hash_digest:
        chosen = _changed(cursor, target, batch)
    skipped = len(batch.source_ids) - len(chosen)
    if not chosen:
        return Stored(0, 0, skipped, batch.rows_deduplicated)
    parameters = _parameters(target, batch, chosen)
    cursor.execute(upsert_batch(target.table, skip_unchanged=target.skip_unchanged), parameters)
    inserted, updated = _row(cursor)
    left_alone = len(chosen) - inserted - updated
    unchanged = 0
    if left_alone and target.skip_unchanged:
        cursor.execute(count_unchanged(target.table), parameters)
        (unchanged,) = _row(cursor)
    # what was left alone and is not equal is older than what stands
    older = left_alone - unchanged
    superseded = _superseded(cursor, target, batch, parameters) if older and parameters["errors"] else frozenset()
    return Stored(inserted, updated, skipped + unchanged, batch.rows_deduplicated + older, superseded)


def without_rows(batch: PreparedBatch, places: Set[int]) -> PreparedBatch:
    """The batch less some of its rows; the caller accounts for them."""
    kept = [place for place in range(len(batch.source_ids)) if place not in places]
    errors = [batch.errors[place] for place in kept]
    return replace(
        batch,
        source_ids=[batch.source_ids[place] for place in kept],
        documents=[batch.documents[place] for place in kept],
        ordinals=[batch.ordinals[place] for place in kept],
        source_updated_at=[batch.source_updated_at[place] for place in kept],
        hash_digests=[batch.hash_digests[place] for place in kept],
        errors=errors,
        lines=None,
        rows_invalid=sum(error is not None for error in errors),
    )


def _changed(cursor: Cursor, target: Target, batch: PreparedBatch) -> list[int]:
    """Places of the rows whose stored digest differs, or that do not stand yet."""
    cursor.execute(
        find_changed(target.table),
        {"source_ids": text_array(batch.source_ids), "hash_digests": _plain_array(batch.hash_digests)},
    )
    return sorted(place for (place,) in cursor.fetchall())


def _superseded(cursor: Cursor, target: Target, batch: PreparedBatch, parameters: dict[str, Any]) -> frozenset[int]:
    cursor.execute(find_superseded(target.table, skip_unchanged=target.skip_unchanged), parameters)
    found = {row[0] for row in cursor.fetchall()}
    return frozenset(place for place, source_id in enumerate(batch.source_ids) if source_id in found)


def _parameters(target: Target, batch: PreparedBatch, chosen: Sequence[int]) -> dict[str, Any]:
    def of(column: list[Any]) -> list[Any]:
        return column if len(chosen) == len(column) else [column[place] for place in chosen]

    first = target.run_number * RUN_POSITIONS
    errors, instants = of(batch.errors), of(batch.source_updated_at)
    return {
        "job_id": target.job_id,
        "run_id": target.run_id,
        "source_ids": text_array(of(batch.source_ids)),
        "documents": b"\n".join(of(batch.documents)).decode(),
        "positions": _plain_array([str(first + ordinal) for ordinal in of(batch.ordinals)]),
        "errors": _json_array(errors) if any(errors) else None,
        "source_updated_at": instant_array(instants) if any(instants) else None,
        "hash_digests": _plain_array(of(batch.hash_digests)) if target.table.has_hash_digest else None,
    }


def text_array(texts: Sequence[str]) -> str:
    """An array literal of any texts without NUL; NUL separates them while all are escaped at once."""
    if not texts:
        return "{}"
    escaped = "\0".join(texts).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{escaped}"}}'


def _json_array(documents: Iterable[bytes | None]) -> str:
    quoted = (
        '"' + each.decode().replace("\\", "\\\\").replace('"', '\\"') + '"' if each else "NULL" for each in documents
    )
    return "{" + ",".join(quoted) + "}"


def instant_array(instants: Sequence[datetime | None]) -> str:
    """As ISO 8601."""
    # orjson is ten times faster, and knows no offset's seconds
    if all(each is None or each.tzinfo is UTC for each in instants):
        return "{" + orjson.dumps(instants)[1:-1].decode() + "}"
    return _plain_array([each.isoformat() if each else "NULL" for each in instants])


def _plain_array(values: Sequence[str]) -> str:
    """Of what needs no quotes: numbers, digests, instants."""
    return "{" + ",".join(values) + "}"


def _row(cursor: Cursor) -> tuple[int, ...]:
    (row,) = cursor.fetchall()
    return tuple(row)

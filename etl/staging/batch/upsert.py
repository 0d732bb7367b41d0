"""One batch, one transaction: the rows, the rejects and the batch's own entry in the ledger commit together.

So a lost answer to COMMIT doubles nothing: the batch's entry says whether it was stored. Nothing outlives the
transaction, and no statement is prepared: PgBouncer in transaction mode serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from psycopg2.extensions import cursor as Cursor

from etl.staging.batch.records import RUN_POSITIONS, PreparedBatch
from etl.statements.staging.tables import StagingTable, count_unchanged, find_changed, find_superseded, upsert_batch

STATEMENT_BYTES = 64 * 1024 * 1024
"""Of documents in one statement: PostgreSQL takes none of a gigabyte, to which quoting may add as much again."""


ASKING_PAYS_FROM = 0.3
"""Share of unchanged records. Asking for a row's digest costs a third of what it costs to find out in the upsert, which
locks the row; asking for one that has changed is cost on top."""


class Expectation:
    """How many of a batch's records are unchanged: as many as in the last one. The workers of a run share it."""

    def __init__(self) -> None:
        self.unchanged_share = 1.0

    def learn(self, rows: int, unchanged: int) -> None:
        if rows:
            self.unchanged_share = unchanged / rows


@dataclass(frozen=True)
class Target:
    """Where a run's batches go. `compares` asks for stored digests first, while that is worth it.

    `is_empty`: no row stood when the run began.
    """

    table: StagingTable
    job_id: str
    run_id: str
    run_number: int
    skip_unchanged: bool = False
    compares: bool = False
    is_empty: bool = False
    source_updated_at_path: str | None = None
    expectation: Expectation = field(default_factory=Expectation, compare=False)

    @property
    def asks_first(self) -> bool:
        is_possible = self.compares and self.skip_unchanged and self.table.has_hash_digest
        return is_possible and self.expectation.unchanged_share >= ASKING_PAYS_FROM

    @property
    def time_fault(self) -> str | None:
        """What the errors of a record contain whose time cannot be read."""
        path = self.source_updated_at_path
        return orjson.dumps([{"path": path}]).decode() if path else None


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

    @property
    def counts(self) -> dict[str, int]:
        """By the names that ledger, logs and reports have for them."""
        return {
            "rows_inserted": self.rows_inserted,
            "rows_updated": self.rows_updated,
            "rows_unchanged": self.rows_unchanged,
            "rows_deduplicated": self.rows_deduplicated,
        }

    def __add__(self, other: Stored) -> Stored:
        return Stored(
            self.rows_inserted + other.rows_inserted,
            self.rows_updated + other.rows_updated,
            self.rows_unchanged + other.rows_unchanged,
            self.rows_deduplicated + other.rows_deduplicated,
            self.superseded | other.superseded,
        )


def store_rows(cursor: Cursor, target: Target, batch: PreparedBatch) -> Stored:
    """Inside the caller's transaction."""
    rows = len(batch.source_ids)
    chosen: Sequence[int] = _changed(cursor, target, batch) if target.asks_first else range(rows)
    stored = Stored(0, 0, rows - len(chosen), batch.rows_deduplicated)
    for piece in pieces(batch, chosen):
        stored += _upsert(cursor, target, batch, piece)
    target.expectation.learn(rows, stored.rows_unchanged)
    return stored


def pieces(batch: PreparedBatch, chosen: Sequence[int]) -> list[Sequence[int]]:
    """What one statement takes at once. Mostly all, since batches are cut by bytes when they are read; those of one
    that was not are in the order of their keys, as the rows of each are locked."""
    if fits_a_statement(batch, chosen):
        return [chosen] if chosen else []
    cut, held_bytes = [list[int]()], 0
    for place in sorted(chosen, key=batch.source_ids.__getitem__):
        if cut[-1] and held_bytes + len(batch.documents[place]) > STATEMENT_BYTES:
            cut.append([])
            held_bytes = 0
        cut[-1].append(place)
        held_bytes += len(batch.documents[place])
    return list(cut)


def fits_a_statement(batch: PreparedBatch, chosen: Sequence[int]) -> bool:
    return sum(len(batch.documents[place]) for place in chosen) <= STATEMENT_BYTES


def _upsert(cursor: Cursor, target: Target, batch: PreparedBatch, chosen: Sequence[int]) -> Stored:
    is_whole = len(chosen) == len(batch.source_ids)
    parameters = batch.parameters if is_whole and batch.parameters else upsert_parameters(target, batch, chosen)
    has_time_fault = target.time_fault is not None
    text = upsert_batch(target.table, skip_unchanged=target.skip_unchanged, has_time_fault=has_time_fault)
    cursor.execute(text, parameters)
    inserted, updated = _row(cursor)
    left_alone = len(chosen) - inserted - updated
    unchanged = 0
    if left_alone and target.skip_unchanged:
        cursor.execute(count_unchanged(target.table), parameters)
        (unchanged,) = _row(cursor)
    # what was left alone and is not equal is older than what stands
    older = left_alone - unchanged
    superseded = _superseded(cursor, target, batch, parameters) if older and parameters["errors"] else frozenset()
    return Stored(inserted, updated, unchanged, older, superseded)


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
        parameters=None,
        rows_invalid=sum(error is not None for error in errors),
    )


def _changed(cursor: Cursor, target: Target, batch: PreparedBatch) -> list[int]:
    """Places of the rows whose stored digest differs, or that do not stand yet."""
    instants = batch.source_updated_at
    cursor.execute(
        find_changed(target.table),
        {
            "source_ids": text_array(batch.source_ids),
            "hash_digests": _plain_array(batch.hash_digests),
            "source_updated_at": instant_array(instants) if any(instants) else None,
        },
    )
    return sorted(place for (place,) in cursor.fetchall())


def _superseded(cursor: Cursor, target: Target, batch: PreparedBatch, parameters: dict[str, Any]) -> frozenset[int]:
    cursor.execute(find_superseded(target.table, skip_unchanged=target.skip_unchanged), parameters)
    found = {row[0] for row in cursor.fetchall()}
    return frozenset(place for place, source_id in enumerate(batch.source_ids) if source_id in found)


def upsert_parameters(target: Target, batch: PreparedBatch, chosen: Sequence[int]) -> dict[str, Any]:
    """Of one statement; `chosen` holds each place at most once."""

    def of(column: list[Any]) -> list[Any]:
        return column if len(chosen) == len(column) else [column[place] for place in chosen]

    first = target.run_number * RUN_POSITIONS
    errors, instants = of(batch.errors), of(batch.source_updated_at)
    return {
        "job_id": target.job_id,
        "run_id": target.run_id,
        "time_fault": target.time_fault,
        "source_ids": text_array(of(batch.source_ids)),
        "documents": b"\n".join(of(batch.documents)).decode(),
        "positions": _plain_array([str(first + ordinal) for ordinal in of(batch.ordinals)]),
        "errors": _json_array(errors) if any(errors) else None,
        "source_updated_at": instant_array(instants) if any(instants) else None,
        "hash_digests": ",".join(of(batch.hash_digests)) if target.table.has_hash_digest else None,
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

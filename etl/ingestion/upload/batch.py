"""One batch, one transaction: its rows and its entry in the manifest, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg

from etl.errors import DuplicateKeyError, StoreError
from etl.ingestion.database.connection import Connection, UploadStoreError, door, transaction
from etl.ingestion.database.target import TargetTable
from etl.ingestion.model import Batch, BatchCounts, Reject
from etl.ingestion.upload.copy import copy_batch
from etl.ingestion.upload.manifest import Load, record_batch, record_rejects, recorded_batch
from etl.ingestion.upload.plan import WritePlan
from etl.ingestion.upload.temporary_table import Staging, loosened, staging_of
from etl.statements.uploader.checks import has_bad_values_sql
from etl.statements.uploader.merging import (
    Upload,
    create_temp_table_sql,
    deduplicated_sql,
    duplicate_keys_sql,
    has_duplicate_keys_sql,
    insert_sql,
    leave_out_sql,
    lost_rows_sql,
    upsert_sql,
)

SAMPLE_KEYS = 5


@dataclass(frozen=True)
class BadValue:
    """`position` of the row in the batch's payload, from 1."""

    position: int
    column: str
    value: str | None
    reason: str


class BadValuesFound(Exception):
    """Rolls the batch back: some of its rows cannot be written as they are."""


class _StoredAlready(Exception):
    """Rolls back an attempt at a batch that an earlier one has committed."""


@dataclass(frozen=True)
class LeftOut:
    """Rows of a payload that are not to be written. `loose`: the columns that must be staged as text for them to pass
    COPY; None: all of them."""

    rejects: Sequence[Reject] = ()
    loose: frozenset[str] | None = None

    def __len__(self) -> int:
        return len(self.rejects)


NOTHING = LeftOut()


@dataclass(frozen=True)
class Written:
    counts: BatchCounts
    staged_rows: int
    rejects: Sequence[Reject] = ()
    """Those that were found, where nothing was to be written."""


async def write_batch(
    connection: Connection, plan: WritePlan, load: Load, worker: int, batch: Batch, left_out: LeftOut = NOTHING
) -> Written:
    """`left_out` are rows of the payload that were found bad; the rest is written, and they are recorded with it.

    Raises BadValuesFound, DuplicateKeyError, UploadStoreError or a TransientError; then nothing of it is stored.
    """
    doing = f"{load.filename}, batch {batch.index}"
    try:
        with door(plan.dsn, doing):
            return await _written(connection, plan, load, worker, batch, left_out)
    except _StoredAlready:
        refused = None
    except UploadStoreError as error:
        if not error.is_of_the_data:
            raise
        refused = error
    # an attempt whose COMMIT was not answered may have stored the very rows that now clash with themselves
    with door(plan.dsn, doing):
        async with transaction(connection, *plan.limits):
            counts = await recorded_batch(connection, load, batch.index)
    if counts is None and refused is not None:
        raise refused
    return Written(counts or BatchCounts(), 0)


async def _written(
    connection: Connection, plan: WritePlan, load: Load, worker: int, batch: Batch, left_out: LeftOut
) -> Written:
    if not left_out and may_copy_directly(plan, batch):
        try:
            return await _copy_directly(connection, plan, load, batch)
        except asyncpg.UniqueViolationError:
            if not plan.is_upsert:
                raise
            plan.freshness.has_met_a_key()
    awaited_key = plan.freshness.awaits_key
    try:
        return await _merge(connection, plan, load, worker, batch, left_out)
    except asyncpg.UniqueViolationError:
        if not awaited_key:
            raise
        plan.freshness.has_met_a_key()  # another run has added it
    return await _merge(connection, plan, load, worker, batch, left_out)


def may_copy_directly(plan: WritePlan, batch: Batch) -> bool:
    staging = staging_of(plan, batch, worker=0)
    target = plan.target
    is_new = not plan.is_upsert or (plan.freshness.is_fresh and not plan.options.dedup_order_by)
    return (
        is_new
        and target.exists
        and target.is_plain
        and not staging.checks
        and len(staging.upload.columns) == len(batch.columns)
        and all(column.type == column.staged_type for column in staging.upload.columns)
        and all(_takes_no_null(target, name) for name in plan.key)
    )


def _takes_no_null(target: TargetTable, name: str) -> bool:
    column = target.column(name)
    return column is not None and column.not_null


# --- the two ways ---------------------------------------------------------------------------------------------------


async def _copy_directly(connection: Connection, plan: WritePlan, load: Load, batch: Batch) -> Written:
    async with transaction(connection, *plan.settings):
        names = [column.header or column.name for column in batch.columns]
        rows = await copy_batch(connection, batch, plan.target.name, names, schema=plan.target.schema)
        counts = BatchCounts(rows_read=rows, rows_inserted=rows)
        return await _recorded(connection, load, batch, counts, rows, NOTHING)


async def _merge(
    connection: Connection, plan: WritePlan, load: Load, worker: int, batch: Batch, left_out: LeftOut
) -> Written:
    staging = staging_of(plan, batch, worker)
    if left_out:
        staging = loosened(staging, batch, left_out.loose)
    async with transaction(connection, *plan.merge_settings):
        rows = await _stage_the_good(connection, staging, batch, left_out)
        counts = replace(
            await _write_staged(connection, plan, staging.upload, rows - len(left_out)),
            rows_read=rows,
            rows_rejected=len(left_out),
        )
        return await _recorded(connection, load, batch, counts, rows, left_out)


async def _stage_the_good(connection: Connection, staging: Staging, batch: Batch, left_out: LeftOut) -> int:
    """How many rows COPY took, those left out among them."""
    rows = await stage(connection, staging, batch)
    if left_out:
        await connection.execute(leave_out_sql(staging.upload), [reject.position for reject in left_out.rejects])
    elif staging.checks and await connection.fetchval(has_bad_values_sql(staging.upload, staging.checks)):
        raise BadValuesFound
    return rows


async def stage(connection: Connection, staging: Staging, batch: Batch) -> int:
    """How many rows COPY took."""
    await connection.execute(create_temp_table_sql(staging.name, staging.columns))
    return await copy_batch(connection, batch, staging.name, staging.copied)


async def check_only(
    connection: Connection, plan: WritePlan, worker: int, batch: Batch, left_out: LeftOut = NOTHING
) -> Written:
    """For a dry run or a trial: staged, asked for bad values and keys, and rolled back."""
    staging = staging_of(plan, batch, worker)
    if left_out:
        staging = loosened(staging, batch, left_out.loose)
    with door(plan.dsn, f"batch {batch.index}"):
        try:
            async with transaction(connection, *plan.merge_settings):
                rows = await _stage_the_good(connection, staging, batch, left_out)
                deduplicated = await _keys_checked(connection, plan, staging.upload)
                raise _StoredAlready
        except _StoredAlready:
            rejects = [*batch.rejects, *left_out.rejects]
            counts = BatchCounts(
                rows_read=rows + len(batch.rejects),
                rows_rejected=len(rejects),
                rows_deduplicated=deduplicated,
                rows_padded=batch.rows_padded,
                nul_characters=batch.nul_characters,
            )
            return Written(counts, rows, rejects)


async def _write_staged(connection: Connection, plan: WritePlan, upload: Upload, rows: int) -> BatchCounts:
    if not plan.is_upsert:
        inserted, _ = await connection.fetchrow(insert_sql(upload))
        _refuse_lost(plan, rows - inserted)
        return BatchCounts(rows_inserted=inserted)
    deduplicated = await _keys_checked(connection, plan, upload)
    write = insert_sql if plan.freshness.awaits_key else upsert_sql
    inserted, updated = await connection.fetchrow(write(upload))
    if not plan.target.is_plain:
        _refuse_lost(plan, await connection.fetchval(lost_rows_sql(upload)))
    unchanged = rows - deduplicated - inserted - updated
    return BatchCounts(
        rows_inserted=inserted, rows_updated=updated, rows_unchanged=unchanged, rows_deduplicated=deduplicated
    )


def _refuse_lost(plan: WritePlan, lost: int) -> None:
    if lost:
        raise StoreError(
            f"expected every row to be stored in {plan.options.table}, found {lost} that are not: a trigger or rule of "
            "the table leaves them out; let it keep them, or load into a table without it"
        )


async def _keys_checked(connection: Connection, plan: WritePlan, upload: Upload) -> int:
    """How many rows give way to another of their key; DuplicateKeyError where no order decides which."""
    if not plan.is_upsert:
        return 0
    if upload.order_by:
        return int(await connection.fetchval(deduplicated_sql(upload)))
    if await connection.fetchval(has_duplicate_keys_sql(upload)):
        raise _duplicate_keys(plan, await connection.fetch(duplicate_keys_sql(upload, SAMPLE_KEYS)))
    return 0


def _duplicate_keys(plan: WritePlan, rows: Sequence[asyncpg.Record]) -> DuplicateKeyError:
    names = ", ".join(plan.options.primary_key)
    sample = "; ".join(f"({', '.join(str(part) for part in row[:-2])}) {row[-2]} times" for row in rows)
    return DuplicateKeyError(
        f"expected each key ({names}) once in a batch, found {rows[0][-1]} that stand more than once: {sample}; "
        "--dedup-order-by says which row is to be kept"
    )


async def _recorded(
    connection: Connection, load: Load, batch: Batch, counts: BatchCounts, staged: int, left_out: LeftOut
) -> Written:
    rejects = [*batch.rejects, *left_out.rejects]
    whole = replace(
        counts,
        rows_read=counts.rows_read + len(batch.rejects),
        rows_rejected=len(rejects),
        rows_padded=batch.rows_padded,
        nul_characters=batch.nul_characters,
    )
    if not await record_batch(connection, load, batch, whole):
        raise _StoredAlready
    await record_rejects(connection, load, batch.index, rejects)
    return Written(whole, staged)

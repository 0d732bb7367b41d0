"""One batch, one transaction: its rows and its entry in the manifest, or neither."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import asyncpg

from etl.errors import DuplicateKeyError, StoreError
from etl.ingestion.connecting import Connection, UploadStoreError, door, transaction
from etl.ingestion.manifest import Load, record_batch, record_rejects, recorded_batch
from etl.ingestion.model import Batch, BatchCounts, BinaryBytes, CsvBytes, Mode, Records, Reject, UploadOptions
from etl.ingestion.settings import Dsn
from etl.ingestion.target import TargetTable
from etl.statements.uploading import (
    Checks,
    OrderBy,
    TempColumn,
    Upload,
    UploadColumn,
    bad_values_sql,
    base_type,
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
_INSTANT = "timestamp with time zone"
_WITHOUT_SHIFTS = frozenset({"UTC", "Etc/UTC", "GMT", "Z"})

# The planner knows nothing of a table made a moment ago; a look into the index for each row is right for any batch.
_PLAN = ("SET LOCAL enable_hashjoin = off", "SET LOCAL enable_mergejoin = off", "SET LOCAL jit = off")


@dataclass
class Freshness:
    """Whether rows may still go straight into the table: it was empty when the run began, and no key has clashed since.

    Then COPY alone is an upsert: every row is a new one, or the transaction fails and the batch is merged instead.
    """

    is_fresh: bool


@dataclass(frozen=True)
class WritePlan:
    """What the workers share."""

    dsn: Dsn
    options: UploadOptions
    target: TargetTable
    freshness: Freshness

    @property
    def is_upsert(self) -> bool:
        return self.options.mode is Mode.UPSERT

    @property
    def key(self) -> tuple[str, ...]:
        """Empty where rows are appended: the key serves to make the table then, no more."""
        return self.options.primary_key if self.is_upsert else ()


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
class Written:
    counts: BatchCounts
    staged_rows: int


@dataclass(frozen=True)
class Staging:
    """A batch's temporary table: `columns` in the payload's order, `upload` for what goes on into the target."""

    upload: Upload
    columns: tuple[TempColumn, ...]
    checks: Checks = field(default_factory=Checks)

    @property
    def name(self) -> str:
        return self.upload.staging

    @property
    def has_position(self) -> bool:
        return bool(self.checks)


async def write_batch(
    connection: Connection, plan: WritePlan, load: Load, worker: int, batch: Batch, left_out: Sequence[Reject] = ()
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
        counts = await recorded_batch(connection, load, batch.index)
    if counts is None and refused is not None:
        raise refused
    return Written(counts or BatchCounts(), 0)


async def _written(
    connection: Connection, plan: WritePlan, load: Load, worker: int, batch: Batch, left_out: Sequence[Reject]
) -> Written:
    if not left_out and may_copy_directly(plan, batch):
        try:
            return await _copy_directly(connection, plan, load, batch)
        except asyncpg.UniqueViolationError:
            if not plan.is_upsert:
                raise
            plan.freshness.is_fresh = False
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
    async with transaction(connection, *_settings(plan)):
        names = [column.header or column.name for column in batch.columns]
        rows = await _copy(connection, batch, plan.target.name, names, schema=plan.target.schema)
        counts = BatchCounts(rows_read=rows, rows_inserted=rows)
        return await _recorded(connection, load, batch, counts, rows, ())


async def _merge(
    connection: Connection, plan: WritePlan, load: Load, worker: int, batch: Batch, left_out: Sequence[Reject]
) -> Written:
    staging = staging_of(plan, batch, worker)
    if left_out:
        staging = loosened(staging, batch)
    async with transaction(connection, *_settings(plan), *_PLAN):
        rows = await _stage_the_good(connection, staging, batch, left_out)
        counts = replace(
            await _write_staged(connection, plan, staging.upload, rows - len(left_out)),
            rows_read=rows,
            rows_rejected=len(left_out),
        )
        return await _recorded(connection, load, batch, counts, rows, left_out)


async def _stage_the_good(connection: Connection, staging: Staging, batch: Batch, left_out: Sequence[Reject]) -> int:
    """How many rows COPY took, those left out among them."""
    rows = await stage(connection, staging, batch)
    if left_out:
        await connection.execute(leave_out_sql(staging.upload), [reject.position for reject in left_out])
    elif staging.checks and await connection.fetchrow(bad_values_sql(staging.upload, staging.checks)):
        raise BadValuesFound
    return rows


async def stage(connection: Connection, staging: Staging, batch: Batch) -> int:
    """How many rows COPY took."""
    await connection.execute(create_temp_table_sql(staging.name, staging.columns, with_position=staging.has_position))
    return await _copy(connection, batch, staging.name, [column.name for column in staging.columns])


async def check_only(
    connection: Connection, plan: WritePlan, worker: int, batch: Batch, left_out: Sequence[Reject] = ()
) -> Written:
    """For a dry run: staged, asked for bad values and keys, and rolled back."""
    staging = staging_of(plan, batch, worker)
    if left_out:
        staging = loosened(staging, batch)
    with door(plan.dsn, f"batch {batch.index}"):
        try:
            async with transaction(connection, *_settings(plan), *_PLAN):
                rows = await _stage_the_good(connection, staging, batch, left_out)
                deduplicated = await _keys_checked(connection, plan, staging.upload)
                raise _StoredAlready
        except _StoredAlready:
            rejected = len(batch.rejects) + len(left_out)
            counts = BatchCounts(
                rows_read=rows + len(batch.rejects),
                rows_rejected=rejected,
                rows_deduplicated=deduplicated,
                rows_padded=batch.rows_padded,
                nul_characters=batch.nul_characters,
            )
            return Written(counts, rows)


async def _write_staged(connection: Connection, plan: WritePlan, upload: Upload, rows: int) -> BatchCounts:
    if not plan.is_upsert:
        inserted, _ = await connection.fetchrow(insert_sql(upload))
        _refuse_lost(plan, rows - inserted)
        return BatchCounts(rows_inserted=inserted)
    deduplicated = await _keys_checked(connection, plan, upload)
    inserted, updated = await connection.fetchrow(upsert_sql(upload))
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
    connection: Connection, load: Load, batch: Batch, counts: BatchCounts, staged: int, left_out: Sequence[Reject]
) -> Written:
    rejects = [*batch.rejects, *left_out]
    whole = replace(
        counts,
        rows_read=counts.rows_read + len(batch.rejects),
        rows_rejected=len(rejects),
        rows_padded=batch.rows_padded,
        nul_characters=batch.nul_characters,
    )
    if not await record_batch(connection, load, batch, whole):
        raise _StoredAlready
    await record_rejects(connection, load, batch, rejects)
    return Written(whole, staged)


# --- staging --------------------------------------------------------------------------------------------------------


def staging_of(plan: WritePlan, batch: Batch, worker: int) -> Staging:
    """CSV is staged in the target's own types, so that COPY checks each value; as text where more is asked."""
    checks = _checks(plan, batch)
    as_text = {*checks.zoned, *checks.local, *(name for name, _ in checks.scales)}
    columns, temporary = [], []
    for place, staged in enumerate(batch.columns):
        target = plan.target.column(staged.header) if staged.header else None
        if target is None or target.is_generated:
            temporary.append(TempColumn(f"_unused_{place}", staged.type))
            continue
        kind = staged.type
        if isinstance(batch.payload, CsvBytes) and target.name not in as_text:
            kind = target.type
        columns.append(UploadColumn(target.name, target.type, kind))
        temporary.append(TempColumn(target.name, kind, not_null=target.name in plan.key))
    return Staging(_upload(plan, tuple(columns), worker), tuple(temporary), checks)


def loosened(staging: Staging, batch: Batch) -> Staging:
    """The same rows in columns that take anything: text for CSV, and no length, scale or NOT NULL for the rest. Every
    value is asked whether its column will take it."""
    is_csv = isinstance(batch.payload, CsvBytes)
    loose = {c.name: "text" if is_csv else base_type(c.type) for c in staging.columns}
    upload = replace(
        staging.upload,
        columns=tuple(replace(column, staged_type=loose[column.name]) for column in staging.upload.columns),
    )
    columns = tuple(TempColumn(column.name, loose[column.name]) for column in staging.columns)
    fit = tuple(c.name for c in upload.columns if c.type not in ("text", "character varying"))
    return Staging(upload, columns, replace(staging.checks, fit=fit))


def _upload(plan: WritePlan, columns: tuple[UploadColumn, ...], worker: int) -> Upload:
    target, options = plan.target, plan.options
    always = {column.name for column in target.columns if column.is_always_identity}
    names = {column.name for column in columns}
    return Upload(
        target=target.sql,
        staging=temp_table_name(target.sql, worker),
        columns=columns,
        key=plan.key,
        settable=tuple(c.name for c in columns if c.name not in options.primary_key and c.name not in always),
        order_by=tuple(OrderBy(each.name, each.descending) for each in options.dedup_order_by),
        overriding=bool(always & names),
        is_partitioned=target.is_partitioned,
    )


def temp_table_name(target: str, worker: int) -> str:
    """The same for a worker and target every time, and short whatever the target's name is."""
    digest = hashlib.sha256(target.encode()).hexdigest()[:8]
    return f"_uploader_{digest}_{worker}"


def _checks(plan: WritePlan, batch: Batch) -> Checks:
    """Only text can leave its zone unsaid; only what is not of the target's own type has more decimals than it."""
    zone = plan.options.timezone
    zoned, local, scales = [], [], []
    for staged in batch.columns:
        target = plan.target.column(staged.header) if staged.header else None
        if target is None:
            continue
        is_loose = staged.type == "text" and isinstance(batch.payload, CsvBytes | Records)
        if base_type(target.type) == _INSTANT and is_loose:
            if zone is None:
                zoned.append(target.name)
            elif zone not in _WITHOUT_SHIFTS:
                local.append(target.name)
        if plan.options.strict_decimals and target.type.startswith("numeric(") and staged.type != target.type:
            scales.append((target.name, int(target.type.rstrip(")").partition(",")[2])))
    return Checks(zoned=tuple(zoned), local=tuple(local), scales=tuple(scales))


def _settings(plan: WritePlan) -> tuple[str, ...]:
    options = plan.options
    return (
        f"SET LOCAL lock_timeout = {options.lock_timeout_seconds * 1000}",
        f"SET LOCAL statement_timeout = {options.statement_timeout_seconds * 1000}",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        "SET LOCAL client_min_messages = warning",
        f"SET LOCAL TimeZone = '{options.timezone or 'UTC'}'",
    )


async def _copy(connection: Connection, batch: Batch, table: str, columns: list[str], schema: str | None = None) -> int:
    payload = batch.payload
    if isinstance(payload, Records):
        status = await connection.copy_records_to_table(
            table, records=payload.rows, columns=columns, schema_name=schema
        )
    elif isinstance(payload, BinaryBytes):
        status = await connection.copy_to_table(
            table, source=memoryview(payload.data), columns=columns, schema_name=schema, format="binary"
        )
    else:
        status = await connection.copy_to_table(
            table,
            source=memoryview(payload.data),
            columns=columns,
            schema_name=schema,
            format="csv",
            delimiter=payload.delimiter,
            quote=payload.quotechar,
            null=payload.null,
            encoding="UTF8",
        )
    return int(status.split()[-1])

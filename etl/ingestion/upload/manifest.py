"""The manifest: which file stands in which table, and which of its batches have committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from etl.errors import ConflictError, UsageError
from etl.fencing import Fence
from etl.ingestion.database.connection import Connection, transaction
from etl.ingestion.model import Batch, BatchCounts, FileStatus, FileType, Mode, Reject
from etl.names import readable
from etl.statements.named import POSTGRESQL_DIRECTORY, named_statements
from etl.statements.uploader.merging import quote_table

SQL_DIRECTORY = POSTGRESQL_DIRECTORY / "ingestion"
LONGEST_NOTE = 2000


def statement(name: str) -> str:
    return named_statements(SQL_DIRECTORY / "queries")[name].rstrip(";")


def schema_sql() -> str:
    return (SQL_DIRECTORY / "schema.sql").read_text(encoding="utf-8")


def alerts_sql() -> str:
    """Of the table that only those need who are told of uploads."""
    return (SQL_DIRECTORY / "alerts.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Load:
    """One load of a file's content into one table; its batches are recorded under `load_id`.

    `fencing_token` is of the orchestrator's attempt that it belongs to; `fence` where this database can ask it.
    """

    filename: str
    table: str
    load_id: str
    run_id: str
    fencing_token: int | None = None
    fence: Fence | None = None


@dataclass(frozen=True)
class Entry:
    """What the manifest holds of a file and table; `batches` have committed."""

    checksum: str
    status: FileStatus
    load_id: str
    run_id: str
    rows: int
    mode: Mode
    chunk_size: int
    options: dict[str, Any]
    batches: int

    @property
    def has_left_rows(self) -> bool:
        """Some of its batches have committed, and not because all their rows were rejected: `rows` are counted when a
        load fails, and not yet while it is pending."""
        return self.batches > 0 and not (self.status is FileStatus.FAILED and self.rows == 0)


@dataclass(frozen=True)
class ManifestFile:
    """A row of `status`."""

    filename: str
    table: str
    status: FileStatus
    rows: int
    rejected: int
    batches: int
    size_bytes: int
    checksum: str
    file_type: str
    mode: str
    run_id: str
    notes: str
    started_at: datetime
    processed_at: datetime


@dataclass(frozen=True)
class RejectedRow:
    line: int | None
    row: int | None
    column: str | None
    value: str | None
    reason: str
    batch_index: int


async def create(connection: Connection, settings: Sequence[str]) -> None:
    """The three tables, in the schema that search_path names first; those that are there get the columns that they
    lack. `settings` of the transactions that it makes."""
    async with transaction(connection, *settings):
        if await connection.fetchval(statement("manifest_stands")):
            return
    try:
        async with transaction(connection, *settings):
            await connection.execute(schema_sql())
    except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError) as error:
        raise UsageError(
            "the tables ingestion_manifest, ingestion_batches and ingestion_rejects are not there, of an earlier "
            "version, or in a schema that this role may not use, and it may not create or change them "
            f"({error}); let an administrator run `uploader init`, "
            "which also prints the grants"
        ) from error
    except (asyncpg.DuplicateTableError, asyncpg.DuplicateColumnError, asyncpg.UniqueViolationError):
        pass  # another run was faster


async def forget_table(connection: Connection, table: str) -> None:
    """Its files do not stand in it, if the table is not there: then they are to be loaded again."""
    await connection.execute(statement("forget_table"), table, quote_table(table))


async def find_entry(connection: Connection, filename: str, table: str) -> Entry | None:
    row = await connection.fetchrow(statement("find_entry"), filename, table)
    if row is None:
        return None
    return Entry(
        checksum=row["checksum"],
        status=FileStatus(row["status"]),
        load_id=row["load_id"],
        run_id=row["run_id"],
        rows=row["rows"],
        mode=Mode(row["mode"]),
        chunk_size=row["chunk_size"],
        options=orjson.loads(row["options"]),
        batches=row["batches"],
    )


async def begin_load(
    connection: Connection,
    load: Load,
    *,
    found: Entry | None,
    checksum: str,
    size_bytes: int,
    file_type: FileType,
    mode: Mode,
    chunk_size: int,
    options: dict[str, Any],
) -> frozenset[int] | None:
    """In one transaction marks the file `pending`; the batches of this load that an earlier attempt has committed.

    None, and nothing is done, where the manifest is no longer as it was `found` when this load was decided on: another
    run has begun, ended, or committed its first batch. FencedError where the orchestrator has given this attempt up.
    """
    await connection.execute(statement("lock_entry"), load.filename, load.table)
    if _stage_of(await find_entry(connection, load.filename, load.table)) != _stage_of(found):
        return None
    begun = await connection.fetchrow(
        _asking(load, "begin_load"),
        load.filename,
        load.table,
        checksum,
        size_bytes,
        load.run_id,
        load.load_id,
        file_type.value,
        mode.value,
        chunk_size,
        orjson.dumps(options).decode(),
        found.load_id if found else None,
        load.fencing_token,
    )
    if begun is None:
        return None
    _require_held(load, begun, "the load cannot begin")
    return await committed_batches(connection, load)


async def committed_batches(connection: Connection, load: Load) -> frozenset[int]:
    rows = await connection.fetch(statement("committed_batches"), load.load_id)
    return frozenset(row["batch_idx"] for row in rows)


async def count_batches(connection: Connection, loads: Sequence[Load]) -> dict[str, int]:
    """Of each load, by its id, that has any."""
    return dict(await connection.fetch(statement("count_batches"), [load.load_id for load in loads]))


def _stage_of(entry: Entry | None) -> tuple[str, FileStatus, bool] | None:
    return None if entry is None else (entry.load_id, entry.status, entry.batches > 0)


async def record_batch(connection: Connection, load: Load, batch: Batch, counts: BatchCounts) -> bool:
    """In the batch's own transaction. False: an earlier attempt has committed after all, so this one must not.

    Raises ConflictError where another run has begun to load the file anew, FencedError where the orchestrator has given
    this attempt up; else nobody is given the orchestrator's run until the transaction has ended.
    """
    recorded = await connection.fetchrow(
        _asking(load, "record_batch"),
        load.load_id,
        batch.index,
        load.run_id,
        counts.rows_read,
        counts.rows_inserted,
        counts.rows_updated,
        counts.rows_unchanged,
        counts.rows_rejected,
        counts.rows_deduplicated,
        counts.rows_padded,
        counts.nul_characters,
        load.filename,
        load.table,
        load.fencing_token,
    )
    if recorded is not None:
        _require_held(load, recorded, f"batch {batch.index} cannot be stored")
        return True
    if await recorded_batch(connection, load, batch.index) is not None:
        return False
    raise ConflictError(
        f"{load.filename}: another run has begun to load this file into {load.table} anew; let it end, "
        "`uploader status` shows it"
    )


async def recorded_batch(connection: Connection, load: Load, index: int) -> BatchCounts | None:
    row = await connection.fetchrow(statement("recorded_batch"), load.load_id, index)
    return None if row is None else BatchCounts(*row)


async def record_rejects(connection: Connection, load: Load, batch_index: int, rejects: Sequence[Reject]) -> None:
    if not rejects:
        return
    await connection.execute(
        statement("record_rejects"),
        load.load_id,
        batch_index,
        list(range(len(rejects))),
        [reject.line for reject in rejects],
        [reject.row or None for reject in rejects],
        [reject.column for reject in rejects],
        [_storable(reject.value) for reject in rejects],
        [_storable(reject.reason) for reject in rejects],
    )


async def record_refused(connection: Connection, load: Load, rejects: Mapping[int, Sequence[Reject]]) -> None:
    """By batch: of a load that was refused because of them, and has committed nothing."""
    for batch_index, of_batch in rejects.items():
        await record_rejects(connection, load, batch_index, of_batch)


async def finish_load(connection: Connection, load: Load, status: FileStatus, notes: str) -> None:
    """`notes` say why a file failed, or what was special about it."""
    text = _storable(notes[:LONGEST_NOTE])
    known = (load.filename, load.table, load.load_id)
    await connection.execute(statement("finish_load"), *known, status.value, text, load.fencing_token)


async def lock_load(connection: Connection, load: Load) -> None:
    """Until the transaction ends no batch of it commits or is taken out."""
    await connection.execute(statement("lock_entry"), load.filename, load.table)


async def load_counts(connection: Connection, load: Load) -> tuple[int, BatchCounts]:
    """(batches, their counts), over all runs that this load took."""
    batches, *counts = await connection.fetchrow(statement("load_counts"), load.load_id)
    return batches, BatchCounts(*counts)


async def list_files(
    connection: Connection, table: str | None = None, run_id: str | None = None, status: FileStatus | None = None
) -> list[ManifestFile]:
    """A table without its schema's name is that of any schema."""
    rows = await connection.fetch(statement("list_files"), table, run_id, status.value if status else None)
    return [
        ManifestFile(
            filename=row["filename"],
            table=row["target_table"],
            status=FileStatus(row["status"]),
            rows=row["rows"],
            rejected=row["rejected"],
            batches=row["batches"],
            size_bytes=row["filesize"],
            checksum=row["checksum"],
            file_type=row["file_type"],
            mode=row["mode"],
            run_id=row["run_id"],
            notes=row["notes"],
            started_at=row["started_at"],
            processed_at=row["processed_at"],
        )
        for row in rows
    ]


async def list_rejects(
    connection: Connection, filename: str, table: str | None = None, limit: int = 1000
) -> list[RejectedRow]:
    rows = await connection.fetch(statement("list_rejects"), filename, table, limit)
    return [
        RejectedRow(r["line"], r["row_in_file"], r["column_name"], r["value"], r["reason"], r["batch_idx"])
        for r in rows
    ]


def _asking(load: Load, name: str) -> str:
    return load.fence.asked_by(statement(name)) if load.fence else statement(name)


def _require_held(load: Load, row: Sequence[Any], doing: str) -> None:
    if load.fence is not None and not row[-1]:
        raise load.fence.lost(f"{load.filename}: {doing}")


def _storable(text: str | None) -> str | None:
    """PostgreSQL's text holds neither U+0000 nor half a character."""
    return None if text is None else readable(text.replace("\0", "\\0"))

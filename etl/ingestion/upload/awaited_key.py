"""The primary key of a table that a run has made: added when the rows are there.

PostgreSQL builds an index from sorted rows for a fraction of what it costs to keep one row by row. Who comes second (a
run after one that was killed, or beside one that is at it) adds the key before it does anything else. Either way the
batches whose keys clash are taken out, and loaded once more as into any table that has its key.
"""

from __future__ import annotations

import time

import asyncpg
import structlog

from etl.errors import UsageError
from etl.fencing import Fence
from etl.ingestion.database.connection import Connection
from etl.ingestion.database.target import TargetTable, inspect_target
from etl.ingestion.model import Mode, UploadOptions
from etl.ingestion.upload.manifest import statement
from etl.statements.uploader.awaited_key import (
    ROLL_BACK,
    SAVE,
    add_key,
    empty,
    forget_awaited,
    has_rows,
    lock_for_key,
    take_out,
)
from etl.statements.uploader.merging import quote_table

log = structlog.get_logger(__name__)


async def comes_last(connection: Connection, options: UploadOptions) -> bool:
    """Whether the table that this run is about to make awaits its key. An order of rows is asked of those that stand,
    batch by batch."""
    if options.mode is not Mode.UPSERT or options.dedup_order_by:
        return False
    return bool(await connection.fetchval(statement("may_take_out")))


async def add_awaited_key(connection: Connection, table: str, fence: Fence | None = None) -> None:
    """In the caller's transaction, which nobody reads or writes the table beside; where the key is there by now, only
    the table's comment goes. UsageError where rows that no batch wrote clash, FencedError where the orchestrator has
    given this attempt up."""
    started = time.perf_counter()
    await connection.execute(lock_for_key(quote_table(table)))
    target = await inspect_target(connection, table)
    if target is None or not target.awaited_key:
        return
    if fence is not None and not await connection.fetchval(fence.question):
        raise fence.lost(f"the primary key of {table} cannot be added")
    if frozenset(target.awaited_key) not in target.unique_keys:
        await _add(connection, target, table)
    await connection.execute(forget_awaited(target.sql))
    log.info("primary key added", table=table, seconds=round(time.perf_counter() - started, 1))


async def _add(connection: Connection, target: TargetTable, table: str) -> None:
    refused = await _try(connection, target)
    if refused is None:
        return
    # a value that has no place in an index fails its batch, which then says so: whose it is, only all can tell
    rows_of_key = 2 if isinstance(refused, asyncpg.UniqueViolationError) else 1
    take = take_out(target.sql, target.awaited_key, rows_of_key=rows_of_key)
    taken_out = await connection.fetch(take, f"{target.schema}.{target.name}")
    await connection.execute(statement("batches_taken_out"), [load_id for load_id, _ in taken_out])
    if not await connection.fetchval(has_rows(target.sql)):
        await connection.execute(empty(target.sql))
    log.info(
        "batches taken out",
        table=table,
        batches=sum(count for _, count in taken_out),
        reason=refused.message,
        next_step="their files are pending: this run loads them once more, or --resume does",
    )
    if still := await _try(connection, target):
        raise UsageError(
            f"{table} has no primary key yet, and rows that no upload wrote, or that were changed since, stand in its "
            f"way ({still.message}); delete them, and load again with --resume"
        )


async def _try(connection: Connection, target: TargetTable) -> asyncpg.PostgresError | None:
    """Adds the key; why its rows do not let it."""
    await connection.execute(SAVE)
    try:
        await connection.execute(add_key(target.sql, target.awaited_key))
    except (asyncpg.UniqueViolationError, asyncpg.ProgramLimitExceededError) as error:
        await connection.execute(ROLL_BACK)
        return error
    return None

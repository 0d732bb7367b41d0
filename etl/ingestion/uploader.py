"""The uploader as a library: files into one table, by several workers, each batch once. Read this file first.

A file is read by one thread that cuts it into batches; all files' batches go through one short queue to the workers,
each with a connection of its own, so that one big file and many small ones both keep every worker busy.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog

from etl.errors import EtlError, SourceError, TerminalError, UsageError
from etl.fencing import Fence
from etl.ingestion.database.connection import (
    Connection,
    Sessions,
    create_pool,
    door,
    nothing_written,
    transaction,
)
from etl.ingestion.database.rights import refuse_missing_rights
from etl.ingestion.database.settings import Dsn
from etl.ingestion.database.target import (
    TargetTable,
    advance_sequences_sql,
    check_target,
    ensure_table_from_headers,
    inspect_target,
    refuse_unordered,
    table_to_be,
)
from etl.ingestion.database.waits import Waits
from etl.ingestion.files import find_files, type_faults
from etl.ingestion.model import FileResult, FileStatus, UploadOptions, UploadReport
from etl.ingestion.opening import column_names, declared_types, header_types, type_of, verified
from etl.ingestion.upload import manifest
from etl.ingestion.upload.absent_columns import refuse_absent
from etl.ingestion.upload.awaited_key import add_awaited_key, comes_last
from etl.ingestion.upload.checks import faults_of
from etl.ingestion.upload.file import FileLoad, Loading, NothingToLoad
from etl.ingestion.upload.plan import Freshness, WritePlan, limits
from etl.ingestion.upload.workers import Workers
from etl.ingestion.watch.observers import Observer, Observers
from etl.names import stored_name
from etl.postgresql.fence import tell_that_it_cannot_be_asked
from etl.postgresql_types import base_type
from etl.retrying import retrying_async

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


async def async_upsert(options: UploadOptions, dsn: Dsn, observers: Sequence[Observer] = ()) -> UploadReport:
    """Loads the files that `options.files` name (paths or patterns) into the table; the report has a result for each.

    Raises UsageError, ConfigurationError or SchemaMismatchError before anything is written: bad options, no file, no
    connection, a table that does not fit; and FencedError where an orchestrator has given this attempt up. What goes
    wrong with one file stands in its result, and the others go on.
    A second call upserts the same rows again and changes nothing; in append mode it appends them again, unless `resume`
    finds in the manifest that they stand there.
    """
    options = with_run_id(options)
    refuse_faults(options)
    paths = _files(options)
    sessions, timeout = Sessions(options.statement_timeout_seconds), options.connect_timeout_seconds
    pool = await create_pool(dsn, options.concurrency, connect_timeout_seconds=timeout, sessions=sessions)
    waits = Waits(dsn, sessions, timeout)
    try:
        async with waits.watched():
            return await _Upload(options, dsn, pool, Observers(observers), waits).run(paths)
    finally:
        await _close(pool)


def with_run_id(options: UploadOptions) -> UploadOptions:
    """Upload ids sort by time: upload-20260131-235959-1a2b3c."""
    if options.run_id is not None:
        return options
    now = datetime.now(UTC)
    return replace(options, run_id=f"upload-{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}")


def refuse_faults(options: UploadOptions) -> None:
    faults = faults_of(options)
    if faults:
        raise UsageError("\n".join(faults))


def _files(options: UploadOptions) -> list[Path]:
    files, faults = find_files(options.files)
    if not options.files:
        faults.append("no files: name at least one path or pattern")
    faults += type_faults(files) if options.file_type is None else []
    if faults:
        raise UsageError("\n".join(faults))
    return [Path(file) for file in files]


def _told(path: Path, error: Exception) -> EtlError:
    """What a file fails by: an error of ours as it is; anything else is one too, but a fault of this program."""
    if isinstance(error, EtlError):
        return error
    if isinstance(error, OSError):
        return SourceError(f"{path} cannot be read: {error}")
    log.error("unexpected error", file=stored_name(path), exc_info=error)
    return TerminalError(
        f"{path}: {type(error).__name__}: {error}; this is a fault of the uploader, keep the file and report it"
    )


def _tell_of_columns(target: TargetTable, options: UploadOptions) -> None:
    """What is done to values although nobody asked for it."""
    wanted = {header.name for header in options.headers}
    columns = [column for column in target.columns if column.name in wanted]
    generated = [column.name for column in columns if column.is_generated]
    padded = [column.name for column in columns if base_type(column.type) == "character"]
    if generated:
        log.warning("generated columns not written", table=options.table, columns=generated)
    if padded:
        log.warning(
            "char(n) pads values and drops their trailing spaces",
            table=options.table,
            columns=padded,
            next_step="make them text or varchar(n) where that matters",
        )


async def _close(pool: asyncpg.Pool) -> None:
    """Politely, as long as the server answers."""
    try:
        await asyncio.wait_for(pool.close(), timeout=5)
    except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        pool.terminate()


@dataclass(frozen=True)
class _Said:
    """What the files say before any of them is loaded: see refuse_absent and declared_types."""

    names: dict[Path, tuple[str, ...] | None] = field(default_factory=dict)
    types: dict[Path, dict[str, str]] = field(default_factory=dict)
    faults: dict[Path, EtlError] = field(default_factory=dict)


class _Upload:
    def __init__(
        self, options: UploadOptions, dsn: Dsn, pool: asyncpg.Pool, observers: Observers, waits: Waits
    ) -> None:
        self._options = options
        self._dsn = dsn
        self._pool = pool
        self._observers = observers
        self._waits = waits
        self._limits = limits(options.lock_timeout_seconds, options.statement_timeout_seconds)
        self._readers = ThreadPoolExecutor(options.concurrency, thread_name_prefix="reader")
        self._begun: dict[Path, FileLoad] = {}

    async def run(self, paths: list[Path]) -> UploadReport:
        options, started = self._options, time.perf_counter()
        self._observers.run_started(options.run_id or "", options.table, len(paths))
        try:
            results, retries, notes = await self._load(paths)
        finally:
            self._readers.shutdown(wait=False, cancel_futures=True)
        seconds = time.perf_counter() - started
        report = UploadReport(options.run_id or "", options.table, tuple(results), seconds, retries, notes)
        self._observers.run_finished(report)
        return report

    async def _load(self, paths: list[Path]) -> tuple[list[FileResult], int, str]:
        said = await self._look_into(paths)
        plan = await self._planned(said)
        loading = Loading(plan, self._pool, self._readers)
        workers = Workers(plan, self._pool, self._observers)
        results: dict[Path, FileResult] = {}
        slots = asyncio.Semaphore(self._options.concurrency)

        async def load(path: Path) -> None:
            async with slots:
                results[path] = await self._file(loading, workers, path, said.faults.get(path))

        async with workers.running():
            async with asyncio.TaskGroup() as files:
                for path in paths:
                    files.create_task(load(path))
            keyed = plan.target.awaited_key and not self._options.dry_run
            notes = await self._keyed(plan, loading, workers, results) if keyed else ""
        if self._options.advance_sequences and not self._options.dry_run:
            notes = "; ".join(filter(None, (notes, await self._advance_sequences(plan.target))))
        return [results[path] for path in paths], workers.retries, notes

    async def _keyed(self, plan: WritePlan, loading: Loading, workers: Workers, results: dict[Path, FileResult]) -> str:
        """The rows are there: adds the key, and loads once more what had to be taken out for it. What went wrong."""
        try:
            await self._retrying(lambda: self._add_key(plan.fence))
            plan.freshness.has_met_a_key()
            lacking = await loading.lacking_batches(list(self._begun.values()))
        except EtlError as error:
            log.error("primary key not added", table=self._options.table, error=error.message)
            return f"the rows are loaded, but the table has no primary key yet: {error.message}"
        for file in lacking:
            result = results[file.path]
            if result.status is not FileStatus.FAILED:
                result = await self._file(loading, workers, file.path, taken_up=file)
            if result.status is FileStatus.FAILED:
                result = await loading.recounted(file, result)
            results[file.path] = result
        return ""

    async def _add_key(self, fence: Fence | None) -> None:
        async with self._session("add the primary key") as connection, transaction(connection, *self._limits):
            await add_awaited_key(connection, self._options.table, fence)

    async def _look_into(self, paths: list[Path]) -> _Said:
        """What each file says its columns are; a file that cannot be opened has a fault instead."""
        said = _Said()
        for path in paths:
            try:
                said.names[path] = await asyncio.to_thread(column_names, path, self._options)
                said.types[path] = await asyncio.to_thread(declared_types, path, self._options)
            except (SourceError, OSError) as error:
                said.faults[path] = _told(path, error)
        return said

    async def _planned(self, said: _Said) -> WritePlan:
        with nothing_written():
            return await self._retrying(lambda: self._plan(said))

    async def _retrying(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """What is no batch, as often as a batch would be tried."""

        async def once() -> Answer:
            return await work()

        with self._waits.explaining():
            return await retrying_async(self._options.max_retries, "tried again")(once)

    async def _plan(self, said: _Said) -> WritePlan:
        types = next(iter(said.types.values()), header_types(self._options))
        async with self._session("prepare") as connection:
            fence = await self._held_fence(connection)
            found = await self._inspected(connection)
            refuse_absent(said.names, self._options, stored=found.types if found else ())
            if not self._options.dry_run:
                await manifest.create(connection, self._limits)
                found = await self._with_its_key(connection, found)
            target = found or await self._new_target(connection, types)
            async with transaction(connection, *self._limits):
                await refuse_missing_rights(connection, target, self._options)
                await refuse_unordered(connection, target, self._options)
        check_target(target, self._options, header_types(self._options))
        _tell_of_columns(target, self._options)
        freshness = Freshness(target.is_empty, awaits_key=bool(target.awaited_key))
        return WritePlan(self._dsn, self._options, target, freshness, fence)

    async def _with_its_key(self, connection: Connection, found: TargetTable | None) -> TargetTable | None:
        """Where another run has made the table and not come to its key, be it killed or still at it."""
        if found is None or not found.awaited_key:
            return found
        log.info("primary key awaited", table=self._options.table, next_step="added before anything is loaded")
        async with transaction(connection, *self._limits):
            await add_awaited_key(connection, self._options.table)
        return await self._inspected(connection)

    async def _held_fence(self, connection: Connection) -> Fence | None:
        """For the batches to ask, where this database can; FencedError where the attempt was given up before."""
        fence = self._dsn.fence
        if fence is None or self._options.dry_run:
            return None
        async with transaction(connection, *self._limits):
            if not await connection.fetchval(fence.is_there):
                tell_that_it_cannot_be_asked(fence, self._dsn.masked)
                return None
            if not await connection.fetchval(fence.question):
                raise fence.lost(f"upload {self._options.run_id} cannot start")
        return fence

    async def _new_target(self, connection: Connection, types: dict[str, str]) -> TargetTable:
        options = self._options
        if not options.create_table:
            raise UsageError(f"the table {options.table} is not there; create it, or leave out --create-table false")
        headers = [replace(header, type=types.get(header.name)) for header in options.headers]
        if options.dry_run:
            return table_to_be(options.table, headers, options.primary_key)
        async with transaction(connection, *self._limits):
            await manifest.forget_table(connection, options.table)
            await ensure_table_from_headers(
                connection,
                options.table,
                headers,
                options.primary_key,
                key_comes_last=await comes_last(connection, options),
            )
        made = await self._inspected(connection)
        if made is None:
            raise UsageError(f"the table {options.table} was created and is gone again; is another run dropping it?")
        return made

    async def _inspected(self, connection: Connection) -> TargetTable | None:
        async with transaction(connection, *self._limits):
            return await inspect_target(connection, self._options.table)

    async def _file(
        self,
        loading: Loading,
        workers: Workers,
        path: Path,
        fault: EtlError | None = None,
        taken_up: FileLoad | None = None,
    ) -> FileResult:
        """One file from its checksum to its last batch, or what is still to be loaded of one that is `taken_up`; what
        goes wrong with it is its result."""
        file_type = type_of(path, self._options)
        started = time.perf_counter()
        result = FileResult(stored_name(path), file_type, FileStatus.FAILED)
        file: FileLoad | None = None
        try:
            if fault is not None:
                raise fault
            if taken_up is not None:
                file = await loading.take_up(taken_up)
            else:
                await asyncio.to_thread(verified, path)
                file = self._begun[path] = await loading.begin(path, file_type)
                self._observers.file_started(stored_name(path), file_type, file.source.size_bytes)
                await self._try_out(loading, workers, file)
            await workers.load(file, self._readers)
            result = await loading.finish(file)
        except NothingToLoad as skipped:
            result = replace(result, status=FileStatus.SKIPPED, notes=str(skipped))
        except Exception as error:  # noqa: BLE001 - the one boundary: the other files go on
            told = self._waits.explained(_told(path, error))
            result = await loading.fail(file, path, file_type, told)
            self._observers.batch_failed(stored_name(path), file.failed_batch if file else None, told)
        except BaseException:
            if file is not None:
                await asyncio.shield(loading.interrupted(file))
            raise
        finally:
            if file is not None:
                file.source.close()
        result = replace(result, seconds=time.perf_counter() - started)
        self._observers.file_finished(result)
        return result

    async def _try_out(self, loading: Loading, workers: Workers, file: FileLoad) -> None:
        """Too many bad rows refuse a file before any row of it is written: all of it is checked first."""
        limit = self._options.maximum_rejected
        if limit is None or self._options.dry_run:
            return
        trial = await loading.trial_of(file, limit)
        try:
            await workers.load(trial, self._readers)
            await loading.refuse_too_many_rejects(trial)
        finally:
            trial.source.close()

    async def _advance_sequences(self, target: TargetTable) -> str:
        """What went wrong; the rows are loaded by then, so that it ends nothing."""
        try:
            await self._retrying(lambda: self._advance(target))
        except EtlError as error:
            log.error("sequences not advanced", table=self._options.table, error=error.message)
            return f"the rows are loaded, but not all sequences advanced: {error.message}"
        return ""

    async def _advance(self, target: TargetTable) -> None:
        async with self._session("advance the sequences") as connection, transaction(connection, *self._limits):
            for sql in advance_sequences_sql(target, [header.name for header in self._options.headers]):
                await connection.execute(sql)

    @asynccontextmanager
    async def _session(self, doing: str) -> AsyncIterator[Connection]:
        with door(self._dsn, doing):
            async with self._pool.acquire(timeout=self._options.connect_timeout_seconds) as connection:
                yield connection

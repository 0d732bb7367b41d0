"""A file's way through the manifest: begun, finished, failed, skipped, or taken up where an earlier run ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog

from etl.errors import ConflictError, EtlError, FencedError, ReconciliationError, SchemaMismatchError, SourceError
from etl.ingestion.base import sha256_of
from etl.ingestion.database.connection import Connection, door, transaction
from etl.ingestion.database.target import fits
from etl.ingestion.model import BatchCounts, FileResult, FileStatus, FileType, Mode, UploadOptions
from etl.ingestion.opening import column_names, declared_types, open_source
from etl.ingestion.source import Source
from etl.ingestion.upload import manifest
from etl.ingestion.upload.absent_columns import refuse_lacking
from etl.ingestion.upload.manifest import Entry, Load
from etl.ingestion.upload.plan import WritePlan
from etl.ingestion.upload.stored_options import cut_otherwise, options_json
from etl.ingestion.upload.trial import TooManyRejectedError, Trial, refuse_most_rejected
from etl.names import stored_name
from etl.postgresql_types import COLUMNS_OF_A_TABLE
from etl.retrying import retrying_async

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


Stamp = tuple[int, int, int]


class NothingToLoad(Exception):
    """The file stands in the table already, says the manifest."""


@dataclass
class FileLoad:
    """A file under way. `done`: batches that an earlier run has committed; `error`: why the rest is not tried; `stamp`:
    by which the file is known to be the one whose checksum was taken; `trial`: it is checked, and not written."""

    path: Path
    file_type: FileType
    source: Source
    load: Load
    done: frozenset[int]
    stamp: Stamp
    chunk_size: int
    counts: BatchCounts = field(default_factory=BatchCounts)
    batches: int = 0
    error: Exception | None = None
    failed_batch: int | None = None
    trial: Trial | None = None

    @property
    def batches_stored(self) -> int:
        """By this run and those before it."""
        return len(self.done) + self.batches

    @property
    def is_settled(self) -> bool:
        """Nothing that its further batches hold can change how it ends."""
        return self.error is not None or (self.trial is not None and self.trial.is_over(self.counts))


class Loading:
    def __init__(self, plan: WritePlan, pool: asyncpg.Pool, readers: ThreadPoolExecutor) -> None:
        self._plan = plan
        self._pool = pool
        self._readers = readers

    @property
    def _options(self) -> UploadOptions:
        return self._plan.options

    async def begin(self, path: Path, file_type: FileType) -> FileLoad:
        """Opens the file and marks it `pending`. Raises NothingToLoad, or an EtlError where it cannot be loaded."""
        stamp = await self._read(stamp_of, path)
        checksum = await self._read(sha256_of, path)
        self._check_types(await self._read(declared_types, path, self._options))
        while (file := await self._try_to_begin(path, file_type, checksum, stamp)) is None:
            log.info("another run was faster", file=stored_name(path), next_step="look again at what there is to load")
        if file.done:
            log.info("load resumed", file=stored_name(path), run_id=file.load.run_id, batches_done=len(file.done))
        return file

    async def _try_to_begin(self, path: Path, file_type: FileType, checksum: str, stamp: Stamp) -> FileLoad | None:
        found = await self._found(path)
        load, chunk_size = self._choose_load(path, checksum, found)
        source = await self._read(lambda: open_source(path, self._options, self._plan.target, chunk_size=chunk_size))
        try:
            await self._check_columns(source)
            done = await self._begun(load, source, checksum, chunk_size, found)
        except BaseException:
            source.close()
            raise
        if done is None:
            source.close()
            return None
        limit = self._options.maximum_rejected
        trial = Trial(limit) if self._options.dry_run and limit else None
        return FileLoad(path, file_type, source, load, done, stamp, chunk_size, trial=trial)

    async def trial_of(self, file: FileLoad, limit: str) -> FileLoad:
        """The same batches once more, to be checked before the first is written."""
        return replace(await self._again(file), trial=Trial(limit))

    async def take_up(self, file: FileLoad) -> FileLoad:
        """Once more what was taken out of it when the table got its key; its other batches stand."""
        done = await self._asking(lambda c: manifest.committed_batches(c, file.load))
        return replace(await self._again(file), done=done)

    async def _again(self, file: FileLoad) -> FileLoad:
        source = await self._read(
            lambda: open_source(file.path, self._options, self._plan.target, chunk_size=file.chunk_size)
        )
        return replace(file, source=source, counts=BatchCounts(), batches=0)

    async def lacking_batches(self, files: Sequence[FileLoad]) -> list[FileLoad]:
        """Those of which batches were taken out."""
        found = await self._asking(lambda c: manifest.count_batches(c, [file.load for file in files]))
        return [file for file in files if found.get(file.load.load_id, 0) < file.batches_stored]

    async def recounted(self, file: FileLoad, result: FileResult) -> FileResult:
        """Of a file that has failed: what is left of it."""
        found = await self._trying(lambda c: manifest.load_counts(c, file.load))
        return replace(result, batches=found[0], counts=found[1]) if found else result

    async def refuse_too_many_rejects(self, file: FileLoad) -> None:
        """Raises TooManyRejectedError. Of a load that begins here the manifest keeps which rows they are."""
        committed = BatchCounts()
        if file.done:
            _, committed = await self._asking(lambda c: manifest.load_counts(c, file.load))
        counts, trial = committed + file.counts, file.trial
        if trial is None or not trial.refuses(counts):
            return
        if not (file.done or self._options.dry_run):
            await self._trying(lambda c: manifest.record_refused(c, file.load, trial.rejects_by_batch()))
        raise trial.refusal(file.path, counts, committed)

    async def finish(self, file: FileLoad) -> FileResult:
        """`success`, when the last batch has committed; `pending` where some were taken out again since. SourceError
        where the file is no longer what was checked."""
        if await self._read(stamp_of, file.path) != file.stamp:
            raise SourceError(
                f"{file.path} was changed while it was read: what it held before stands in the table in part; "
                "load it again when nobody writes to it"
            )
        await self.refuse_too_many_rejects(file)
        if self._options.dry_run:
            return self._result(file, file.batches, file.counts)
        return await self._asking(lambda c: self._finished(c, file))

    async def _finished(self, connection: Connection, file: FileLoad) -> FileResult:
        await manifest.lock_load(connection, file.load)
        batches, counts = await manifest.load_counts(connection, file.load)
        if batches < file.batches_stored:
            return FileResult(stored_name(file.path), file.file_type, FileStatus.PENDING, counts, batches)
        _reconcile(file.path, counts)
        result = self._result(file, batches, counts)
        await manifest.finish_load(connection, file.load, result.status, result.notes)
        return result

    def _result(self, file: FileLoad, batches: int, counts: BatchCounts) -> FileResult:
        if self._options.maximum_rejected is None:
            refuse_most_rejected(file.path, counts, is_written=not self._options.dry_run)
        notes = _notes(counts, self._lacking(file.source))
        return FileResult(stored_name(file.path), file.file_type, FileStatus.SUCCESS, counts, batches, notes=notes)

    async def fail(self, file: FileLoad | None, path: Path, file_type: FileType, error: EtlError) -> FileResult:
        """What has committed stays, and is known: `--resume` takes the rest up."""
        counts, batches = (file.counts, file.batches) if file else (BatchCounts(), 0)
        if isinstance(error, TooManyRejectedError):
            counts = error.counts
        is_anothers = isinstance(error, ConflictError) or (file is None and isinstance(error, FencedError))
        if not self._options.dry_run and not is_anothers:
            load = file.load if file else await self._entry_of_failed(path, file_type)
            if load is not None:
                await self._trying(lambda c: manifest.finish_load(c, load, FileStatus.FAILED, error.message))
        return FileResult(stored_name(path), file_type, FileStatus.FAILED, counts, batches, notes=error.message)

    async def interrupted(self, file: FileLoad) -> None:
        """The file stays `pending`; its note says why."""
        if not self._options.dry_run:
            note = f"interrupted after {len(file.done) + file.batches} batches; --resume takes up the rest"
            await self._trying(lambda c: manifest.finish_load(c, file.load, FileStatus.PENDING, note))

    # --- what to load -------------------------------------------------------------------------------------------

    async def _found(self, path: Path) -> Entry | None:
        if self._options.dry_run:
            return None
        return await self._asking(
            lambda c: manifest.find_entry(c, stored_name(path.resolve()), self._plan.manifest_table)
        )

    def _choose_load(self, path: Path, checksum: str, entry: Entry | None) -> tuple[Load, int]:
        """A load that goes on with its batches as they were cut, or a new one."""
        options, name = self._options, stored_name(path.resolve())
        new = self._load(name, uuid.uuid4().hex), options.chunk_size
        if entry is None or entry.checksum != checksum:
            self._refuse_adding_to_leftovers(path, entry)
            return new
        if options.resume and entry.status is FileStatus.SUCCESS:
            raise NothingToLoad(self._why_skipped(entry))
        if entry.status is FileStatus.SUCCESS or not entry.has_left_rows or options.restart:
            return new
        if options.resume and self._is_cut_alike(path, entry):
            return self._load(name, entry.load_id), entry.chunk_size
        self._refuse_doubling(path, entry)
        return new

    def _load(self, name: str, load_id: str) -> Load:
        plan = self._plan
        token = plan.dsn.fence.token if plan.dsn.fence else None
        return Load(name, plan.manifest_table, load_id, self._options.run_id or "", token, plan.fence)

    def _why_skipped(self, entry: Entry) -> str:
        """Rows may have been moved on from there: an emptied table is no reason to load them once more."""
        told = f"stands in the table since run {entry.run_id}, with the same checksum"
        if entry.rows and self._plan.target.is_empty:
            return f"{told}; but the table is empty now: without --resume the file is loaded again"
        return told

    def _is_cut_alike(self, path: Path, entry: Entry) -> bool:
        differing = cut_otherwise(entry.options, self._options)
        if entry.mode is not self._options.mode:
            differing.append("mode")
        if differing:
            log.warning(
                "load not resumed", file=stored_name(path), options_that_differ=differing, next_step="from the start"
            )
        elif entry.chunk_size != self._options.chunk_size:
            log.info("chunk size of the earlier run kept", file=stored_name(path), chunk_size=entry.chunk_size)
        return not differing

    def _refuse_doubling(self, path: Path, entry: Entry) -> None:
        if self._options.mode is Mode.APPEND:
            raise ConflictError(
                f"{path}: {entry.batches} batches of it were appended by run {entry.run_id}, which did not end; "
                "--resume appends the rest, with the options of that run; --restart appends all of it once more"
            )

    def _refuse_adding_to_leftovers(self, path: Path, entry: Entry | None) -> None:
        """Of the batches that an earlier content has left nobody knows which the new one holds too."""
        if entry is None or not entry.has_left_rows or entry.status is FileStatus.SUCCESS:
            return
        if self._options.mode is Mode.APPEND and not self._options.restart:
            raise ConflictError(
                f"{path} has changed since run {entry.run_id} appended {entry.batches} batches of it and did not end; "
                "delete the rows that it left in the table, then --restart appends the file as it is now"
            )

    def _check_types(self, declared: dict[str, str]) -> None:
        types, zone = self._plan.target.plain_types, self._options.timezone
        faults = [
            f"  column {name}: the table has {types[name]}, the file brings {source}"
            for name, source in declared.items()
            if name in types and not fits(source, types[name], has_timezone=zone is not None)
        ]
        if faults:
            raise SchemaMismatchError("\n".join([f"the file does not fit {self._options.table}:", *faults]))

    async def _check_columns(self, source: Source) -> None:
        if len(source.columns) > COLUMNS_OF_A_TABLE:
            raise SourceError(
                f"{source.path}: expected at most {COLUMNS_OF_A_TABLE:,} columns, found {len(source.columns):,}; COPY "
                "takes no more, those that nobody asks for among them: cut the file, or write it as Parquet"
            )
        lacking = self._lacking(source)
        if lacking:
            deciding = {*self._plan.key, *(each.name for each in self._options.dedup_order_by)}
            names = await self._read(column_names, source.path, self._options)
            refuse_lacking(source.path, lacking, deciding, names or (), self._options)

    def _lacking(self, source: Source) -> list[str]:
        there = {column.header for column in source.columns}
        return [header.name for header in self._options.headers if header.name not in there]

    # --- the manifest -------------------------------------------------------------------------------------------

    async def _begun(
        self, load: Load, source: Source, checksum: str, chunk_size: int, found: Entry | None
    ) -> frozenset[int] | None:
        if self._options.dry_run:
            return frozenset()
        return await self._asking(
            lambda c: manifest.begin_load(
                c,
                load,
                found=found,
                checksum=checksum,
                size_bytes=source.size_bytes,
                file_type=source.file_type,
                mode=self._options.mode,
                chunk_size=chunk_size,
                options=options_json(self._options),
            )
        )

    async def _entry_of_failed(self, path: Path, file_type: FileType) -> Load | None:
        """A file that failed before it was begun gets its row all the same, unless an earlier load's stands there."""
        name, table, options = stored_name(path.resolve()), self._plan.manifest_table, self._options
        load = self._load(name, uuid.uuid4().hex)

        async def begin(connection: Connection) -> Load | None:
            entry = await manifest.find_entry(connection, name, table)
            if entry is not None and entry.batches:
                return Load(name, table, entry.load_id, entry.run_id)
            begun = await manifest.begin_load(
                connection,
                load,
                found=entry,
                checksum="",
                size_bytes=path.stat().st_size if path.exists() else 0,
                file_type=file_type,
                mode=options.mode,
                chunk_size=options.chunk_size,
                options=options_json(options),
            )
            return None if begun is None else load

        return await self._trying(begin)

    async def _trying(self, ask: Callable[[Connection], Awaitable[Answer]]) -> Answer | None:
        """The database may be why the file failed: then the run's own report has to do."""
        try:
            return await asyncio.wait_for(self._asking(ask, retries=0), timeout=10)
        except (EtlError, TimeoutError) as error:
            log.warning("manifest not written", error=str(error), next_step="uploader status shows the file as pending")
            return None

    async def _asking(self, ask: Callable[[Connection], Awaitable[Answer]], retries: int | None = None) -> Answer:
        """In one transaction, under the run's limits; again after what passes."""

        async def once() -> Answer:
            async with self._connection() as connection:
                return await ask(connection)

        retries = self._options.max_retries if retries is None else retries
        return await retrying_async(retries, "manifest asked again")(once)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        with door(self._plan.dsn, "the manifest"):
            acquired = self._pool.acquire(timeout=self._options.connect_timeout_seconds)
            async with acquired as connection, transaction(connection, *self._plan.limits):
                yield connection

    async def _read(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, function, *arguments)
        except OSError as error:
            raise SourceError(f"the file cannot be read: {error}") from error


def stamp_of(path: Path) -> Stamp:
    """What changes with a file's content, for next to nothing."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _reconcile(path: Path, counts: BatchCounts) -> None:
    accounted = (
        counts.rows_inserted
        + counts.rows_updated
        + counts.rows_unchanged
        + counts.rows_rejected
        + counts.rows_deduplicated
    )
    if accounted != counts.rows_read:
        raise ReconciliationError(
            f"{path}: {counts.rows_read} rows were read and {accounted} accounted for ({counts}); this is a "
            "fault of the uploader, keep the file and report it"
        )


def _notes(counts: BatchCounts, lacking: Sequence[str]) -> str:
    told = {
        "rows rejected": counts.rows_rejected,
        "rows deduplicated": counts.rows_deduplicated,
        "rows padded": counts.rows_padded,
        "NUL characters stripped or replaced": counts.nul_characters,
    }
    notes = [f"{count:,} {what}" for what, count in told.items() if count]
    notes += [f"the file has no column {', '.join(lacking)}"] if lacking else []
    return ", ".join(notes)

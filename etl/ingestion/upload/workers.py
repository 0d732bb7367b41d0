"""The workers: each stores one batch at a time on a connection of its own, and tries again what may pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import asyncpg
import structlog

from etl.errors import EtlError, StoreError, TransientError
from etl.ingestion.database.connection import Connection, UploadStoreError, door, is_lost
from etl.ingestion.model import BadRows, Batch
from etl.ingestion.opening import MAXIMUM_BATCH_BYTES
from etl.ingestion.upload.batch import NOTHING, BadValuesFound, LeftOut, Written, check_only, write_batch
from etl.ingestion.upload.diagnosis import as_rejects, bad_row_error, find_bad_values, refused_as_said
from etl.ingestion.upload.file import FileLoad
from etl.ingestion.upload.plan import WritePlan
from etl.ingestion.watch.observers import BatchDone, Observers
from etl.names import stored_name
from etl.retrying import Retry, retrying_async

USUAL_BATCH_BYTES = 8 * 1024 * 1024
"""What is in flight for each connection, however many batches that is; the largest batch comes on top."""

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


@dataclass
class _Task:
    file: FileLoad
    batch: Batch
    bytes_read: int
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Workers:
    def __init__(self, plan: WritePlan, pool: asyncpg.Pool, observers: Observers) -> None:
        self._plan = plan
        self._pool = pool
        self._observers = observers
        concurrency = plan.options.concurrency
        # reading is many times faster than storing: one batch ahead keeps every worker busy
        self._queue: asyncio.Queue[_Task] = asyncio.Queue(maxsize=1)
        self._budget = _ByteBudget(MAXIMUM_BATCH_BYTES + concurrency * USUAL_BATCH_BYTES)
        self._running: list[asyncio.Task[None]] = []
        self.retries = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            self._running = [group.create_task(self._work(n)) for n in range(1, self._plan.options.concurrency + 1)]
            try:
                yield
            finally:
                await self._stop()

    async def _stop(self) -> None:
        """What is under way is rolled back. Each file asks for this: a second time would break off the rolling back."""
        for worker in self._running:
            if not worker.cancelling():
                worker.cancel()
        await asyncio.wait(self._running)

    async def load(self, file: FileLoad, readers: ThreadPoolExecutor) -> None:
        """Until every batch of the file has committed, or one has failed: then that error is raised."""
        under_way: set[asyncio.Future[None]] = set()
        try:
            async for batch in _batches(file, readers):
                await self._budget.take(batch.size_bytes)
                task = _Task(file, batch, file.source.bytes_read)
                await self._queue.put(task)
                under_way.add(task.done)
                task.done.add_done_callback(under_way.discard)
                if file.is_settled:
                    break
        except asyncio.CancelledError:
            await self._stop()  # the whole run ends: nobody will take what is still in the queue
            raise
        except Exception as error:  # noqa: BLE001 - raised below, when no batch of the file is under way any more
            file.error = file.error or error
        if under_way:
            await asyncio.wait(under_way)
        if file.error is not None:
            raise file.error

    async def _work(self, worker: int) -> None:
        session = _Session(self._plan, self._pool)
        try:
            while True:
                task = await self._queue.get()
                try:
                    if not task.file.is_settled:
                        await self._do(session, worker, task)
                finally:
                    await self._budget.give_back(task.batch.size_bytes)
                    if not task.done.done():
                        task.done.set_result(None)
        finally:
            await session.close()

    async def _do(self, session: _Session, worker: int, task: _Task) -> None:
        file, batch, started = task.file, task.batch, time.perf_counter()
        try:
            written = await self._store(session, worker, file, batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this file's alone
            if file.error is None:
                file.error, file.failed_batch = error, batch.index
            return
        file.counts += written.counts
        file.batches += 1
        if file.trial is not None:
            file.trial.heard(batch.index, written.rejects)
            if not self._plan.options.dry_run:
                return
        self._observers.batch_done(
            BatchDone(
                path=stored_name(file.path),
                file_type=file.file_type,
                batch_index=batch.index,
                worker_id=worker,
                counts=written.counts,
                staged_rows=written.staged_rows,
                seconds=time.perf_counter() - started,
                bytes_read=task.bytes_read,
            )
        )

    async def _store(self, session: _Session, worker: int, file: FileLoad, batch: Batch) -> Written:
        """As it is; where PostgreSQL refuses a row of it, looked at row by row."""
        attempt = partial(self._attempt, session, worker, file)
        try:
            return await attempt(batch)
        except BadValuesFound:
            refused: UploadStoreError | None = None
        except UploadStoreError as error:
            if not error.is_of_the_data:
                raise
            refused = error
        checked = await asyncio.to_thread(file.source.checked, batch)
        if checked is not batch and refused is not None:
            with suppress(BadValuesFound, UploadStoreError):
                return await attempt(checked)
        return await self._store_the_good(session, worker, file, checked, refused)

    async def _store_the_good(
        self, session: _Session, worker: int, file: FileLoad, batch: Batch, refused: UploadStoreError | None
    ) -> Written:
        try:
            bad, loose = await self._retrying(
                session, file, batch, lambda c: find_bad_values(c, self._plan, worker, batch)
            )
        except UploadStoreError as error:  # a type that cannot be asked; what was said first says more
            raise self._unexplained(file, batch, refused or error) from error
        if not bad:
            raise self._unexplained(file, batch, refused)
        rejects = as_rejects(file.source, batch, bad)
        if self._plan.options.bad_rows is BadRows.FAIL:
            raise bad_row_error(file.source, rejects)
        return await self._attempt(session, worker, file, batch, LeftOut(rejects, loose))

    @staticmethod
    def _unexplained(file: FileLoad, batch: Batch, refused: UploadStoreError | None) -> EtlError:
        """No value is bad by itself: a constraint over several, or another unique key."""
        if refused is None:
            return StoreError(f"{file.path}, batch {batch.index}: bad values that are gone when looked at again")
        return refused_as_said(file.source, batch, refused) or refused

    async def _attempt(
        self, session: _Session, worker: int, file: FileLoad, batch: Batch, left_out: LeftOut = NOTHING
    ) -> Written:
        async def once(connection: Connection) -> Written:
            if self._plan.options.dry_run or file.trial is not None:
                return await check_only(connection, self._plan, worker, batch, left_out)
            return await write_batch(connection, self._plan, file.load, worker, batch, left_out)

        return await self._retrying(session, file, batch, once)

    async def _retrying(
        self, session: _Session, file: FileLoad, batch: Batch, once: Callable[[Connection], Awaitable[Answer]]
    ) -> Answer:
        path, index = stored_name(file.path), batch.index

        def heard(retry: Retry) -> None:
            self.retries += 1
            self._observers.batch_retried(path, index, *retry)

        # tenacity's objects refer to one another: a batch that they knew would live until the garbage collector came
        async for attempt in retrying_async(self._plan.options.max_retries, "batch retried", heard=heard):
            with attempt:
                return await self._once(session, once)
        raise AssertionError("tenacity tries at least once")

    @staticmethod
    async def _once(session: _Session, once: Callable[[Connection], Awaitable[Answer]]) -> Answer:
        connection = await session.connection()
        try:
            return await once(connection)
        except TransientError:
            await session.drop()
            raise


async def _batches(file: FileLoad, readers: ThreadPoolExecutor) -> AsyncIterator[Batch]:
    """Cut in a reader's thread, one ahead of whoever takes them."""
    loop = asyncio.get_running_loop()
    batches = file.source.batches(file.done)
    while (batch := await loop.run_in_executor(readers, next, batches, None)) is not None:
        yield batch


class _Session:
    """A worker's own connection; a new one after it broke."""

    def __init__(self, plan: WritePlan, pool: asyncpg.Pool) -> None:
        self._plan = plan
        self._pool = pool
        self._held: Connection | None = None

    async def connection(self) -> Connection:
        if self._held is None or is_lost(self._held):
            await self.drop()
            with door(self._plan.dsn, "connect"):
                self._held = await self._pool.acquire(timeout=self._plan.options.connect_timeout_seconds)
        return self._held

    async def drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._pool.release(held, timeout=5)

    async def close(self) -> None:
        await asyncio.shield(self.drop())


class _ByteBudget:
    """What all batches in flight may weigh together; one alone may weigh anything."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = asyncio.Condition()

    async def take(self, size: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._taken == 0 or self._taken + size <= self._limit)
            self._taken += size

    async def give_back(self, size: int) -> None:
        async with self._changed:
            self._taken -= size
            self._changed.notify_all()

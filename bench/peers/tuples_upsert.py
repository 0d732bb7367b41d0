"""The plain path: iter_batches → tuples → copy_records_to_table → INSERT … ON CONFLICT, one transaction a batch.

Prints its seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
from pyarrow import parquet

BATCH_ROWS = 50_000
WORKERS = 4

Rows = list[tuple[Any, ...]]


async def upsert_file(file: str, staging: str, create: str, upsert: str) -> None:
    queue: asyncio.Queue[Rows | None] = asyncio.Queue(WORKERS)
    async with (
        asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=WORKERS, max_size=WORKERS) as pool,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(WORKERS):
            tasks.create_task(_work(pool, queue, staging, create, upsert))
        batches = _batches(file)
        while rows := await asyncio.to_thread(next, batches, None):
            await queue.put(rows)
        for _ in range(WORKERS):
            await queue.put(None)


async def _work(pool: asyncpg.Pool, queue: asyncio.Queue[Rows | None], staging: str, create: str, upsert: str) -> None:
    async with pool.acquire() as connection:
        while rows := await queue.get():
            async with connection.transaction():
                await connection.execute(create)
                await connection.copy_records_to_table(staging, records=rows)
                await connection.execute(upsert)


def _batches(file: str) -> Iterator[Rows]:
    with parquet.ParquetFile(file) as source:
        for batch in source.iter_batches(BATCH_ROWS):
            yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


if __name__ == "__main__":
    started = time.perf_counter()
    asyncio.run(upsert_file(*sys.argv[1:]))
    print(time.perf_counter() - started)

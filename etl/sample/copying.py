"""Builds rows and copies them in, both at once: the next chunk becomes CSV while PostgreSQL takes the one before."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from etl.sample.rows import Rows, World
from etl.sample.tables import BUILDERS_BY_DOMAIN
from etl.sample.values import Columns

CHUNK_ROWS = 25_000
_CHUNKS_AHEAD = 3
_READ_BYTES = 1 << 18

Soiler = Callable[[Rows, Columns], Columns]
"""Spoils some of the values on their way (dirty.py), or hands the columns back as they are."""


def copy_domain(cursor: Cursor, world: World, domain: str, soil: Soiler) -> int:
    """Rows written. The cursor belongs to the copying thread until this returns."""
    pending: deque[Future[int]] = deque()
    written = 0
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="copy") as copier:
        for table, columns in _chunks(world, domain, soil):
            pending.append(copier.submit(_copy_chunk, cursor, table, list(columns), _csv(columns)))
            while len(pending) > _CHUNKS_AHEAD:
                written += pending.popleft().result()
        written += sum(copied.result() for copied in pending)
    return written


def _chunks(world: World, domain: str, soil: Soiler) -> Iterator[tuple[str, Columns]]:
    for table, build in BUILDERS_BY_DOMAIN[domain].items():
        first, end = world.before[table], world.total(table)
        for start in range(first, end, CHUNK_ROWS):
            rows = world.rows(table, np.arange(start, min(start + CHUNK_ROWS, end)))
            yield table, soil(rows, build(rows))


def _csv(columns: Columns) -> pa.Buffer:
    """NULL is an empty field, every text is quoted: '' and NULL stay apart."""
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(pa.table(columns), sink, pa_csv.WriteOptions(include_header=False))
    return sink.getvalue()


def _copy_chunk(cursor: Cursor, table: str, columns: list[str], csv: pa.Buffer) -> int:
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(table), names)
    cursor.copy_expert(statement, io.BytesIO(csv), size=_READ_BYTES)
    return cursor.rowcount

"""What an executor does with one partition: COPY after COPY in one transaction, and a receipt."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg2
import pyarrow as pa

from etl.config.settings import PostgreSQLSettings
from etl.errors import ReconciliationError
from etl.load.executors import Attempt, Receipt
from etl.load.postgresql.door import transaction
from etl.load.postgresql.transfer.encoding import encode
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.run_table import copy_into

_READ_BYTES = 1 << 20
COPY_BYTES = 16 << 20
"""After so many a COPY ends and the next begins. PostgreSQL keeps a thousand rows of a binary COPY in memory, however
long they are, before it stores any, and takes no more from us as long as it does: of rows of a megabyte that was a
gigabyte, and minutes."""


@dataclass(frozen=True)
class CopyConfig:
    """Everything an executor needs; the password in it is a SecretStr."""

    settings: PostgreSQLSettings
    staging: Table
    columns: tuple[StagedColumn, ...]
    copy_format: Literal["binary", "csv"]


def copy_partition(batches: Iterator[pa.RecordBatch], attempt: Attempt, config: CopyConfig) -> Receipt:
    filled = (batch for batch in batches if batch.num_rows)
    first = next(filled, None)
    if first is None:
        return Receipt(attempt.part, attempt.number, rows=0, bytes=0)
    return _copy(itertools.chain([first], filled), attempt, config)


def _copy(batches: Iterator[pa.RecordBatch], attempt: Attempt, config: CopyConfig) -> Receipt:
    rows = size = 0
    with transaction(config.settings, f"copy into {config.staging}") as cursor:
        for piece in _pieces(batches):
            copied, sent = _copy_piece(cursor, piece, attempt, config)
            rows, size = rows + copied, size + sent
    return Receipt(attempt.part, attempt.number, rows=rows, bytes=size)


def _copy_piece(
    cursor: Any, batches: Iterator[pa.RecordBatch], attempt: Attempt, config: CopyConfig
) -> tuple[int, int]:
    """How many rows, and bytes, went in."""
    counts = [0]
    stream = ByteStream(encode(_counted(batches, counts), config.columns, attempt.number, config.copy_format))
    try:
        cursor.copy_expert(copy_into(config.staging, config.columns, config.copy_format), stream, _READ_BYTES)
    except psycopg2.Error:
        if stream.failure is not None:  # psycopg2 reports it as a COPY that somebody cancelled
            raise stream.failure from None
        raise
    if cursor.rowcount != counts[0]:
        raise ReconciliationError(f"expected {counts[0]} rows copied into {config.staging}, found {cursor.rowcount}")
    return counts[0], stream.size


def _pieces(batches: Iterator[pa.RecordBatch]) -> Iterator[Iterator[pa.RecordBatch]]:
    """Each is to be read to its end before the next is asked for."""
    for first in batches:
        yield _up_to(COPY_BYTES, itertools.chain([first], batches))


def _up_to(size: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        size -= batch.nbytes
        if size <= 0:
            return


def _counted(batches: Iterator[pa.RecordBatch], counts: list[int]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        counts[0] += batch.num_rows
        yield batch


class ByteStream:
    """What psycopg2's COPY reads from: chunks of any size, handed out in pieces of at most `size` bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.size = 0
        self.failure: BaseException | None = None

    def read(self, size: int = _READ_BYTES) -> bytes:
        while not self._rest:
            try:
                chunk = next(self._chunks, None)
            except BaseException as error:
                self.failure = error
                raise
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        piece, self._rest = self._rest[:size], self._rest[size:]
        self.size += len(piece)
        return bytes(piece)

"""What an executor does with one partition: one COPY in one transaction, and a receipt."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, ReconciliationError
from etl.load.executors import Attempt, Receipt
from etl.load.postgresql.door import transaction
from etl.load.postgresql.transfer.encoding import encode
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.run_table import copy_into

_READ_BYTES = 1 << 20


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
    stream = ByteStream(encode(_counted(batches, counts := [0]), config.columns, attempt.number, config.copy_format))
    try:
        with transaction(config.settings, f"copy into {config.staging}") as cursor:
            cursor.copy_expert(copy_into(config.staging, config.columns, config.copy_format), stream, _READ_BYTES)
            if cursor.rowcount != counts[0]:
                raise ReconciliationError(
                    f"expected {counts[0]} rows copied into {config.staging}, found {cursor.rowcount}"
                )
    except EtlError:
        if stream.failure is not None:  # psycopg2 reports it as a COPY that somebody cancelled
            raise stream.failure from None
        raise
    return Receipt(attempt.part, attempt.number, rows=counts[0], bytes=stream.size)


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

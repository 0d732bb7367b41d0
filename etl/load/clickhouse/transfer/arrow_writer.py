"""Runs on the executors: one Arrow stream over HTTP a partition, into a table of that attempt alone.

ClickHouse stores timestamps and dates outside 1900..2299 as something else without a word, and takes a NULL array as an
empty one; so every batch is looked at before it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import RawIOBase
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.load.executors import Attempt, Receipt
from etl.statements.clickhouse.names import StagingNames
from etl.statements.clickhouse.tables import TableShape, create_table, insert_arrow

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2299, 12, 31)


@dataclass(frozen=True)
class ArrowWriterConfig:
    """What an executor needs.

    Batches come with `columns` in this order, whatever they are called there; `required` columns take no NULL,
    `whole_arrays` refuses NULL arrays.
    """

    settings: ClickHouseSettings
    names: StagingNames
    shape: TableShape
    columns: tuple[str, ...]
    required: frozenset[str]
    whole_arrays: bool


@dataclass
class Refusals:
    """How many values of a partition ClickHouse may not get, by column and reason."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, column: str, reason: str, rows: int) -> None:
        if rows:
            self.counts[column, reason] = self.counts.get((column, reason), 0) + rows

    def to_detail(self) -> str:
        listed = [[column, reason, rows] for (column, reason), rows in sorted(self.counts.items())]
        return orjson.dumps({"refused": listed}).decode()


def write_arrow_partition(batches: Iterator[pa.RecordBatch], attempt: Attempt, config: ArrowWriterConfig) -> Receipt:
    """Stages a partition; values that ClickHouse may not get come back as the receipt's detail."""
    stream = _PartitionStream(batches, config)
    if not stream.has_rows:
        return Receipt(attempt.part, attempt.number, rows=0, bytes=0)
    table = config.names.attempt(attempt.part, attempt.number)
    detail = ""
    try:
        with ClickHouseDoor(config.settings) as door:
            door.execute(create_table(config.names.database, table, config.shape))
            door.insert(insert_arrow(config.names.database, table, config.columns), stream.chunks())
    except RefusedValuesError as error:
        detail = error.refusals.to_detail()
    return Receipt(attempt.part, attempt.number, stream.rows, stream.bytes, detail)


class RefusedValuesError(Exception):
    """Breaks the stream off: the partition holds values that ClickHouse may not get."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__("values that ClickHouse may not get")
        self.refusals = refusals


class _PartitionStream:
    """The partition's batches as the chunks of one Arrow IPC stream; counts rows and bytes as they pass."""

    def __init__(self, batches: Iterator[pa.RecordBatch], config: ArrowWriterConfig) -> None:
        self._batches = (batch.rename_columns(list(config.columns)) for batch in batches if batch.num_rows)
        self._config = config
        self._first = next(self._batches, None)
        self.rows = 0
        self.bytes = 0

    @property
    def has_rows(self) -> bool:
        return self._first is not None

    def chunks(self) -> Iterator[bytes]:
        sink = _Chunks()
        assert self._first is not None  # noqa: S101 - has_rows is asked first
        with pa.ipc.new_stream(pa.PythonFile(sink, "w"), self._first.schema) as writer:
            for batch in self._all_batches():
                self._inspect(batch)
                writer.write_batch(batch)
                self.rows += batch.num_rows
                yield from self._counted(sink)
        yield from self._counted(sink)

    def _all_batches(self) -> Iterator[pa.RecordBatch]:
        if self._first is not None:
            yield self._first
        yield from self._batches

    def _counted(self, sink: _Chunks) -> Iterator[bytes]:
        chunk = sink.take()
        if chunk:
            self.bytes += len(chunk)
            yield chunk

    def _inspect(self, batch: pa.RecordBatch) -> None:
        refusals = Refusals()
        inspect_batch(batch, self._config, refusals)
        if refusals.counts:
            # nothing more is sent; the rest is only counted, so that the message has the whole number
            for rest in self._batches:
                inspect_batch(rest, self._config, refusals)
            raise RefusedValuesError(refusals)


def inspect_batch(batch: pa.RecordBatch, config: ArrowWriterConfig, refusals: Refusals) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count and name in config.required:
            refusals.add(name, "null", column.null_count)
        if pa.types.is_list(column.type):
            if config.whole_arrays:
                refusals.add(name, "null_array", column.null_count)
            column = column.flatten()
        refusals.add(name, "range", _count_out_of_range(column))


def _count_out_of_range(column: pa.Array) -> int:
    limits = _limits(column.type)
    if limits is None or len(column) == column.null_count:
        return 0
    low, high = limits
    found: dict[str, Any] = pc.min_max(column)
    if found["min"].value >= low.value and found["max"].value <= high.value:
        return 0
    return int(pc.sum(pc.or_(pc.less(column, low), pc.greater(column, high))).as_py())


def _limits(kind: pa.DataType) -> tuple[Any, Any] | None:
    if pa.types.is_date32(kind):
        return pa.scalar(FIRST_DAY, kind), pa.scalar(LAST_DAY, kind)
    if pa.types.is_timestamp(kind):
        first = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
        last = datetime.combine(LAST_DAY, datetime.max.time(), UTC)
        return pa.scalar(first, kind), pa.scalar(last, kind)
    return None


class _Chunks(RawIOBase):
    """A writable file that hands out what was written since the last time it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        chunk = b"".join(self._parts)
        self._parts.clear()
        return chunk

"""Brings a small table's rows to the driver by one COPY, as Arrow: no JDBC, and no Spark job that reads."""

from __future__ import annotations

import io
from itertools import accumulate, chain
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import StructField, StructType

from etl.extract.postgresql.selection import Selection
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.model import POSTGRESQL_TYPE, TRANSACTION, UNREADABLE, WATERMARK
from etl.spark.local_frame import HeldFrame, type_named
from etl.statements.source.columns import ARRAY, DAY, INSTANT, Reading

_FIRST_BLOCK = 1 << 20
"""Of the reader of CSV, at least; a block must hold whole rows, so the whole text is one."""


class TooManyBytes(Exception):
    """The rows are more than the driver is to hold."""


def copy_table(
    spark: SparkSession, snapshot: SourceSnapshot, selection: Selection, most_bytes: int
) -> DataFrame | None:
    """The same frame as `read_table`, its rows in memory; None where they have more than `most_bytes` as text, or are
    not as Arrow reads them."""
    text = _Bounded(most_bytes)
    try:
        snapshot.copy(selection.table, f"COPY ({selection.query()}) TO STDOUT (FORMAT csv)", text)
        rows = rows_of(text.getbuffer(), selection)
    except (TooManyBytes, pa.ArrowInvalid):
        return None
    return _framed(spark, rows, selection)


def rows_of(text: memoryview | bytes, selection: Selection) -> pa.Table:
    """CSV of `selection.query` as Arrow: each value as what it is in the frame."""
    kinds = {reading.column.name: reading.transport_type for reading in selection.readings}
    if selection.has_unreadable:
        kinds[UNREADABLE] = "string"
    if selection.has_transaction:
        kinds[TRANSACTION] = "bigint"
    travelling = {name: to_arrow_type(type_named(kind), timezone="UTC") for name, kind in kinds.items()}
    if not len(text):
        return _settled(pa.schema(list(travelling.items())).empty_table(), selection)
    rows = pyarrow.csv.read_csv(
        pa.BufferReader(text),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, block_size=max(_FIRST_BLOCK, len(text) + 1), column_names=list(kinds)
        ),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            # bytes come as hexadecimal text
            column_types={n: pa.string() if pa.types.is_binary(kind) else kind for n, kind in travelling.items()},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return _settled(rows, selection)


class _Bounded(io.BytesIO):
    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def write(self, piece: object) -> int:
        written = super().write(piece)  # type: ignore[arg-type]
        if self.tell() > self._most_bytes:
            raise TooManyBytes
        return written


def _settled(rows: pa.Table, selection: Selection) -> pa.Table:
    columns = {reading.column.name: _value(rows.column(reading.column.name), reading) for reading in selection.readings}
    for reading in selection.gone:
        columns[reading.column.name] = pa.nulls(
            rows.num_rows, to_arrow_type(type_named(reading.spark_type), timezone="UTC")
        )
    if selection.watermark:
        columns[WATERMARK] = columns[selection.watermark.column.name]
    if selection.has_unreadable:
        columns[UNREADABLE] = rows.column(UNREADABLE)
    if selection.has_transaction:
        columns[TRANSACTION] = rows.column(TRANSACTION)
    return pa.table(columns)


def _value(column: pa.ChunkedArray, reading: Reading) -> pa.ChunkedArray | pa.Array:
    if reading.kind == INSTANT:
        return column.cast(pa.timestamp("us", "UTC"))
    if reading.kind == DAY:
        return column.cast(pa.date32())
    if reading.kind == ARRAY:
        return _lists(column.to_pylist(), to_arrow_type(type_named(reading.spark_type), timezone="UTC"))
    if reading.transport_type == "binary":
        return pa.array([None if value is None else _unhexed(value) for value in column.to_pylist()], pa.binary())
    return column


def _lists(texts: list[str | None], kind: pa.ListType) -> pa.Array:
    """Of JSON, as `reading_of` has them written."""
    lists = [None if text is None else orjson.loads(text) for text in texts]
    lengths = [len(each) if each else 0 for each in lists]
    values = _elements(list(chain.from_iterable(filter(None, lists))), kind.value_type)
    missing = pa.array([each is None for each in lists], pa.bool_())
    return pa.ListArray.from_arrays(pa.array([0, *accumulate(lengths)], pa.int32()), values, mask=missing)


def _elements(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    if pa.types.is_date(kind):
        return pa.array(values, pa.int32()).cast(kind)
    if pa.types.is_binary(kind):
        return pa.array([None if value is None else _unhexed(value) for value in values], kind)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)


def _unhexed(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("\\x"))


def _framed(spark: SparkSession, rows: pa.Table, selection: Selection) -> DataFrame:
    kinds = {each.column.name: each.spark_type for each in (*selection.readings, *selection.gone)}
    if selection.watermark:
        kinds[WATERMARK] = selection.watermark.spark_type
    if selection.has_transaction:
        kinds[TRANSACTION] = "bigint"
    types = selection.types
    fields = [
        StructField(name, type_named(kinds.get(name, "string")), True, _metadata(types.get(name)))
        for name in rows.column_names
    ]
    return HeldFrame(spark, rows, StructType(fields))


def _metadata(source_type: str | None) -> dict[str, str]:
    return {POSTGRESQL_TYPE: source_type} if source_type else {}

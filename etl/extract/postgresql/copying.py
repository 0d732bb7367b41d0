"""Brings a small table's rows to the driver by one COPY, as Arrow: no JDBC, and no Spark job that reads."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.csv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import StructField, StructType

from etl.extract.postgresql.selection import Selection
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.extract.postgresql.tables import value_of
from etl.model import POSTGRESQL_TYPE, UNREADABLE, WATERMARK
from etl.spark.local_frame import local_frame, type_named
from etl.statements.quoting import spark_identifier
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
    """CSV of `selection.query` as Arrow: instants and days as what they are, arrays as JSON."""
    kinds = {reading.column.name: reading.transport_type for reading in selection.readings}
    if selection.has_unreadable:
        kinds[UNREADABLE] = "string"
    travelling = {name: to_arrow_type(type_named(kind)) for name, kind in kinds.items()}
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
        columns[reading.column.name] = pa.nulls(rows.num_rows, to_arrow_type(type_named(reading.spark_type)))
    if selection.watermark:
        columns[WATERMARK] = columns[selection.watermark.column.name]
    if selection.has_unreadable:
        columns[UNREADABLE] = rows.column(UNREADABLE)
    return pa.table(columns)


def _value(column: pa.ChunkedArray, reading: Reading) -> pa.ChunkedArray | pa.Array:
    if reading.kind == INSTANT:
        return column.cast(pa.timestamp("us", "UTC"))
    if reading.kind == DAY:
        return column.cast(pa.date32())
    if reading.transport_type == "binary":
        return pa.array([None if value is None else bytes.fromhex(value[2:]) for value in column.to_pylist()], "binary")
    return column


def _framed(spark: SparkSession, rows: pa.Table, selection: Selection) -> DataFrame:
    arrays = {reading.column.name: reading for reading in selection.readings if reading.kind == ARRAY}
    kinds = {each.column.name: "string" if each.kind == ARRAY else each.spark_type for each in selection.readings}
    kinds |= {each.column.name: each.spark_type for each in selection.gone}
    if selection.watermark:
        kinds[WATERMARK] = selection.watermark.spark_type
    types = selection.types
    fields = [
        StructField(name, type_named(kinds.get(name, "string")), True, _metadata(types.get(name)))
        for name in rows.column_names
    ]
    frame = local_frame(spark, rows, StructType(fields))
    if not arrays:
        return frame
    texts = [
        value_of(arrays[name]) + f" AS {spark_identifier(name)}" if name in arrays else spark_identifier(name)
        for name in rows.column_names
    ]
    read = frame.selectExpr(*texts)
    described = [StructField(each.name, each.dataType, True, _metadata(types.get(each.name))) for each in read.schema]
    return read.to(StructType(described))


def _metadata(source_type: str | None) -> dict[str, str]:
    return {POSTGRESQL_TYPE: source_type} if source_type else {}

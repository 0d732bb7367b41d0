"""Frames of rows that the driver holds: Spark evaluates what is done to them without reading anything again."""

from __future__ import annotations

import re
from functools import cache

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampType,
)

DRIVER_BYTES = 32 * 1024 * 1024
"""Of one table's rows; several tables are under way at a time."""

_PLAIN: dict[str, DataType] = {
    kind.simpleString(): kind
    for kind in (
        BinaryType(),
        BooleanType(),
        DateType(),
        DoubleType(),
        FloatType(),
        IntegerType(),
        LongType(),
        ShortType(),
        StringType(),
        TimestampType(),
    )
}
_DECIMAL, _ARRAY = re.compile(r"decimal\((\d+),(-?\d+)\)"), re.compile(r"array<(.+)>")


def local_frame(spark: SparkSession, rows: pa.Table, schema: StructType) -> DataFrame:
    """`rows` must hold what `schema` says, metadata included. They are copied into the JVM once, here."""
    whole = rows.combine_chunks()
    if not whole.num_rows:
        # Arrow's stream would have no batch to read
        return spark.createDataFrame([], schema)
    return spark.createDataFrame(whole, schema)


@cache
def type_named(name: str) -> DataType:
    """What Spark calls `name` (simpleString); of types that a source's columns travel as. Asks no JVM."""
    if kind := _PLAIN.get(name):
        return kind
    if decimal := _DECIMAL.fullmatch(name):
        return DecimalType(int(decimal[1]), int(decimal[2]))
    if array := _ARRAY.fullmatch(name):
        return ArrayType(type_named(array[1]))
    raise ValueError(f"expected a type of a source's column, found {name!r}")

"""Rows that the driver holds, as frames: Spark evaluates what is done to them without reading anything again."""

from __future__ import annotations

import re
from functools import cache, cached_property

import pyarrow as pa
from py4j.java_gateway import JavaObject
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame
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


class HeldFrame(ClassicDataFrame):
    """A frame whose rows the driver holds as Arrow. The JVM gets them when Spark is first asked for something, and
    never where nobody asks: most tables are small, and need nothing of Spark."""

    def __init__(self, spark: SparkSession, rows: pa.Table, schema: StructType) -> None:
        """`rows` must hold what `schema` says."""
        self._session, self._sc = spark, spark.sparkContext
        self.is_cached = self._support_repr_html = False
        self.held = rows
        # in the place of what it caches of the JVM's
        self.__dict__["schema"] = schema

    @cached_property
    def _jdf(self) -> JavaObject:
        whole = self.held.combine_chunks()
        # Arrow's stream of no rows would have no batch to read
        frame = self._session.createDataFrame(whole if whole.num_rows else [], self.schema)
        return frame._jdf


def held_rows(frame: DataFrame) -> pa.Table | None:
    """Its rows where the driver holds them."""
    return frame.held if isinstance(frame, HeldFrame) else None


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

"""What tables that the driver writes have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import pyarrow as pa
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StructType,
    TimestampType,
)

from etl.load.s3.driver.compare import ArrowComparison
from etl.load.s3.job import Place
from etl.load.s3.schema import Fitted
from etl.load.s3.table import LakeTable
from etl.model import PARTITION_DATE

MOST_FILES = 256
MOST_BYTES = 8 * 1024 * 1024
"""Of what stands: all of it is read, a request a file."""
_PLAIN = (BooleanType, ByteType, ShortType, IntegerType, LongType, DecimalType, BinaryType, DateType, TimestampType)
_FLOATS = (FloatType, DoubleType)


@dataclass(frozen=True)
class DriverTable(LakeTable):
    """A look at a table whose rows are few enough for the driver's memory."""

    compare: ClassVar[ArrowComparison] = ArrowComparison()

    @property
    @abstractmethod
    def refusal(self) -> str:
        """What of the table as it stands is for Spark, in words; empty where nothing is."""

    def refuses(self, fitted: Fitted) -> str:
        """What of the rows that come is for Spark."""
        if fitted.difference or fitted.widened:
            return "its columns change: " + "; ".join(fitted.difference.sentences())
        for field in fitted.frame.schema.fields:
            if not _is_known(field.dataType):
                return f"column {field.name} is {field.dataType.simpleString()}"
            if field.name in self.place.config.key and not _is_exact(field.dataType):
                # 0 and -0 are one key
                return f"the key column {field.name} is {field.dataType.simpleString()}"
        return ""

    def too_large(self, files: int, size: int) -> str:
        if files > MOST_FILES:
            return f"{files} files stand there (more than {MOST_FILES})"
        return f"{size} bytes stand there (more than {MOST_BYTES})" if size > MOST_BYTES else ""


def with_day(place: Place, rows: pa.Table, day: date | None) -> pa.Table:
    """The rows of one file, with `partition_date` as the last column of a partitioned table."""
    if not place.config.partition_by:
        return rows
    days = pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows)
    return rows.append_column(pa.field(PARTITION_DATE, pa.date32()), days)


def _is_known(kind: DataType) -> bool:
    if isinstance(kind, ArrayType):
        return _is_known(kind.elementType)
    if isinstance(kind, MapType):
        return _is_known(kind.keyType) and _is_known(kind.valueType)
    if isinstance(kind, StructType):
        return all(_is_known(field.dataType) for field in kind.fields)
    return _is_exact(kind) or isinstance(kind, _FLOATS)


def _is_exact(kind: DataType) -> bool:
    """Whether equal values of the type are the same value."""
    return isinstance(kind, _PLAIN) or kind.simpleString() == "string"

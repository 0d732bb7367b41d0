"""Types that a stored column is widened to, as PostgreSQL and ClickHouse widen theirs.

Delta's own type widening is a feature of the table that other readers refuse to read. So the table is written anew
once, with the wider types, in one commit: whoever reads Delta reads on.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql.types import (
    ByteType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
)

from etl.load.s3.frames import column

_FAMILIES: tuple[tuple[type[DataType], ...], ...] = (
    (ByteType, ShortType, IntegerType, LongType),
    (FloatType, DoubleType),
)
_MOST_DIGITS = 38


def common_type(one: DataType, other: DataType) -> DataType | None:
    """The type that holds every value of both; None where there is none."""
    if one == other:
        return one
    if isinstance(one, DecimalType) and isinstance(other, DecimalType):
        scale = max(one.scale, other.scale)
        digits = max(one.precision - one.scale, other.precision - other.scale) + scale
        return DecimalType(digits, scale) if digits <= _MOST_DIGITS else None
    for family in _FAMILIES:
        if type(one) in family and type(other) in family:
            return max(one, other, key=lambda kind: family.index(type(kind)))
    return None


def with_types(frame: DataFrame, types: Mapping[str, DataType]) -> DataFrame:
    """These columns as these types, which hold all their values."""
    if not types:
        return frame
    return frame.select(
        *[
            column(field.name).cast(types[field.name]).alias(field.name, metadata=field.metadata)
            if field.name in types
            else column(field.name)
            for field in frame.schema.fields
        ]
    )

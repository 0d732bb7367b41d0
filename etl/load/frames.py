"""What a frame's schema says, as the statements room understands it."""

from __future__ import annotations

from pyspark.sql import DataFrame

from etl.model import POSTGRESQL_TYPE, Column
from etl.statements.types import column_of


def columns_of(df: DataFrame) -> tuple[Column, ...]:
    """The frame's columns in order; a column's PostgreSQL type rides along in its metadata."""
    return tuple(
        column_of(
            field.name,
            field.dataType.simpleString(),
            field.metadata.get(POSTGRESQL_TYPE) if field.metadata else None,
            field.nullable,
        )
        for field in df.schema.fields
    )

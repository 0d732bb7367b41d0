"""Columns that are known once a table is read, as those of files; source_changes says what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.tables.models import TableConfig
from etl.errors import SchemaMismatchError
from etl.model import HIDDEN, POSTGRESQL_TYPE, ColumnDefinition, TableDefinition
from etl.pipeline.tables.source_changes import Watermarks, with_gone_columns
from etl.statements.types import postgresql_type_of, spark_type_of


def columns_as_read(
    frame: DataFrame, table: TableConfig, declared: TableDefinition | None, watermarks: Watermarks
) -> TableDefinition:
    """Those that `columns` declares, else those of the frame, and those that a destination has taken and are gone."""
    found = declared or TableDefinition(
        table.name,
        tuple(
            ColumnDefinition(field.name, _postgresql_type(field.dataType.simpleString()))
            for field in frame.schema.fields
            if not field.name.startswith(HIDDEN)
        ),
    )
    return with_gone_columns({table.name: found}, [table], watermarks)[table.name]


def with_nulls(frame: DataFrame, columns: Iterable[ColumnDefinition]) -> DataFrame:
    """NULL for the columns that are gone."""
    nulls = [
        F.lit(None).cast(spark_type_of(column.type)).alias(column.name, metadata={POSTGRESQL_TYPE: column.type})
        for column in columns
        if column.gone
    ]
    return frame.select("*", *nulls)


def _postgresql_type(spark_type: str) -> str:
    """What no store has a type for is settled by the transform, or refused there by name."""
    try:
        return postgresql_type_of(spark_type)
    except SchemaMismatchError:
        return "text"

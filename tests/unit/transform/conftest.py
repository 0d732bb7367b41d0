"""Tables and frames as short as a test can say them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from etl.config.tables.models import FileFormat, FileSource, PostgreSQLSource, TableConfig, TransformConfig
from etl.model import Destination, TableDefinition, TableKind
from etl.transform.factory import TransformerFactory
from etl.transform.outcome import OUTCOME, REASON, ROW, RULE, Transformed

MakeFrame = Callable[..., DataFrame]


@pytest.fixture
def frame(spark: SparkSession) -> MakeFrame:
    """`frame("id int, name string", (1, "a"), (2, "b"))`"""
    return lambda schema, *rows: spark.createDataFrame(list(rows), schema)


def postgresql_table(**fields: Any) -> TableConfig:
    transform = TransformConfig(**fields.pop("transform", {}))
    defaults = {"name": "things", "domain": "test", "kind": TableKind.REFERENCE, "key": ("id",), "loads": {}}
    source = fields.pop("source", PostgreSQLSource(table="things"))
    return TableConfig(**{**defaults, **fields}, source=source, transform=transform)


def file_table(columns: dict[str, str] | None = None, **fields: Any) -> TableConfig:
    source = FileSource(format=FileFormat.CSV, path="/nowhere", columns=columns or {})
    return postgresql_table(source=source, **fields)


def transform(
    table: TableConfig,
    df: DataFrame,
    definition: TableDefinition | None = None,
    destinations: Sequence[Destination] = (),
) -> Transformed:
    return TransformerFactory.get_transformer(table, definition, destinations).transform(df)


def outcomes(result: Transformed, column: str = "id") -> list[tuple[Any, str, str | None]]:
    """(value, outcome, rule) of every row, sorted."""
    rows = result.tagged.select(column, OUTCOME, RULE).collect()
    return sorted(((row[0], row[1], row[2]) for row in rows), key=str)


def refusals(result: Transformed) -> list[tuple[str, str, str]]:
    """(rule, reason, row) of every row that is not good, sorted."""
    rows = result.tagged.where(f"{OUTCOME} <> 'good'").select(RULE, REASON, ROW).collect()
    return sorted((row[0], row[1], row[2]) for row in rows)

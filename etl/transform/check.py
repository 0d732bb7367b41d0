"""Checks every table's expressions against its columns at start-up, before anything is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from etl.config.tables.models import TableConfig
from etl.errors import ConfigurationError, Fault
from etl.model import POSTGRESQL_TYPE, TableDefinition
from etl.spark.local_frame import type_named
from etl.statements.source.columns import reading_of
from etl.transform.checked import checked_before, digest, remember
from etl.transform.factory import TransformerFactory
from etl.transform.keys import is_unique_at_source

_AT_A_TIME, _MOST_KNOWN = 4, 10_000


def check_expressions(
    spark: SparkSession, tables: Iterable[TableConfig], definitions: Mapping[str, TableDefinition]
) -> None:
    """Raises one ConfigurationError with the faults of all tables.

    A table without expressions and class is not worth Spark's time, nor is one that was found valid before
    (checked.py); one of files without declared columns is checked when its schema is known.
    """
    known = checked_before()
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="check") as pool:
        checks = [pool.submit(_check, spark, table, definitions.get(table.name), known) for table in tables]
    faults: list[Fault] = []
    valid: set[str] = set()
    for check in checks:
        try:
            valid |= check.result()
        except ConfigurationError as error:
            faults.extend(error.faults)
    if faults:
        raise ConfigurationError(faults)
    if not valid <= known:
        remember(valid if len(known) > _MOST_KNOWN else known | valid)


def _check(
    spark: SparkSession, table: TableConfig, definition: TableDefinition | None, known: Collection[str]
) -> set[str]:
    """The digest of what Spark has found valid, now or before."""
    transformer = TransformerFactory.get_transformer(table, definition)
    if definition is None or not _needs_spark(table, definition):
        return set()
    found = digest(table, definition)
    if found not in known:
        transformer.transform(_empty_frame(spark, table, definition))
    return {found}


def _needs_spark(table: TableConfig, definition: TableDefinition) -> bool:
    transform = table.transform
    has_expressions = transform.derive or transform.filter or transform.rules or transform.transformer
    has_expressions = has_expressions or transform.deleted_when
    return bool(has_expressions or (transform.deduplicate and not is_unique_at_source(table, definition)))


def _empty_frame(spark: SparkSession, table: TableConfig, definition: TableDefinition) -> DataFrame:
    """As extract would bring it: typed from PostgreSQL, text from files."""
    is_text = table.source.type == "file"
    schema = StructType()
    for column in definition.columns:
        kind = "string" if is_text else reading_of(column).spark_type
        schema.add(column.name, type_named(kind), True, {} if is_text else {POSTGRESQL_TYPE: column.type})
    return spark.createDataFrame([], schema)

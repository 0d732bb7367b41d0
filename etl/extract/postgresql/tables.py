"""Reads a table of the operational PostgreSQL in parallel, every connection joined to the run's snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructField, StructType

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import TableConfig
from etl.extract.partitions import touched_by
from etl.extract.postgresql.snapshot import SourceSnapshot, watermark_name
from etl.extract.values import Measurement, Window
from etl.model import POSTGRESQL_TYPE, UNREADABLE, WATERMARK, TableDefinition
from etl.postgresql.connection import EXTRACT
from etl.statements.quoting import postgresql_name, spark_identifier
from etl.statements.source.columns import ARRAY, DAY, INSTANT, Reading, reading_of, select_list
from etl.statements.source.window import block_conditions, window_condition
from etl.statements.types import array_element

FETCH_ROWS, FETCH_BYTES = 10_000, 16 * 1024 * 1024
"""At most so much a round trip; above 0 it also makes Spark open the transaction that joins the snapshot."""
PARTITIONS_AT_MOST = 64
_PLACE = "_etl_place"


def read_table(
    spark: SparkSession,
    snapshot: SourceSnapshot,
    table: TableConfig,
    definition: TableDefinition,
    window: Window,
    measurement: Measurement,
    rows_per_partition: int,
) -> DataFrame:
    """The window's rows as of the snapshot, lazily: nothing is read here but the query's own shape.

    Adds WATERMARK to incremental tables and UNREADABLE where a column's type has values that a frame cannot hold.
    Columns are nullable throughout: what the source guarantees is applied by transform, once rejects are gone.
    """
    settings = snapshot.settings
    readings = [reading_of(column) for column in definition.columns if not column.gone]
    partitions = _partition_count(table, measurement, rows_per_partition)
    with_unreadable = any(reading.unreadable for reading in readings)
    properties = _properties(snapshot.session_statement(table), settings, readings, with_unreadable=with_unreadable)
    frame = spark.read.jdbc(
        # Spark spells its properties in lower case, which this driver does not know
        f"{settings.jdbc_url}&ApplicationName={quote(settings.session_name(EXTRACT))}",
        _query(snapshot, table, definition, readings, window, with_unreadable=with_unreadable),
        predicates=_predicates(measurement.blocks, partitions),
        properties=properties | {"fetchsize": str(fetch_rows(measurement.widest_row_bytes))},
    )
    gone = [reading_of(column) for column in definition.columns if column.gone]
    texts = [f"{_value(reading)} AS {spark_identifier(reading.column.name)}" for reading in readings]
    texts += [f"cast(NULL AS {each.spark_type}) AS {spark_identifier(each.column.name)}" for each in gone]
    types = {reading.column.name: reading.column.type for reading in [*readings, *gone]}
    if watermark := watermark_name(table):
        texts.append(f"{_value(next(r for r in readings if r.column.name == watermark))} AS {WATERMARK}")
        types[WATERMARK] = types[watermark]
    if with_unreadable:
        texts.append(UNREADABLE)
    return _with_source_types(frame.selectExpr(*texts), types)


def _query(
    snapshot: SourceSnapshot,
    table: TableConfig,
    definition: TableDefinition,
    readings: list[Reading],
    window: Window,
    *,
    with_unreadable: bool,
) -> str:
    source = snapshot.source_table(table)
    by_name = {column.name: column for column in definition.columns}
    watermark, date_column = by_name.get(watermark_name(table) or ""), by_name.get(touched_by(table) or "")
    place = "ctid" if source.blocks else "NULL::tid"
    return (
        f"(SELECT {select_list(readings, with_unreadable=with_unreadable)}, {place} AS {_PLACE}"
        f" FROM {postgresql_name(source.schema, source.definition.name)}"
        f" WHERE {window_condition(window, watermark, date_column)}) AS source_rows"
    )


def _predicates(blocks: int, partitions: int) -> list[str]:
    """PostgreSQL pulls the subquery up, so that a range of places becomes a TID range scan."""
    if partitions == 1 or not blocks:
        return ["true"]
    return [condition.replace("ctid", _PLACE) for condition in block_conditions(blocks, partitions)]


def _partition_count(table: TableConfig, measurement: Measurement, rows_per_partition: int) -> int:
    if table.extract.partitions is not None:
        return table.extract.partitions
    wanted = -(-(measurement.rows or 0) // rows_per_partition)
    return max(1, min(wanted, PARTITIONS_AT_MOST))


def _properties(
    session: str, settings: PostgreSQLSettings, readings: list[Reading], *, with_unreadable: bool
) -> dict[str, str]:
    types = [f"{spark_identifier(reading.column.name)} {reading.transport_type}" for reading in readings]
    return {
        "driver": "org.postgresql.Driver",
        "user": settings.user,
        "password": settings.password.get_secret_value(),
        "sessionInitStatement": session,
        "customSchema": ", ".join([*types, *([f"{UNREADABLE} string"] if with_unreadable else [])]),
    }


def fetch_rows(widest_row_bytes: int) -> int:
    """The driver holds what it fetches at once: rows of a megabyte come a few at a time."""
    return max(1, min(FETCH_ROWS, FETCH_BYTES // max(1, widest_row_bytes)))


def _with_source_types(frame: DataFrame, types: Mapping[str, str]) -> DataFrame:
    """Each column's metadata say what the source calls its type."""
    fields = [
        StructField(each.name, each.dataType, each.nullable, {POSTGRESQL_TYPE: types[each.name]})
        if each.name in types
        else each
        for each in frame.schema.fields
    ]
    return frame.to(StructType(fields))


def _value(reading: Reading) -> str:
    value = spark_identifier(reading.column.name)
    if reading.kind == INSTANT:
        return f"timestamp_micros({value})"
    if reading.kind == DAY:
        return f"date_from_unix_date({value})"
    return _array(value, reading) if reading.kind == ARRAY else value


def _array(json: str, reading: Reading) -> str:
    """A list that Spark cannot read is a fault of ours, never a NULL."""
    elements = f"from_json({json}, 'array<{reading.element}>', map('mode', 'FAILFAST'))"
    wanted = array_element(reading.spark_type) or ""
    return elements if wanted == reading.element else f"transform({elements}, item -> {_from_json('item', wanted)})"


def _from_json(element: str, wanted: str) -> str:
    if wanted == "date":
        return f"date_from_unix_date({element})"
    if wanted == "timestamp":
        return f"timestamp_micros({element})"
    if wanted == "binary":
        return f"unhex(substring({element}, 3, {2**31 - 1}))"
    return f"cast({element} AS {wanted})"

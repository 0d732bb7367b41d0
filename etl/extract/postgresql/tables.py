"""Reads a table of the operational PostgreSQL in parallel, every connection joined to the run's snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructField, StructType

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import TableConfig
from etl.extract.postgresql.selection import Selection
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.extract.values import Measurement
from etl.model import POSTGRESQL_TYPE, TRANSACTION, UNREADABLE, WATERMARK
from etl.postgresql.connection import EXTRACT
from etl.statements.quoting import spark_identifier
from etl.statements.source.columns import ARRAY, DAY, INSTANT, Reading
from etl.statements.source.window import block_conditions
from etl.statements.types import array_element

FETCH_ROWS, FETCH_BYTES = 10_000, 16 * 1024 * 1024
"""At most so much a round trip; above 0 it also makes Spark open the transaction that joins the snapshot."""
PARTITIONS_AT_MOST = 64
_PLACE = "_etl_place"


def read_table(
    spark: SparkSession,
    snapshot: SourceSnapshot,
    selection: Selection,
    measurement: Measurement,
    rows_per_partition: int,
) -> DataFrame:
    """The window's rows as of the snapshot, lazily: nothing is read here but the query's own shape.

    Adds WATERMARK to incremental tables, TRANSACTION where the window speaks of some, and UNREADABLE where a column's
    type has values that a frame cannot hold.
    Columns are nullable throughout: what the source guarantees is applied by transform, once rejects are gone.
    """
    settings, table = snapshot.settings, selection.table
    partitions = _partition_count(table, measurement, rows_per_partition)
    place = "ctid" if selection.source.blocks else "NULL::tid"
    frame = spark.read.jdbc(
        # Spark spells its properties in lower case, which this driver does not know
        f"{settings.jdbc_url}&ApplicationName={quote(settings.session_name(EXTRACT))}",
        f"({selection.query(f'{place} AS {_PLACE}')}) AS source_rows",
        predicates=_predicates(measurement.blocks, partitions),
        properties=_properties(snapshot.session_statement(table), settings, selection)
        | {"fetchsize": str(fetch_rows(measurement.widest_row_bytes))},
    )
    texts = [f"{_value(reading)} AS {spark_identifier(reading.column.name)}" for reading in selection.readings]
    texts += [f"cast(NULL AS {each.spark_type}) AS {spark_identifier(each.column.name)}" for each in selection.gone]
    if watermark := selection.watermark:
        texts.append(f"{_value(watermark)} AS {WATERMARK}")
    if selection.has_unreadable:
        texts.append(UNREADABLE)
    if selection.has_transaction:
        texts.append(TRANSACTION)
    return _with_source_types(frame.selectExpr(*texts), selection.types)


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


def _properties(session: str, settings: PostgreSQLSettings, selection: Selection) -> dict[str, str]:
    types = [f"{spark_identifier(reading.column.name)} {reading.transport_type}" for reading in selection.readings]
    unreadable = [f"{UNREADABLE} string"] if selection.has_unreadable else []
    transaction = [f"{TRANSACTION} bigint"] if selection.has_transaction else []
    return {
        "driver": "org.postgresql.Driver",
        "user": settings.user,
        "password": settings.password.get_secret_value(),
        "sessionInitStatement": session,
        "customSchema": ", ".join([*types, *unreadable, *transaction]),
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

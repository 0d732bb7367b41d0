"""How a column of the operational PostgreSQL is read: exactly, whatever the zone, locale and driver at hand.

Instants travel as microseconds and dates as days since 1970, because java.sql.Timestamp depends on the JVM's zone and
Spark's dialect turns `infinity` into the year 9999. What Spark cannot hold is read as NULL and named in a hidden
column, so that the row becomes a reject instead of a changed value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from etl.model import UNREADABLE, ColumnDefinition
from etl.statements.quoting import postgresql_identifier, postgresql_literal
from etl.statements.types import spark_type_of

SPARK_MAX_PRECISION = 38
_FIRST_INSTANT = "4714-11-24 00:00:00+00 BC"
_LAST_INSTANT = "294246-12-31 23:59:59.999999+00"
_PLAIN = frozenset({"boolean", "smallint", "integer", "bigint", "real", "double precision", "bytea"})

TEXT, INSTANT, DAY, ARRAY, AS_IT_IS = "text", "instant", "day", "array", "as it is"


class Reading(NamedTuple):
    """`sql` yields `transport_type` over the wire; `kind` says how the frame turns it into `spark_type`.

    `unreadable` is true for a value that `sql` cannot carry; None where every value can be.
    """

    column: ColumnDefinition
    sql: str
    transport_type: str
    spark_type: str
    kind: str
    unreadable: str | None


def reading_of(column: ColumnDefinition) -> Reading:
    name = postgresql_identifier(column.name)
    base = re.sub(r"\(\d+\)", "", column.type)
    if column.type.endswith("[]"):
        return _array(column, name)
    if base in ("timestamp with time zone", "timestamp without time zone"):
        return _instant(column, name, base)
    if base == "date":
        sql = f"CASE WHEN isfinite({name}) THEN {name} - DATE '1970-01-01' END"
        return Reading(column, sql, "int", "date", DAY, f"NOT isfinite({name})")
    if column.type.startswith("numeric"):
        return _numeric(column, name)
    if base in _PLAIN:
        spark_type = spark_type_of(column.type)
        return Reading(column, name, spark_type, spark_type, AS_IT_IS, None)
    if base == "oid":
        return Reading(column, f"{name}::bigint", "bigint", "bigint", AS_IT_IS, None)
    return Reading(column, f"{name}::text", "string", "string", TEXT, None)


def select_list(readings: Sequence[Reading], *, with_unreadable: bool) -> str:
    selected = [f"{reading.sql} AS {postgresql_identifier(reading.column.name)}" for reading in readings]
    return ", ".join([*selected, *([f"{unreadable(readings)} AS {UNREADABLE}"] if with_unreadable else [])])


def unreadable(readings: Sequence[Reading]) -> str:
    """`column=value` of the first column whose value the frame cannot hold."""
    cases = [
        f"WHEN {reading.unreadable} THEN {postgresql_literal(reading.column.name + '=')}"
        f" || left({postgresql_identifier(reading.column.name)}::text, 100)"
        for reading in readings
        if reading.unreadable
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL::text"


def _instant(column: ColumnDefinition, name: str, base: str) -> Reading:
    inside = f"{name} BETWEEN {_bound(_FIRST_INSTANT, base)} AND {_bound(_LAST_INSTANT, base)}"
    sql = f"CASE WHEN {inside} THEN (extract(epoch FROM {name}) * 1000000)::bigint END"
    return Reading(column, sql, "bigint", "timestamp", INSTANT, f"NOT ({inside})")


def _bound(instant: str, base: str) -> str:
    text = instant if base == "timestamp with time zone" else instant.replace("+00", "")
    return f"{postgresql_literal(text)}::{base}"


def _numeric(column: ColumnDefinition, name: str) -> Reading:
    match = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", column.type)
    if not match:
        inside = f"abs(round({name}, 18)) < 1e20"
        sql = f"CASE WHEN {inside} THEN round({name}, 18) END"
        spark_type = spark_type_of("numeric")
        return Reading(column, sql, spark_type, spark_type, AS_IT_IS, f"NOT ({inside})")
    precision, scale = int(match[1]), int(match[2])
    if precision > SPARK_MAX_PRECISION or not 0 <= scale <= precision:
        return Reading(column, f"{name}::text", "string", "string", TEXT, None)
    sql, spark_type = f"NULLIF({name}, 'NaN'::numeric)", spark_type_of(column.type)
    return Reading(column, sql, spark_type, spark_type, AS_IT_IS, f"{name} = 'NaN'::numeric")


def _array(column: ColumnDefinition, name: str) -> Reading:
    """Arrays travel as JSON; the frame's arrays have one dimension."""
    element = column.type.removesuffix("[]")
    refused = [f"array_ndims({name}) > 1"]
    if element == "date" or element.startswith("timestamp"):
        refused.append(f"{name} && ARRAY['infinity', '-infinity']::{element}[]")
    if element.startswith("numeric"):
        refused.append(f"EXISTS (SELECT 1 FROM unnest({name}) AS e WHERE abs(round(e, 18)) >= 1e20)")
    condition = " OR ".join(refused)
    sql = f"CASE WHEN ({condition}) IS NOT TRUE THEN array_to_json({name})::text END"
    return Reading(column, sql, "string", spark_type_of(column.type), ARRAY, f"({condition})")

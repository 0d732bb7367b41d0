"""How a column of the operational PostgreSQL is read: exactly, whatever the zone, locale and driver at hand.

Instants travel as microseconds and dates as days since 1970, because java.sql.Timestamp depends on the JVM's zone and
Spark's dialect turns `infinity` into the year 9999; a numeric that no Spark decimal holds travels as its digits. What
Spark cannot hold is read as NULL and named in a hidden column, so that the row becomes a reject instead of a changed
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from etl.model import UNREADABLE, ColumnDefinition
from etl.postgresql_types import base_type
from etl.statements.quoting import postgresql_identifier, postgresql_literal
from etl.statements.types import spark_type_of

_FIRST_INSTANT = "4714-11-24 00:00:00+00 BC"
_LAST_INSTANT = "294246-12-31 23:59:59.999999+00"
_PLAIN = frozenset({"boolean", "smallint", "integer", "bigint", "real", "double precision", "bytea"})
_PLAIN_IN_JSON = frozenset({"boolean", "smallint", "int", "bigint"})
"""JSON says these as they are. It has no NaN, and Spark reads its -0 as 0: all other elements travel as text."""

TEXT, INSTANT, DAY, ARRAY, AS_IT_IS = "text", "instant", "day", "array", "as it is"


class Reading(NamedTuple):
    """`sql` yields `transport_type` over the wire; `kind` says how the frame turns it into `spark_type`.

    `unreadable` is true for a value that `sql` cannot carry; None where every value can be. An array travels as JSON,
    whose elements are of the Spark type `element`.
    """

    column: ColumnDefinition
    sql: str
    transport_type: str
    spark_type: str
    kind: str
    unreadable: str | None
    element: str = ""


def reading_of(column: ColumnDefinition) -> Reading:
    name = postgresql_identifier(column.name)
    base = base_type(column.type)
    if column.type.endswith("[]"):
        return _array(column, name)
    if base in ("timestamp with time zone", "timestamp without time zone"):
        inside = _inside(name, base)
        sql = f"CASE WHEN {inside} THEN {_microseconds(name)} END"
        return Reading(column, sql, "bigint", "timestamp", INSTANT, f"NOT ({inside})")
    if base == "date":
        sql = f"CASE WHEN isfinite({name}) THEN {name} - DATE '1970-01-01' END"
        return Reading(column, sql, "int", "date", DAY, f"NOT isfinite({name})")
    spark_type = spark_type_of(column.type)
    if column.type == "money":
        return Reading(column, f"{name}::numeric", spark_type, spark_type, AS_IT_IS, None)
    if spark_type.startswith("decimal"):
        is_nan = f"{name} = 'NaN'::numeric"
        return Reading(column, f"NULLIF({name}, 'NaN'::numeric)", spark_type, spark_type, AS_IT_IS, is_nan)
    if base in _PLAIN:
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


def _inside(value: str, base: str) -> str:
    """Within what Spark's instants reach."""
    return f"{value} BETWEEN {_bound(_FIRST_INSTANT, base)} AND {_bound(_LAST_INSTANT, base)}"


def _microseconds(value: str) -> str:
    return f"(extract(epoch FROM {value}) * 1000000)::bigint"


def _bound(instant: str, base: str) -> str:
    text = instant if base == "timestamp with time zone" else instant.replace("+00", "")
    return f"{postgresql_literal(text)}::{base}"


def _array(column: ColumnDefinition, name: str) -> Reading:
    """The frame's arrays have one dimension and begin at 1."""
    of, element, outside = _elements(column.type.removesuffix("[]"), name)
    refused = [f"array_ndims({name}) > 1", f"array_lower({name}, 1) <> 1", *([outside] if outside else [])]
    condition = " OR ".join(refused)
    sql = f"CASE WHEN {name} IS NOT NULL AND ({condition}) IS NOT TRUE THEN array_to_json({of})::text END"
    return Reading(column, sql, "string", spark_type_of(column.type), ARRAY, f"({condition})", element)


def _elements(type_: str, name: str) -> tuple[str, str, str | None]:
    """How an array's elements go into JSON: SQL of an array, its elements' Spark type, and when they cannot."""
    base, spark_type = base_type(type_), spark_type_of(type_)
    if type_ == "oid":
        return f"{name}::bigint[]", spark_type, None
    if spark_type in _PLAIN_IN_JSON:
        return name, spark_type, None
    if base == "date":
        outside = f"EXISTS (SELECT 1 FROM unnest({name}) AS e WHERE NOT isfinite(e))"
        return f"ARRAY(SELECT CASE WHEN isfinite(e) THEN e - DATE '1970-01-01' END FROM {_rows(name)})", "int", outside
    if spark_type == "timestamp":
        outside = f"EXISTS (SELECT 1 FROM unnest({name}) AS e WHERE NOT ({_inside('e', base)}))"
        sql = f"ARRAY(SELECT CASE WHEN {_inside('e', base)} THEN {_microseconds('e')} END FROM {_rows(name)})"
        return sql, "bigint", outside
    if type_ == "money":
        return f"{name}::numeric[]::text[]", "string", None
    is_nan = f"'NaN'::numeric = ANY ({name})" if spark_type.startswith("decimal") else None
    return f"{name}::text[]", "string", is_nan


def _rows(name: str) -> str:
    """The elements in their order."""
    return f"unnest({name}) WITH ORDINALITY AS u (e, place) ORDER BY place"

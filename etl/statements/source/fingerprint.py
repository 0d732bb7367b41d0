"""The fingerprint of a source's rows, as SQL: equal while every row is the same in every bit, whatever their order."""

from __future__ import annotations

from collections.abc import Sequence

from etl.model import ColumnDefinition
from etl.postgresql_types import base_type
from etl.statements.quoting import postgresql_identifier

_AS_THEY_ARE = frozenset({"boolean", "smallint", "integer", "date", "uuid", "bytea"})
"""PostgreSQL's hash of these takes every bit."""
_TEXTS = frozenset({"text", "character varying"})
_SENT_BY = {
    # hashed by half their bits
    "bigint": "int8send",
    "time without time zone": "time_send",
    "timestamp without time zone": "timestamp_send",
    "timestamp with time zone": "timestamptz_send",
    # hashed alike where `=` calls them equal: 1.0 and 1.00, 0 and -0
    "numeric": "numeric_send",
    "real": "float4send",
    "double precision": "float8send",
}
"""The bytes of a value; its text says the same, and costs more."""


def fingerprint(columns: Sequence[ColumnDefinition], condition: str | None = None) -> str:
    """An aggregate: `rows:sum of the rows' hashes`, of those that meet the condition.

    A row's hash is hashed again: PostgreSQL makes it of its columns' by addition, and two rows that exchanged a value
    would leave the sum as it was.
    """
    only = f" FILTER (WHERE {condition})" if condition else ""
    hashed = f"hashtextextended(hash_record_extended(ROW({', '.join(map(_exactly, columns))}), 0)::text, 0)"
    return f"count(*){only} || ':' || coalesce(sum({hashed}){only}, 0)"


def _exactly(column: ColumnDefinition) -> str:
    """What is hashed in a column's place, so that two values hash alike only if they are the same."""
    name, kind = postgresql_identifier(column.name), base_type(column.type)
    if column.stands_for or column.type.endswith("]"):
        return f"{name}::text"
    if kind in _TEXTS:
        return f'{name} COLLATE "C"'  # others may call different texts equal
    if kind in _AS_THEY_ARE:
        return name
    return f"{_SENT_BY[kind]}({name})" if kind in _SENT_BY else f"{name}::text"

"""How many bytes a row of the source takes on its way, as SQL: what is fetched and held is bounded by it."""

from __future__ import annotations

from collections.abc import Iterable

from etl.model import ColumnDefinition
from etl.postgresql_types import base_type
from etl.statements.quoting import postgresql_identifier

_MEASURED = ("text", "character varying", "character", "bytea")
"""Their length stands in the row itself: a value that is stored apart is not fetched for it."""
_SMALL = (
    "smallint", "integer", "bigint", "boolean", "real", "double precision", "date", "time", "timestamp", "uuid", "oid",
    "interval", "money", "inet", "cidr", "macaddr",
)  # fmt: skip
_SMALL_BYTES = 16
_MAYBE_COMPRESSED_BYTES, _INFLATION = 500, 8


def widest_row(columns: Iterable[ColumnDefinition]) -> str:
    """An aggregate: the bytes of the largest row of a query, as text; 0 where there is none."""
    fixed, terms = 0, []
    for column in columns:
        if _is(column.type, _SMALL):
            fixed += _SMALL_BYTES
        else:
            terms.append(f"coalesce({_width(column)}, 0)")
    if not terms:
        return f"{fixed}"
    return f"coalesce(max({' + '.join([str(fixed), *terms])}), 0)"


def _width(column: ColumnDefinition) -> str:
    name = postgresql_identifier(column.name)
    if _is(column.type, _MEASURED) and not column.stands_for:
        return f"octet_length({name})"
    # documents, arrays, composites travel as text; what is small is not unpacked to be measured
    return (
        f"CASE WHEN pg_column_size({name}) > {_MAYBE_COMPRESSED_BYTES} THEN octet_length({name}::text) "
        f"ELSE {_INFLATION} * pg_column_size({name}) END"
    )


def _is(type_: str, names: tuple[str, ...]) -> bool:
    return not type_.endswith("]") and base_type(type_).startswith(names)

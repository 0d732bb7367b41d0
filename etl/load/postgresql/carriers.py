"""In which type a column travels: the one COPY's binary format has an Arrow encoder for."""

from __future__ import annotations

import re

from etl.model import Column
from etl.statements.postgresql.naming import StagedColumn

_SCALARS = frozenset(
    {
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "date",
        "timestamp with time zone",
        "timestamp without time zone",
        "text",
        "character varying",
        "character",
        "json",
        "jsonb",
        "bytea",
        "uuid",
    }
)

_ELEMENTS = frozenset(
    {
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "date",
        "timestamp without time zone",
        "text",
    }
)
"""Arrays carry their element's type on the wire, and pgpq knows these."""


def staged_column(column: Column, target_type: str) -> StagedColumn:
    """The frame's own type where the wire takes it, cast to the target's when it is published."""
    return StagedColumn(column.name, target_type, carrier_type(column.postgresql_type))


def carrier_type(declared: str) -> str:
    if declared.endswith("[]"):
        return f"{_element_carrier(declared[:-2])}[]"
    return declared if _base(declared) in _SCALARS else "text"


def _element_carrier(element: str) -> str:
    if _base(element) in _ELEMENTS:
        return element
    return "timestamp without time zone" if element == "timestamp with time zone" else "text"


def _base(declared: str) -> str:
    """`numeric(12,2)` → `numeric`; a type with an interval of digits (`timestamp(3) …`) has no carrier of its own."""
    return re.sub(r"\(\d+(,-?\d+)?\)$", "", declared)

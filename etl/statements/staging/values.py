"""SQL that reads a legacy column's value as the contract's type, and NULL where it cannot be read as one."""

from __future__ import annotations

from etl.statements.quoting import postgresql_literal

TEXTS = frozenset({"text", "varchar", "bpchar"})
_WHOLE_NUMBERS = frozenset({"int2", "int4", "int8"})

INTERNAL_NAMES = {"text": "text", "jsonb": "jsonb", "timestamptz": "timestamptz", "boolean": "bool", "bigint": "int8"}
"""The contract's types as pg_type names them."""


def read_as(wanted: str, found: str, value: str, *, time_zone: str, keeps_any: bool = False) -> str | None:
    """`value` is SQL of type `found` (as pg_type names it). None: nothing says what it would mean as `wanted`.

    `time_zone` is that of instants stored without one; for texts it must be the session's too. `keeps_any` puts what
    is not JSON into a JSON value of its own instead of giving NULL.
    """
    if found == INTERNAL_NAMES[wanted]:
        return value
    match wanted:
        case "text":
            return f"({value})::text"
        case "jsonb":
            return _json(found, value, keeps_any)
        case "timestamptz":
            return _instant(found, value, time_zone)
        case "boolean":
            return _checked("boolean", value) if found in TEXTS | _WHOLE_NUMBERS else None
        case _:
            if found in _WHOLE_NUMBERS:
                return f"({value})::bigint"
            return _checked("bigint", value) if found in TEXTS | {"numeric"} else None


def is_partial(wanted: str, found: str) -> bool:
    """Whether a value may stand that cannot be read."""
    if wanted == "text" or found == INTERNAL_NAMES[wanted]:
        return False
    return found in TEXTS | {"json", "numeric"} or (wanted == "boolean" and found in _WHOLE_NUMBERS)


def _json(found: str, value: str, keeps_any: bool) -> str | None:
    # json takes what jsonb refuses (\u0000, numbers without bounds): it is checked like text
    is_text = found in TEXTS | {"json"}
    if keeps_any:
        if not is_text:
            return f"to_jsonb({value})"
        return (
            f"CASE WHEN pg_input_is_valid(({value})::text, 'jsonb') THEN ({value})::text::jsonb"
            f" ELSE to_jsonb(({value})::text) END"
        )
    return _checked("jsonb", value) if is_text else None


def _instant(found: str, value: str, time_zone: str) -> str | None:
    zone = postgresql_literal(time_zone)
    if found == "timestamp":
        return f"({value}) AT TIME ZONE {zone}"
    if found == "date":
        return f"({value})::timestamp AT TIME ZONE {zone}"
    # a number may count seconds or milliseconds: no guess
    return _checked("timestamptz", value) if found in TEXTS else None


def _checked(wanted: str, value: str) -> str:
    return f"CASE WHEN pg_input_is_valid(({value})::text, '{wanted}') THEN ({value})::text::{wanted} END"

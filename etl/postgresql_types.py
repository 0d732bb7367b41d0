"""Facts of PostgreSQL's types and limits: how a type is spelled, what it is without its modifiers, how much it holds.

They stand below the configuration, which is the first to ask, so that every room above asks the same ones; the package
`etl.postgresql`, where connections are, stands above it.
"""

from __future__ import annotations

import re

from etl.nearest import suggestion

_SPELLINGS = {
    "smallint": ("int2", "smallserial", "serial2"),
    "integer": ("int", "int4", "serial", "serial4"),
    "bigint": ("int8", "bigserial", "serial8"),
    "real": ("float4",),
    "double precision": ("float8", "float", "double"),
    "numeric": ("decimal", "dec"),
    "boolean": ("bool",),
    "text": (),
    "character varying": ("varchar", "char varying"),
    "character": ("char", "bpchar"),
    "date": (),
    "time without time zone": ("time",),
    "timestamp without time zone": ("timestamp",),
    "timestamp with time zone": ("timestamptz",),
    "interval": (),
    "uuid": (),
    "json": (),
    "jsonb": (),
    "inet": (),
    "cidr": (),
    "macaddr": (),
    "bytea": (),
    "xml": (),
}
_CANONICAL = {spelling: name for name, others in _SPELLINGS.items() for spelling in (name, *others)}

_TYPE = re.compile(
    r"^(?P<base>[a-z][a-z0-9_ ]*?)\s*"
    r"(?:\(\s*(?P<arguments>\d+(?:\s*,\s*-?\d+)?)\s*\)\s*(?P<zone>with(?:out)? time zone)?)?"
    r"\s*(?P<array>(?:\[\d*\])+)?$"
)
_MODIFIERS = re.compile(r"\s*\([^)]*\)")
_LENGTH = re.compile(r"character(?: varying)?\((\d+)\)")
_DIGITS = re.compile(r"numeric\((\d+)(?:,(-?\d+))?\)")
_LENGTHS = {"numeric": 2, "character varying": 1, "character": 1, "timestamp": 1, "time": 1, "timestamptz": 1}


OLDEST_SOURCE = 140000
"""The oldest server that is read, as server_version_num has it: ranges of ctid are scanned by range, and
extract(epoch) is exact, from PostgreSQL 14 on."""

OLDEST_TARGET = 160000
"""The oldest server that is written to."""

IDENTIFIER_BYTES = 63
"""A longer name is cut off without a word."""

COLUMNS_OF_A_TABLE = 1_600
"""The server's limit; dropped columns count, too."""

COLUMNS_OF_A_LOAD = COLUMNS_OF_A_TABLE - 4
"""Of the main job: a staging table has them all, and our own beside them."""

EXACT = frozenset(
    {
        "bigint", "bit", "bit varying", "boolean", "bytea", "character varying", "cidr", "date", "inet", "integer",
        "macaddr", "macaddr8", "name", "oid", "smallint", "text", "time with time zone", "time without time zone",
        "timestamp with time zone", "timestamp without time zone", "uuid",
    }
)  # fmt: skip
"""Types whose values are the same where `=` calls them equal, texts as long as their collation is deterministic:
PostgreSQL's own list (btequalimage) without what it is wrong about, interval and char(n)."""

WATERMARK_TYPES = "a date, a timestamp or a whole number"
"""What has an order that a mark can be kept of as text, without loss and whatever the collation."""


def is_watermark_type(name: str) -> bool:
    """Of a type as format_type() spells it."""
    if name.endswith("[]"):
        return False
    return name in ("date", "smallint", "integer", "bigint") or name.startswith("timestamp")


def base_type(name: str) -> str:
    """`numeric(12,2)` → `numeric`, `timestamp(3) with time zone` → `timestamp with time zone`; arrays stay arrays."""
    return _MODIFIERS.sub("", name)


def length_of(name: str) -> int | None:
    """How many characters a `character varying(n)` or `character(n)` takes; None for any other type."""
    match = _LENGTH.fullmatch(name)
    return int(match[1]) if match else None


def declared_digits(name: str) -> tuple[int, int] | None:
    """(precision, scale) of a numeric as declared; None where it has no bounds."""
    match = _DIGITS.fullmatch(name)
    return (int(match[1]), int(match[2] or 0)) if match else None


def numeric_digits(postgresql_type: str) -> tuple[int, int] | None:
    """(precision, scale) of the decimals that hold a numeric's values; None where it has no bounds.

    PostgreSQL knows scales below 0 (`numeric(3,-2)` holds 12300) and above the precision (`numeric(2,4)` holds 0.0012).
    """
    declared = declared_digits(postgresql_type)
    if declared is None:
        return None
    precision, scale = declared
    return max(precision - min(scale, 0), scale), max(scale, 0)


def format_type(written: str) -> str:
    """`varchar(80)` → `character varying(80)`, `timestamptz` → `timestamp with time zone`, `int[]` → `integer[]`.

    Raises ValueError with the nearest type for one that the product does not carry.
    """
    match = _TYPE.match(" ".join(written.lower().split()))
    base = f"{match['base']} {match['zone']}" if match and match["zone"] else match["base"] if match else written
    name = _CANONICAL.get(base)
    if match is None or name is None:
        raise ValueError(f"unknown PostgreSQL type {written!r}; {suggestion(base, _CANONICAL)}")
    return _with_arguments(name, match["arguments"], written) + ("[]" if match["array"] else "")


def _with_arguments(name: str, arguments: str | None, written: str) -> str:
    if arguments is None:
        return "character(1)" if name == "character" else name
    numbers = [number.strip() for number in arguments.split(",")]
    stem, _, zone = name.partition(" with")
    if len(numbers) > _LENGTHS.get(stem, 0):
        raise ValueError(f"type {written!r}: {name} takes no such arguments")
    if name == "numeric" and len(numbers) == 1:
        numbers.append("0")
    return f"{stem}({','.join(numbers)})" + (f" with{zone}" if zone else "")

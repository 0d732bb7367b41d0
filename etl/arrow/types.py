"""Arrow's types and the PostgreSQL types they become where types are preserved.

    int8 int16 uint8                     smallint
    int32 uint16                         integer
    int64 uint32                         bigint
    uint64                               numeric(20,0)
    float16 float32                      real
    float64                              double precision
    bool, arrow.bool8                    boolean
    decimal32 … decimal256(p,s)          numeric(p,s)
    string large_string string_view      text (Parquet's ENUM, too)
    binary, large, view, fixed size      bytea
    arrow.uuid (Parquet's UUID)          uuid
    arrow.json (Parquet's JSON)          jsonb
    date32 date64                        date
    time32 time64                        time without time zone
    timestamp, INT96                     timestamp without time zone
    timestamp with a zone                timestamp with time zone
    duration, INTERVAL                   interval
    dictionary                           as its values
    list struct map                      jsonb
    null                                 text

Anything else is refused by name before the first row is read.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pyarrow as pa


class Kind(StrEnum):
    """What a value is, whatever its width: two types of one kind convert to text and to PostgreSQL in one way."""

    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    TEXT = "text"
    BINARY = "binary"
    UUID = "uuid"
    JSON = "json"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    INSTANT = "timestamp with a zone"
    DURATION = "duration"
    INTERVAL = "interval"
    NESTED = "nested"
    NULL = "null"


class UnmappedTypeError(Exception):
    """An Arrow type that PostgreSQL has no counterpart of; the caller knows file and column."""


_TESTS: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (pa.types.is_integer, Kind.INTEGER),
    (pa.types.is_floating, Kind.FLOAT),
    (pa.types.is_boolean, Kind.BOOLEAN),
    (pa.types.is_decimal, Kind.DECIMAL),
    (pa.types.is_string, Kind.TEXT),
    (pa.types.is_large_string, Kind.TEXT),
    (pa.types.is_string_view, Kind.TEXT),
    (pa.types.is_binary, Kind.BINARY),
    (pa.types.is_large_binary, Kind.BINARY),
    (pa.types.is_binary_view, Kind.BINARY),
    (pa.types.is_fixed_size_binary, Kind.BINARY),
    (pa.types.is_date, Kind.DATE),
    (pa.types.is_time, Kind.TIME),
    (pa.types.is_duration, Kind.DURATION),
    (pa.types.is_interval, Kind.INTERVAL),
    (pa.types.is_null, Kind.NULL),
)

_EXTENSIONS = {"arrow.uuid": Kind.UUID, "arrow.json": Kind.JSON, "arrow.bool8": Kind.BOOLEAN}

_BY_KIND = {
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: "text",
    Kind.BINARY: "bytea",
    Kind.UUID: "uuid",
    Kind.JSON: "jsonb",
    Kind.DATE: "date",
    Kind.TIME: "time without time zone",
    Kind.TIMESTAMP: "timestamp without time zone",
    Kind.INSTANT: "timestamp with time zone",
    Kind.DURATION: "interval",
    Kind.INTERVAL: "interval",
    Kind.NESTED: "jsonb",
    Kind.NULL: "text",
}

_BY_TYPE = {
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "double precision",
}


def postgresql_type(arrow_type: pa.DataType) -> str:
    """As format_type() spells it. Raises UnmappedTypeError."""
    kind = kind_of(arrow_type)
    values = values_type(arrow_type)
    if kind is Kind.DECIMAL:
        return f"numeric({values.precision},{values.scale})"
    return _BY_KIND[kind] if kind in _BY_KIND else _BY_TYPE[values]


def kind_of(arrow_type: pa.DataType) -> Kind:
    """Raises UnmappedTypeError, also for a type nested in another."""
    values = values_type(arrow_type)
    if isinstance(values, pa.BaseExtensionType):
        return _extension_kind(values)
    if pa.types.is_timestamp(values):
        return Kind.TIMESTAMP if values.tz is None else Kind.INSTANT
    if pa.types.is_nested(values):
        return _nested_kind(values)
    kind = next((kind for test, kind in _TESTS if test(values)), None)
    if kind is None or (kind is Kind.DECIMAL and values.scale < 0):
        raise UnmappedTypeError(f"Arrow type {arrow_type} has no counterpart in PostgreSQL")
    return kind


def values_type(arrow_type: pa.DataType) -> pa.DataType:
    """A dictionary's values' type, any other as it is."""
    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def _extension_kind(arrow_type: pa.BaseExtensionType) -> Kind:
    """One that Arrow does not know comes as an opaque type of its name."""
    if arrow_type.extension_name not in _EXTENSIONS:
        name = arrow_type.type_name if isinstance(arrow_type, pa.OpaqueType) else arrow_type.extension_name
        raise UnmappedTypeError(f"extension type {name} has no counterpart in PostgreSQL; have it written as text")
    return _EXTENSIONS[arrow_type.extension_name]


def _nested_kind(arrow_type: pa.DataType) -> Kind:
    if pa.types.is_union(arrow_type) or pa.types.is_run_end_encoded(arrow_type):
        raise UnmappedTypeError(f"Arrow type {arrow_type} has no counterpart in PostgreSQL")
    fields = [arrow_type.field(position) for position in range(arrow_type.num_fields)]
    if pa.types.is_struct(arrow_type) and len({field.name for field in fields}) < len(fields):
        raise UnmappedTypeError(f"Arrow type {arrow_type} has two fields of one name, which jsonb cannot hold")
    for field in fields:
        if kind_of(field.type) is Kind.INTERVAL:
            raise UnmappedTypeError(f"{arrow_type} holds an interval, which can be read in a column of its own only")
    return Kind.NESTED

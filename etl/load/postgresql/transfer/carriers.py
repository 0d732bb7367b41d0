"""In which type a column travels, and what writes it: one table for the staging table's DDL and for COPY's bytes.

A value is cast to the target's type when it is published. What a frame holds as text because neither Spark nor Arrow
has a word for it (an interval, a range, a numeric of 60 digits) travels as text and is read by PostgreSQL itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pgpq import encoders
from pgpq.schema import Jsonb

from etl.model import Column
from etl.postgresql_types import base_type
from etl.statements.postgresql.naming import StagedColumn
from etl.statements.types import array_element, postgresql_type_of

_INSTANT = pa.timestamp("us", "UTC")
_WITH_ZONE, _WITHOUT_ZONE = "timestamp with time zone", "timestamp without time zone"

Builder = Callable[[pa.Field], Any]


@dataclass(frozen=True)
class Wire:
    """`arrow` is the type whose bytes `builder` writes as the carrier reads them; None: the array's own, a decimal."""

    arrow: pa.DataType | None
    builder: Builder


def _as_jsonb(field: pa.Field) -> Any:
    return encoders.StringEncoderBuilder.new_with_output(field, Jsonb())


_TEXT = Wire(pa.string(), encoders.StringEncoderBuilder)
_TIME = Wire(_INSTANT, encoders.TimestampMicrosecondEncoderBuilder)
_WIRES = {
    "boolean": Wire(pa.bool_(), encoders.BooleanEncoderBuilder),
    "smallint": Wire(pa.int16(), encoders.Int16EncoderBuilder),
    "integer": Wire(pa.int32(), encoders.Int32EncoderBuilder),
    "bigint": Wire(pa.int64(), encoders.Int64EncoderBuilder),
    "real": Wire(pa.float32(), encoders.Float32EncoderBuilder),
    "double precision": Wire(pa.float64(), encoders.Float64EncoderBuilder),
    "numeric": Wire(None, encoders.Decimal128EncoderBuilder),
    "date": Wire(pa.date32(), encoders.Date32EncoderBuilder),
    _WITH_ZONE: _TIME,
    _WITHOUT_ZONE: _TIME,
    "bytea": Wire(pa.binary(), encoders.BinaryEncoderBuilder),
    "text": _TEXT,
    "character varying": _TEXT,
    "character": _TEXT,
    "json": _TEXT,
    "jsonb": Wire(pa.string(), _as_jsonb),
    "uuid": Wire(pa.binary(16), encoders.FixedSizeBinaryEncoderBuilder),
}
_HELD_AS_TEXT = frozenset({"text", "character varying", "character", "json", "jsonb", "uuid"})
"""Types that Spark holds as text and COPY takes as themselves; an array of one of them is an array of text."""


def staged_column(column: Column, target_type: str, collation: str = "") -> StagedColumn:
    """The frame's own type where the wire takes it, cast to the target's when it is published."""
    return StagedColumn(column.name, target_type, carrier_type(column.spark_type, column.postgresql_type), collation)


def carrier_type(spark_type: str, declared: str) -> str:
    """Follows from what the frame holds, for that is what is written; `declared` only chooses among texts and times.

    Structs, maps and arrays that are no array in PostgreSQL travel as JSON text.
    """
    element = array_element(spark_type)
    if element is None:
        return _scalar_carrier(spark_type, declared)
    if not declared.endswith("[]"):
        return _scalar_carrier("string", declared)
    # an array names its elements' type on the wire, and the encoder of instants says `without time zone`
    carrier = _scalar_carrier(element, _WITHOUT_ZONE if element == "timestamp" else "text")
    return f"{carrier}[]"


def wire_of(carrier: str) -> Wire:
    """What brings an array of values, or of arrays of them, into that carrier."""
    if not carrier.endswith("[]"):
        return _WIRES[base_type(carrier)]
    element = wire_of(carrier.removesuffix("[]"))
    arrow = None if element.arrow is None else pa.list_(element.arrow)
    return Wire(arrow, lambda field: _list_builder(field, element.builder))


def _list_builder(field: pa.Field, element: Builder) -> Any:
    return encoders.ListEncoderBuilder.new_with_inner(field, element(field.type.value_field))


def _scalar_carrier(spark_type: str, declared: str) -> str:
    if spark_type == "timestamp" and base_type(declared) == _WITHOUT_ZONE:
        return _WITHOUT_ZONE
    natural = postgresql_type_of(spark_type)
    if natural not in ("text", "jsonb"):
        return natural
    return declared if base_type(declared) in _HELD_AS_TEXT else "text"

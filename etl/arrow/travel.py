"""How a column of a Parquet file reaches a column of a table: in which type, and in which bytes or Python values.

Where the binary form of the target's own type is exact, the column travels in that type. Otherwise it travels in the
type that holds it exactly (text, numeric or double precision), and PostgreSQL converts it when it is merged. What
neither could convert without a loss that nobody asked for is a mismatch, found before the first row is read.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

import pyarrow as pa

from etl.arrow import wire
from etl.arrow.array import array_literals, element_type
from etl.arrow.json import refuse_malformed
from etl.arrow.text import json_of, text
from etl.arrow.types import Kind, kind_of, postgresql_type, values_type
from etl.arrow.values import canonical
from etl.postgresql_types import base_type
from etl.statements.uploader.merging import VECTORS

Convert = Callable[[pa.Array], pa.Array]


class MismatchError(Exception):
    """The file's type cannot become the target's; the caller knows file and column."""


class JsonKind(StrEnum):
    JSON = "json"
    JSONB = "jsonb"


@dataclass(frozen=True)
class Travel:
    """`type` is PostgreSQL's; `wire` turns the file's array into one whose values are fields of binary COPY, or raises
    BadValues. `record_type` and `records` are the same for asyncpg's copy_records_to_table."""

    type: str
    wire: Convert
    record_type: str
    records: Callable[[pa.Array], list[Any]]
    json: JsonKind | None = None

    def check(self, array: pa.Array) -> None:
        """Raises BadValues for a text that is no JSON where it has to be."""
        if self.json is not None:
            refuse_malformed(self.wire(array), is_jsonb=self.json is JsonKind.JSONB)


_TEXT_TARGETS = ("text", "character varying", "character")
_INTEGERS = ("smallint", "integer", "bigint")
_JSON = ("json", "jsonb")
_INSTANTS = "timestamp with time zone"
_TIMESTAMPS = "timestamp without time zone"
_TEMPORAL = ("date", "interval", "time without time zone", "time with time zone", _TIMESTAMPS, _INSTANTS)
_FLOATS = ("real", "double precision")
_KNOWN = frozenset((*_TEXT_TARGETS, *_INTEGERS, *_JSON, *_FLOATS, "numeric", *_TEMPORAL, "boolean", "bytea", "uuid"))
_NUMBERED = frozenset({"oid", "xid", "xid8", "cid", "regclass", "regproc", "regtype", "regrole", "regnamespace"})
"""Types whose text may be a number."""

_OF_TEXT_ALONE = frozenset(
    {
        "inet", "cidr", "macaddr", "macaddr8", "bit", "bit varying", "xml", "tsvector", "tsquery", "jsonpath", "point",
        "line", "lseg", "box", "path", "polygon", "circle", "pg_lsn", "pg_snapshot", "txid_snapshot", "tid",
        "refcursor", "aclitem", '"char"', "oidvector", "int2vector", "int4range", "int8range", "numrange", "daterange",
        "tsrange", "tstzrange", "int4multirange", "int8multirange", "nummultirange", "datemultirange",
        "tsmultirange", "tstzmultirange",
    }
)  # fmt: skip
"""The text of no other type is meant as one of these, even where it happens to read as one: 10 is not B'10'."""

_WITHOUT_TEXT_OF_ITS_OWN = frozenset({Kind.BINARY, Kind.JSON, Kind.NESTED})
"""Into a type that is not known here (an enumeration, an extension's) a value is cast from its text; the bytes or the
JSON that stands for one of these is not such a text."""

_JSON_KINDS = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.BOOLEAN, Kind.JSON, Kind.NESTED})

_CASTS_FROM_TEXT: dict[Kind, tuple[str, ...]] = {
    Kind.FLOAT: ("numeric",),
    Kind.DECIMAL: ("real", "double precision"),
}
"""Pairs whose conversion is PostgreSQL's own reading of the number's text."""


def travel(arrow_type: pa.DataType, target: str, timezone: str | None) -> Travel:
    """`target` as format_type() spells it; `timezone` is where naive timestamps were read off a clock.

    Raises MismatchError, and UnmappedTypeError for a type PostgreSQL has no counterpart of.
    """
    if isinstance(arrow_type, pa.OpaqueType) and base_type(target) == postgresql_type(arrow_type.storage_type):
        return travel(arrow_type.storage_type, target, timezone)
    kind = kind_of(arrow_type)
    base = base_type(target)
    if kind in (Kind.TEXT, Kind.NULL):
        return _of_text(target, base, kind)
    if base in _TEXT_TARGETS:
        return _as_text(target, kind)
    if base in _JSON and kind in _JSON_KINDS:
        return _json(target, canonical if kind is Kind.JSON else json_of)
    if (element := element_type(arrow_type)) is not None and (base.endswith("[]") or _is_vector(base, element)):
        return _of_list(element, target, base, timezone)
    found = _ROUTES.get(kind, _no_route)(values_type(arrow_type), target, base, timezone)
    if found is None and _is_read_from_text(kind, base):
        return _as_text("text", kind)
    if found is None:
        raise MismatchError(
            f"Arrow type {arrow_type} does not become {target}; it becomes {postgresql_type(arrow_type)}, or have it "
            f"written as text that PostgreSQL reads as {target}"
        )
    return found


def _is_read_from_text(kind: Kind, base: str) -> bool:
    if base in _KNOWN or base.endswith("[]") or base == "money":
        return base in _CASTS_FROM_TEXT.get(kind, ())
    if base in _NUMBERED:
        return kind is Kind.INTEGER
    return base not in _OF_TEXT_ALONE and kind not in _WITHOUT_TEXT_OF_ITS_OWN


def _is_vector(base: str, element: pa.DataType) -> bool:
    return base.rpartition(".")[2] in VECTORS and kind_of(element) in (Kind.FLOAT, Kind.INTEGER)


def _of_list(element: pa.DataType, target: str, base: str, timezone: str | None) -> Travel:
    """As the literal of an array, or of a vector."""
    if not base.endswith("[]"):
        return _plain("text", json_of)
    travel(element, target.removesuffix("[]"), timezone)
    if base == "money[]" and kind_of(element) is Kind.DECIMAL:
        raise MismatchError(f"a list of {element} does not become {target}; it becomes numeric[]")
    prepare = _WALL_CLOCKS.get(kind_of(element)) if base_type(target) == f"{_INSTANTS}[]" else None
    if prepare is None or timezone is None:
        return _plain("text", array_literals)
    instants = partial(_instants, prepare=prepare, timezone=timezone)
    return _plain("text", lambda array: array_literals(array, instants))


def _of_text(target: str, base: str, kind: Kind) -> Travel:
    """Text is read by PostgreSQL as the target's type, as any client's text would be."""
    if base == "uuid" and kind is Kind.TEXT:
        return _uuid(target, lambda array: wire.uuids(canonical(array)))
    if base in _JSON:
        return _json(target, canonical)
    return _as_text(target if base in _TEXT_TARGETS else "text", kind)


def _as_text(staged_type: str, kind: Kind) -> Travel:
    length = re.search(r"\((\d+)\)", staged_type)
    if length is None:
        return _plain(staged_type, lambda array: text(canonical(array), kind))
    return _plain(staged_type, lambda array: wire.texts(text(canonical(array), kind), int(length[1])))


def _json(target: str, convert: Convert) -> Travel:
    return replace(_plain(target, convert), json=JsonKind(target))


def _plain(staged_type: str, convert: Convert) -> Travel:
    """For types whose wire array holds what asyncpg takes as Python values."""
    return Travel(staged_type, convert, staged_type, lambda array: convert(array).to_pylist())


def _uuid(target: str, convert: Convert) -> Travel:
    def records(array: pa.Array) -> list[Any]:
        return [None if value is None else uuid.UUID(bytes=value) for value in convert(array).to_pylist()]

    return Travel(target, convert, target, records)


def _temporal(target: str, convert: Convert, kind: Kind, prepare: Convert = canonical) -> Travel:
    """As records it travels as text: asyncpg writes the first and last day of Python's calendar as ±infinity."""

    def records(array: pa.Array) -> list[Any]:
        prepared = prepare(array)
        convert(prepared)
        values: list[Any] = text(prepared, kind).to_pylist()
        return values

    return Travel(target, lambda array: convert(prepare(array)), "text", records)


def _of_integer(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    if base == "money":
        return _numeric("numeric", 0)
    if base in _FLOATS:
        return _plain(target, lambda array: wire.exact_floats(canonical(array), base))
    return _numeric(target, 0) if base == "numeric" else _to_integer(target, base)


def _to_integer(target: str, base: str) -> Travel | None:
    if base not in _INTEGERS:
        return None
    return _plain(target, lambda array: wire.integers(canonical(array), base))


def _of_float(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    if base in _FLOATS:
        return _plain(target, lambda array: wire.floats(canonical(array), base))
    return _to_integer(target, base)


def _of_decimal(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    if base == "money":  # its text would be read as the server's currency is written
        return _numeric("numeric", arrow_type.scale)
    return _numeric(target, arrow_type.scale) if base == "numeric" else _to_integer(target, base)


def _numeric(target: str, scale: int) -> Travel:
    """A target of fewer decimals gets the value unrounded; PostgreSQL rounds it, half away from zero."""
    limit = wire.NumericLimit.of(target)
    staged = target if limit is None or limit.scale >= scale else "numeric"

    def fields(array: pa.Array) -> pa.Array:
        return wire.numerics(canonical(array), limit)

    def records(array: pa.Array) -> list[Any]:
        fields(array)
        values: list[Any] = canonical(array).to_pylist()
        return values

    return Travel(staged, fields, staged, records)


def _of_boolean(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _plain(target, canonical) if base == "boolean" else None


def _of_binary(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    if base == "uuid" and arrow_type == pa.binary(16):
        return _uuid(target, canonical)
    return _plain(target, canonical) if base == "bytea" else None


def _of_uuid(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _uuid(target, canonical) if base == "uuid" else None


def _of_date(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    if base == "date":
        return _temporal(target, wire.dates, Kind.DATE)
    return _of_wall_clock(target, base, timezone, _midnights)


def _of_timestamp(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _of_wall_clock(target, base, timezone, canonical)


def _midnights(array: pa.Array) -> pa.Array:
    return wire.midnights(canonical(array))


_WALL_CLOCKS: dict[Kind, Convert] = {Kind.DATE: _midnights, Kind.TIMESTAMP: canonical}


def _of_wall_clock(target: str, base: str, timezone: str | None, prepare: Convert) -> Travel | None:
    if base == _TIMESTAMPS:
        return _temporal(target, wire.timestamps, Kind.TIMESTAMP, prepare)
    if base != _INSTANTS:
        return None
    if timezone is None:
        raise MismatchError(f"a time without a zone does not become {target} unless --timezone says which zone's it is")
    if (fault := wire.timezone_fault(timezone)) is not None:
        raise MismatchError(fault)
    instants = partial(_instants, prepare=prepare, timezone=timezone)
    return _temporal(target, wire.timestamps, Kind.INSTANT, instants)


def _instants(array: pa.Array, prepare: Convert, timezone: str) -> pa.Array:
    return wire.localized(prepare(array), timezone)


def _of_instant(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _temporal(target, wire.timestamps, Kind.INSTANT) if base == _INSTANTS else None


def _of_time(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _temporal(target, wire.times, Kind.TIME) if base == "time without time zone" else None


def _of_duration(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _temporal(target, wire.intervals, Kind.DURATION) if base == "interval" else None


def _of_interval(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return _temporal(target, wire.intervals, Kind.INTERVAL) if base == "interval" else None


def _no_route(arrow_type: pa.DataType, target: str, base: str, timezone: str | None) -> Travel | None:
    return None


_ROUTES: dict[Kind, Callable[[pa.DataType, str, str, str | None], Travel | None]] = {
    Kind.INTEGER: _of_integer,
    Kind.FLOAT: _of_float,
    Kind.BOOLEAN: _of_boolean,
    Kind.DECIMAL: _of_decimal,
    Kind.BINARY: _of_binary,
    Kind.UUID: _of_uuid,
    Kind.DATE: _of_date,
    Kind.TIMESTAMP: _of_timestamp,
    Kind.INSTANT: _of_instant,
    Kind.TIME: _of_time,
    Kind.DURATION: _of_duration,
    Kind.INTERVAL: _of_interval,
}

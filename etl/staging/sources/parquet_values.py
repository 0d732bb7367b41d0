"""Columns of a Parquet file as values that orjson writes, each type in one form of JSON, none in another's.

number                  as it is, decimals with all their digits; NaN and infinities become null
text, boolean, NULL     as they are
JSON                    the JSON itself
bytes, BSON             base64
UUID                    text with dashes
date, time, timestamp   ISO 8601 with all their digits, with an offset where the column has a zone; years beyond 9999
                        and before 1 as PostgreSQL writes them: "20024-01-01", "0044-03-15 BC", instants in UTC
duration                seconds, as a decimal number
INTERVAL                ISO 8601: "P14M3DT4.005S"
list, struct            array, object
map                     object; keys that are no texts become such
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import islice
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from etl.parquet_schema import INTERVAL

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1)
_FIRST_SECOND, _LAST_SECOND = -62_135_510_400, 253_402_214_400
"""0001-01-02 and 9999-12-31: whatever the offset, Python knows these instants."""


class Fault:
    """Stands where a value has no form in JSON: its record is rejected. No dataclass, which orjson would write."""

    def __init__(self, column: str, expected: str, found: str) -> None:
        self.column, self.expected, self.found = column, expected, found

    def __str__(self) -> str:
        return f"column {self.column}: expected {self.expected}, found {self.found}"

    def __repr__(self) -> str:
        """As the value that it stands for, where its record is shown."""
        return self.found


class FaultError(Exception):
    """A record has one."""


def plain(array: pa.Array, arrow_type: pa.DataType, column: str) -> list[Any]:
    """`arrow_type` is what the file means, which Arrow may have read as mere bytes."""
    if isinstance(array, pa.ExtensionArray):
        return _extension(array, column)
    if pa.types.is_dictionary(array.type):
        return plain(array.dictionary_decode(), array.type.value_type, column)
    if arrow_type == INTERVAL:
        return _each(array, _interval)
    if pa.types.is_nested(array.type):
        return _nested(array, arrow_type, column)
    if pa.types.is_string(arrow_type) and pa.types.is_binary(array.type):
        array = array.cast(pa.binary())
        return [_text(value, column) for value in array.to_pylist()]
    convert = next((convert for test, convert in _BY_TYPE if test(array.type)), None)
    values: list[Any] = convert(array, column) if convert else array.to_pylist()
    return values


def as_json(value: Any) -> Any:
    """What orjson does not write by itself. Raises FaultError."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, Fault):
        raise FaultError(str(value))
    raise TypeError(f"no JSON for {type(value).__name__}")


def without_form(arrow_type: pa.DataType, column: str) -> str | None:
    """Why a column of this type cannot be read, naming it, or the one within it."""
    if isinstance(arrow_type, pa.BaseExtensionType):
        if arrow_type.extension_name in _EXTENSIONS:
            return None
        name = arrow_type.type_name if isinstance(arrow_type, pa.OpaqueType) else arrow_type.extension_name
        return f"column {column}: expected a type that has a form in JSON, found {name}; have it written as text"
    if pa.types.is_union(arrow_type) or pa.types.is_run_end_encoded(arrow_type):
        return f"column {column}: expected a type that has a form in JSON, found {arrow_type}"
    if pa.types.is_dictionary(arrow_type):
        return without_form(arrow_type.value_type, column)
    return _nested_without_form(arrow_type, column) if pa.types.is_nested(arrow_type) else None


def _nested_without_form(arrow_type: pa.DataType, column: str) -> str | None:
    fields = [arrow_type.field(place) for place in range(arrow_type.num_fields)]
    if pa.types.is_map(arrow_type):
        key = arrow_type.key_type
        if pa.types.is_nested(key) or key == INTERVAL:
            return f"column {column}: expected a map whose keys can be texts, found {key}"
        return without_form(key, f"{column} (key)") or without_form(arrow_type.item_type, f"{column} (value)")
    if not pa.types.is_struct(arrow_type):
        return without_form(arrow_type.value_type, f"{column}[]")
    names = [field.name for field in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"column {column}: expected each field once, found {twice!r} again"
    return next(filter(None, (without_form(field.type, f"{column}.{field.name}") for field in fields)), None)


# --- nested ---------------------------------------------------------------------------------------------------------


def _nested(array: pa.Array, arrow_type: pa.DataType, column: str) -> list[Any]:
    if pa.types.is_struct(array.type):
        return _objects(array, arrow_type, column)
    if pa.types.is_map(array.type):
        return _maps(array, arrow_type, column)
    values = iter(plain(array.flatten(), arrow_type.value_type, f"{column}[]"))
    return [None if length is None else list(islice(values, length)) for length in _lengths(array)]


def _objects(array: pa.StructArray, arrow_type: pa.StructType, column: str) -> list[Any]:
    fields = [arrow_type.field(place) for place in range(arrow_type.num_fields)]
    children = [
        plain(child, field.type, f"{column}.{field.name}") for child, field in zip(array.flatten(), fields, strict=True)
    ]
    names = [field.name for field in fields]
    rows: Iterator[tuple[Any, ...]] = zip(*children, strict=True) if children else iter([()] * len(array))
    valid = array.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if is_valid else None for row, is_valid in zip(rows, valid, strict=True)]


def _maps(array: pa.MapArray, arrow_type: pa.MapType, column: str) -> list[Any]:
    pair = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    pairs = array.cast(pa.list_(pair))
    keys, values = pairs.flatten().flatten()
    named = zip(
        plain(keys, arrow_type.key_type, f"{column} (key)"),
        plain(values, arrow_type.item_type, f"{column} (value)"),
        strict=True,
    )
    return [None if length is None else _object(islice(named, length), column) for length in _lengths(pairs)]


def _object(pairs: Iterator[tuple[Any, Any]], column: str) -> dict[str, Any] | Fault:
    found: dict[str, Any] = {}
    for key, value in list(pairs):
        if isinstance(key, Fault):
            return key
        name = _name(key)
        if name in found:
            return Fault(column, "a map whose keys differ", f"{name!r} again")
        found[name] = value
    return found


def _name(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, float) and not math.isfinite(key):
        return "NaN" if math.isnan(key) else f"{'-' if key < 0 else ''}Infinity"
    return orjson.dumps(key, default=as_json).decode().strip('"')


def _lengths(array: pa.Array) -> list[int | None]:
    lengths: list[int | None] = pc.list_value_length(array).to_pylist()
    return lengths


# --- single values --------------------------------------------------------------------------------------------------


def _extension(array: pa.ExtensionArray, column: str) -> list[Any]:
    storage = array.storage
    if array.type.extension_name == "arrow.json":
        texts = plain(storage, storage.type, column)
        return [orjson.Fragment(each) if isinstance(each, str) else each for each in texts]
    if array.type.extension_name == "arrow.bool8":
        return list(storage.cast(pa.bool_()).to_pylist())
    return list(array.to_pylist())


def _each(array: pa.Array, convert: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _text(value: bytes | None, column: str) -> Any:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return Fault(column, "a text in UTF-8", repr(value[:100]) if value else "")


def _texts(array: pa.Array, column: str) -> list[Any]:
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        return [_text(each.as_buffer().to_pybytes() if each.is_valid else None, column) for each in array]


def _bytes(array: pa.Array, column: str) -> list[Any]:
    return _each(array, lambda value: base64.b64encode(value).decode())


def _floats(array: pa.Array, column: str) -> list[Any]:
    return list((array.cast(pa.float32()) if array.type == pa.float16() else array).to_pylist())


def _dates(array: pa.Array, column: str) -> list[Any]:
    try:
        return list(array.to_pylist())
    except (OverflowError, ValueError):  # beyond what Python knows
        days = array.cast(pa.int32()) if array.type == pa.date32() else pc.divide(array.cast(pa.int64()), 86_400_000)
        return _each(days, lambda day: "".join(_date_text(day)))


def _date_text(day: int) -> tuple[str, str]:
    """And what follows it before Christ. Numpy counts years through 0, which is the year 1 BC."""
    written = str(np.datetime64(day, "D"))
    year, month_and_day = int(written[:-6]), written[-5:]
    return (f"{year:04d}-{month_and_day}", "") if year > 0 else (f"{1 - year:04d}-{month_and_day}", " BC")


def _times(array: pa.Array, column: str) -> list[Any]:
    unit = array.type.unit
    width = pa.int32() if pa.types.is_time32(array.type) else pa.int64()
    return _each(array.cast(width), lambda value: _time(value, unit, column))


def _time(value: int, unit: str, column: str) -> str | Fault:
    seconds, fraction = divmod(value, _PER_SECOND[unit])
    if value < 0 or seconds > _DAY_SECONDS or (seconds == _DAY_SECONDS and fraction):
        return Fault(column, "a time between 00:00 and 24:00", f"{value} {unit}")
    return f"{_clock(seconds)}{_fraction(fraction, unit)}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _fraction(fraction: int, unit: str) -> str:
    """As Python has it: six digits or none, nine where the last three say something."""
    digits = f"{fraction:0{_DIGITS[unit]}d}".ljust(6, "0") if fraction else ""
    return f".{digits.removesuffix('000') if len(digits) == 9 else digits}" if digits else ""


def _timestamps(array: pa.Array, column: str) -> list[Any]:
    unit, zone = array.type.unit, _zone(array.type.tz)
    if unit != "ns" and zone in (None, UTC):
        try:
            return [value and value.replace(tzinfo=zone) for value in array.cast(pa.timestamp(unit)).to_pylist()]
        except (OverflowError, ValueError):
            pass
    return _each(array.cast(pa.int64()), lambda value: _timestamp(value, unit, zone))


def _zone(name: str | None) -> tzinfo | None:
    if name is None or name.upper() in ("UTC", "Z", "ETC/UTC", "+00:00"):
        return UTC if name else None
    try:
        zone: tzinfo = pa.lib.string_to_tzinfo(name)
    except (ValueError, KeyError, OSError, pa.ArrowException):  # of a zone that nobody knows: the instant is the same
        return UTC
    return zone


def _timestamp(value: int, unit: str, zone: tzinfo | None) -> str:
    seconds, fraction = divmod(value, _PER_SECOND[unit])
    if _FIRST_SECOND <= seconds <= _LAST_SECOND:
        moment = _EPOCH + timedelta(seconds=seconds)
        moment = moment.replace(tzinfo=UTC).astimezone(zone) if zone else moment
        text = moment.isoformat()
        return f"{text[:19]}{_fraction(fraction, unit)}{text[19:]}"
    day, rest = divmod(seconds, _DAY_SECONDS)
    (text, era), offset = _date_text(day), "+00:00" if zone else ""
    return f"{text}T{_clock(rest)}{_fraction(fraction, unit)}{offset}{era}"


def _durations(array: pa.Array, column: str) -> list[Any]:
    unit = array.type.unit
    return _each(array.cast(pa.int64()), lambda value: _duration(value, unit))


def _duration(value: int, unit: str) -> orjson.Fragment:
    seconds, fraction = divmod(abs(value), _PER_SECOND[unit])
    decimals = f"{fraction:0{_DIGITS[unit]}d}".rstrip("0") or "0"
    return orjson.Fragment(f"{'-' if value < 0 else ''}{seconds}.{decimals}")


def _interval(value: bytes) -> str:
    """Twelve bytes of months, days and milliseconds, none of them with a sign."""
    months, days, milliseconds = struct.unpack("<III", value)
    seconds, fraction = divmod(milliseconds, 1_000)
    return f"P{months}M{days}DT{seconds}{f'.{fraction:03d}' if fraction else ''}S"


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type)
    )


def _is_bytes(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_binary_view(arrow_type)
        or pa.types.is_fixed_size_binary(arrow_type)
    )


_EXTENSIONS = frozenset({"arrow.uuid", "arrow.json", "arrow.bool8"})

_BY_TYPE: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, str], list[Any]]], ...] = (
    (_is_text, _texts),
    (_is_bytes, _bytes),
    (pa.types.is_floating, _floats),
    (pa.types.is_date, _dates),
    (pa.types.is_time, _times),
    (pa.types.is_timestamp, _timestamps),
    (pa.types.is_duration, _durations),
)
"""All others are in Python what they are in JSON: numbers, booleans, NULL."""

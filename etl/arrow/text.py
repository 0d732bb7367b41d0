"""Canonical arrays as the text PostgreSQL would print, with TimeZone UTC and DateStyle ISO.

integer, decimal     12, -0.50 (all digits of the scale, never an exponent)
float                the shortest text that reads back as the same value: 0.1, 1e+20, NaN, -Infinity
boolean              true, false
binary               \\x and hexadecimal digits
uuid                 small letters, with dashes
date, timestamp      2024-03-01, 2024-03-01 12:30:00.5, with a zone 2024-03-01 12:30:00.5+00; 0044-03-15 BC
time, duration       12:30:00.5, hours beyond 24 in a duration
interval             1 year 2 mons 3 days 04:05:06.5
list, struct, map    JSON without spaces
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.json import json_text
from etl.arrow.types import Kind
from etl.arrow.values import months_days_microseconds, numbers

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31, between which Arrow and PostgreSQL print a date alike."""

_DAY = 86_400_000_000

_REAL_DIGITS, _DOUBLE_DIGITS = 6, 15
"""From how many digits before the point on PostgreSQL prints an exponent."""


def text(array: pa.Array, kind: Kind) -> pa.Array:
    """Of a canonical array; NULL stays NULL."""
    return json_of(array) if kind is Kind.NESTED else _CONVERTERS[kind](array)


def json_of(array: pa.Array) -> pa.Array:
    """Of a nested array, or of numbers and booleans; NULL stays NULL."""
    return pc.if_else(array.is_valid(), json_text(array, text), None)


def _as_it_is(array: pa.Array) -> pa.Array:
    return array


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


def _each(array: pa.Array, convert: Callable[[Any], str]) -> pa.Array:
    return pa.array([None if value is None else convert(value) for value in array.to_pylist()], pa.string())


def _floats(array: pa.Array) -> pa.Array:
    values = array.to_numpy(zero_copy_only=False)
    texts = [_float_text(value) for value in values] if array.type == pa.float32() else None
    if texts is None:
        return _each(array, _double_text)
    return pc.if_else(array.is_valid(), pa.array(texts, pa.string()), None)


def _double_text(value: float) -> str:
    return _as_postgresql_prints(repr(value), _DOUBLE_DIGITS)


def _float_text(value: np.float32) -> str:
    return _as_postgresql_prints(np.format_float_scientific(value, trim="-"), _REAL_DIGITS)


_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _as_postgresql_prints(shortest: str, exponent_from: int) -> str:
    if shortest in _SPECIAL:
        return _SPECIAL[shortest]
    sign, digits, exponent = Decimal(shortest).normalize().as_tuple()
    figures = "".join(map(str, digits))
    point = len(figures) + int(exponent)
    minus = "-" if sign else ""
    if figures == "0":
        return f"{minus}0"
    return minus + _place_point(figures, point, exponent_from)


def _place_point(figures: str, point: int, exponent_from: int) -> str:
    exponent = point - 1
    if exponent < -4 or exponent >= exponent_from:
        mantissa = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
        return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if point <= 0:
        return "0." + "0" * -point + figures
    if len(figures) <= point:
        return figures + "0" * (point - len(figures))
    return f"{figures[:point]}.{figures[point:]}"


def _decimals(array: pa.Array) -> pa.Array:
    """Arrow prints an exponent where a value is small against its scale."""
    texts = array.cast(pa.string())
    has_exponent = pc.any(pc.match_substring(texts, "E")).as_py()
    return _each(array, lambda value: format(value, "f")) if has_exponent else texts


def _binaries(array: pa.Array) -> pa.Array:
    return _each(array, lambda value: "\\x" + value.hex())


def _uuids(array: pa.Array) -> pa.Array:
    return _each(array, lambda value: str(uuid.UUID(bytes=value)))


def _dates(array: pa.Array) -> pa.Array:
    days = array.view(pa.int32())
    values = np.asarray(days.fill_null(0) if days.null_count else days).astype(np.int64)
    is_odd = (values < _FIRST_DAY) | (values > _LAST_DAY)
    if not is_odd.any():
        return _plain(array)
    texts = [_date_text(day) for day in values.tolist()]
    return pc.if_else(array.is_valid(), pa.array(texts, pa.string()), None)


def _date_text(day: int) -> str:
    """Numpy counts years through 0; before it stands the year 1 BC."""
    year, month_and_day = _split_date(day)
    return f"{year:04d}-{month_and_day}" if year > 0 else f"{1 - year:04d}-{month_and_day} BC"


def _split_date(day: int) -> tuple[int, str]:
    written = str(np.datetime64(day, "D"))
    return int(written[:-6]), written[-5:]


def _timestamps(array: pa.Array) -> pa.Array:
    micros = numbers(array)
    is_odd = (micros < _FIRST_DAY * _DAY) | (micros >= (_LAST_DAY + 1) * _DAY)
    zone = "" if array.type.tz is None else "+00"
    if is_odd.any():
        texts = [_timestamp_text(value, zone) for value in micros.tolist()]
        return pc.if_else(array.is_valid(), pa.array(texts, pa.string()), None)
    written = _without_zeros(array.view(pa.timestamp("us")).cast(pa.string()))
    return pc.binary_join_element_wise(written, zone, "") if zone else written


def _timestamp_text(micros: int, zone: str) -> str:
    day, rest = divmod(micros, _DAY)
    date, before_christ = _date_text(day)[:], ""
    if date.endswith(" BC"):
        date, before_christ = date[:-3], " BC"
    return f"{date} {_clock(rest)}{zone}{before_christ}"


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    written = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return written + (f".{fraction:06d}".rstrip("0") if fraction else "")


def _without_zeros(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, r"\.?0+$", "")


def _times(array: pa.Array) -> pa.Array:
    """By hand, as Arrow knows no 24:00."""
    return _clocks(array, numbers(array))


def _durations(array: pa.Array) -> pa.Array:
    return _clocks(array, numbers(array))


def _intervals(array: pa.Array) -> pa.Array:
    texts = [_interval_text(*map(int, parts)) for parts in months_days_microseconds(array)]
    return pc.if_else(array.is_valid(), pa.array(texts, pa.string()), None)


def _interval_text(months: int, days: int, micros: int) -> str:
    """None of them less than 0."""
    counts = ((months // 12, "year"), (months % 12, "mon"), (days, "day"))
    written = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count]
    return " ".join([*written, _clock(micros)] if micros or not written else written)


def _clocks(array: pa.Array, micros: npt.NDArray[np.int64]) -> pa.Array:
    texts = [("-" if value < 0 else "") + _clock(abs(value)) for value in micros.tolist()]
    return pc.if_else(array.is_valid(), pa.array(texts, pa.string()), None)


_CONVERTERS: dict[Kind, Callable[[pa.Array], pa.Array]] = {
    Kind.INTEGER: _plain,
    Kind.FLOAT: _floats,
    Kind.BOOLEAN: _plain,
    Kind.DECIMAL: _decimals,
    Kind.TEXT: _as_it_is,
    Kind.JSON: _as_it_is,
    Kind.BINARY: _binaries,
    Kind.UUID: _uuids,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.TIMESTAMP: _timestamps,
    Kind.INSTANT: _timestamps,
    Kind.DURATION: _durations,
    Kind.INTERVAL: _intervals,
    Kind.NULL: _as_it_is,
}

"""Canonical arrays → arrays whose bytes are fields of COPY's binary format, which carries no types.

PostgreSQL counts days and microseconds from 2000-01-01; it knows -infinity and infinity by the least and the greatest
number, so what lies outside its range is refused here and can never become one of them.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.numeric import numeric_fields, reaches
from etl.arrow.values import BadValues, months_days_microseconds, numbers, refuse_where, with_nulls_of

_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = 946_684_800_000_000
_FIRST_DAY, _LAST_DAY = -2_440_588, 2_145_042_905
_FIRST_MICROSECOND = -211_813_488_000_000_000 + _EPOCH_MICROSECONDS

_INTEGER_RANGES = {"smallint": (2**15, pa.int16()), "integer": (2**31, pa.int32()), "bigint": (2**63, pa.int64())}

_FLOAT_TYPES = {"real": pa.float32(), "double precision": pa.float64()}
_EXACT = Context(prec=2000)

_UUID_LETTERS = 36
_DASHES = (8, 13, 18, 23)
_HEX_POSITIONS = np.array([position for position in range(_UUID_LETTERS) if position not in _DASHES])
_NIL_UUID = str(uuid.UUID(int=0))
_NOT_HEX = 255
_ANY_UUID = re.compile(r"[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}")
"""As PostgreSQL reads it, also in braces: a dash may stand after any four digits."""


def integers(array: pa.Array, target: str) -> pa.Array:
    """int64, uint64, or floats and decimals that are whole numbers → the target's width."""
    limit, arrow_type = _INTEGER_RANGES[target]
    values = _whole_numbers(array)
    if values.dtype == np.uint64:
        refuse_where(values >= np.uint64(limit), f"a number in the range of {target}")
    elif limit < 2**63:
        refuse_where((values < -limit) | (values >= limit), f"a number in the range of {target}")
    return with_nulls_of(array, arrow_type, values.astype(f"i{arrow_type.bit_width // 8}"))


def _whole_numbers(array: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_floating(array.type):
        return _whole_floats(array)
    if pa.types.is_decimal(array.type):
        return _whole_decimals(array)
    return np.asarray(array.fill_null(0) if array.null_count else array)


def _whole_floats(array: pa.Array) -> npt.NDArray[np.int64]:
    values = np.asarray(array.fill_null(0) if array.null_count else array).astype(np.float64)
    with np.errstate(invalid="ignore"):
        is_bad = ~np.isfinite(values) | (np.trunc(values) != values) | (values < -(2.0**63)) | (values >= 2.0**63)
    refuse_where(is_bad, "a whole number for an integer column")
    return values.astype(np.int64)


def _whole_decimals(array: pa.Array) -> npt.NDArray[np.int64]:
    try:
        whole = array.cast(pa.int64())
    except pa.ArrowInvalid as error:
        is_bad = [value is not None and (value % 1 != 0 or abs(value) >= 2**63) for value in array.to_pylist()]
        refuse_where(np.array(is_bad, dtype=np.bool_), "a whole number for an integer column")
        raise BadValues(np.array([0]), str(error)) from error
    return np.asarray(whole.fill_null(0) if whole.null_count else whole)


def floats(array: pa.Array, target: str) -> pa.Array:
    """A double on its way into a real is rounded to the nearest; what would become 0 or infinity is refused."""
    if target == "double precision" or array.type == pa.float32():
        return array.cast(_FLOAT_TYPES[target])
    values = np.asarray(array.fill_null(0) if array.null_count else array)
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(np.float32)
    is_bad = (np.isinf(rounded) & np.isfinite(values)) | ((rounded == 0) & (values != 0))
    refuse_where(is_bad, "a number in the range of real")
    return with_nulls_of(array, pa.float32(), rounded)


def exact_floats(array: pa.Array, target: str) -> pa.Array:
    """Integers that a float holds to the last digit."""
    values = _whole_numbers(array)
    limit = values.dtype.type(2 ** (24 if target == "real" else 53))
    is_bad = values > limit
    if values.dtype == np.int64:
        is_bad |= values < -limit
    refuse_where(is_bad, f"an integer that {target} holds exactly")
    arrow_type = _FLOAT_TYPES[target]
    return with_nulls_of(array, arrow_type, values.astype(f"f{arrow_type.bit_width // 8}"))


def texts(array: pa.Array, length: int) -> pa.Array:
    """For a type of so many characters. Trailing spaces beyond them are cut off by PostgreSQL, as the standard says."""
    if (pc.max(pc.binary_length(array)).as_py() or 0) > length:
        characters = pc.utf8_length(pc.utf8_rtrim(array, " ")).fill_null(0).to_numpy()
        refuse_where(characters > length, f"at most {length} characters")
    return array


@dataclass(frozen=True)
class NumericLimit:
    """What numeric(precision, scale) takes."""

    precision: int
    scale: int

    @classmethod
    def of(cls, target: str) -> NumericLimit | None:
        arguments = re.search(r"\((\d+),(-?\d+)\)", target)
        return cls(int(arguments[1]), int(arguments[2])) if arguments else None

    def least_beyond(self, scale: int) -> Decimal:
        """The least value of so many decimals that rounds to one digit too many."""
        whole = Decimal((0, (1,), self.precision - self.scale))
        half = Decimal((0, (5,), -self.scale - 1)) if scale > self.scale else Decimal(0)
        return _EXACT.subtract(whole, half)


def numerics(array: pa.Array, limit: NumericLimit | None) -> pa.Array:
    """Fields of the value's own scale."""
    if limit is not None:
        scale = array.type.scale if pa.types.is_decimal(array.type) else 0
        is_bad = reaches(array, limit.least_beyond(scale))
        refuse_where(is_bad, f"at most {limit.precision - limit.scale} digits before the decimal point")
    return numeric_fields(array)


def dates(array: pa.Array) -> pa.Array:
    days = array.view(pa.int32())
    values = np.asarray(days.fill_null(0) if days.null_count else days).astype(np.int64)
    refuse_where((values < _FIRST_DAY) | (values > _LAST_DAY), "a date between 4713 BC and the year 5874897")
    return with_nulls_of(array, pa.int32(), (values - _EPOCH_DAYS).astype(np.int32))


def timestamps(array: pa.Array) -> pa.Array:
    micros = numbers(array)
    refuse_where(micros < _FIRST_MICROSECOND, "a time between 4713 BC and the year 294276")
    return with_nulls_of(array, pa.int64(), micros - _EPOCH_MICROSECONDS)


def localized(array: pa.Array, timezone: str) -> pa.Array:
    """Wall-clock times of a zone → instants. Raises BadValues for those that the zone skips or has twice."""
    try:
        return pc.assume_timezone(array, timezone, ambiguous="raise", nonexistent="raise")
    except pa.ArrowInvalid:
        first = numbers(pc.assume_timezone(array, timezone, ambiguous="earliest", nonexistent="earliest"))
        last = numbers(pc.assume_timezone(array, timezone, ambiguous="latest", nonexistent="latest"))
        refuse_where(first != last, f"a wall-clock time that {timezone} has once; it skips this one or has it twice")
        raise


def timezone_fault(timezone: str) -> str | None:
    """Why wall-clock times cannot be read in this zone; None where they can."""
    try:
        localized(pa.array([0], pa.timestamp("us")), timezone)
    except (pa.ArrowException, BadValues) as error:
        return f"expected a time zone that is known here, found {timezone}: {error}"
    return None


def midnights(array: pa.Array) -> pa.Array:
    """Dates → timestamps."""
    days = array.view(pa.int32())
    values = np.asarray(days.fill_null(0) if days.null_count else days).astype(np.int64)
    refuse_where(abs(values) > 106_000_000, "a date in the range of a timestamp")
    return with_nulls_of(array, pa.timestamp("us"), values * 86_400_000_000)


def times(array: pa.Array) -> pa.Array:
    return array.view(pa.int64())


def intervals(array: pa.Array) -> pa.Array:
    """Microseconds, then days and months, of which a duration has none."""
    fields = np.zeros(len(array), dtype=[("microseconds", ">i8"), ("days", ">i4"), ("months", ">i4")])
    if pa.types.is_duration(array.type):
        fields["microseconds"] = numbers(array)
    else:
        parts = months_days_microseconds(array)
        for name in ("microseconds", "days", "months"):
            fields[name] = parts[name]
    return with_nulls_of(array, pa.binary(16), fields)


def uuids(array: pa.Array) -> pa.Array:
    """Text → 16 bytes. The usual spelling is read column-wise, the others that PostgreSQL reads one by one."""
    if not pc.all(pc.equal(pc.binary_length(array), _UUID_LETTERS)).as_py():
        return _uuids_one_by_one(array)
    filled = array.fill_null(_NIL_UUID) if array.null_count else array
    letters = np.frombuffer(filled.buffers()[2], dtype=np.uint8)
    start = _first_offset(filled)
    letters = letters[start : start + len(filled) * _UUID_LETTERS].reshape(-1, _UUID_LETTERS)
    digits = _HEX_VALUES[letters[:, _HEX_POSITIONS]]
    if (digits == _NOT_HEX).any() or (letters[:, _DASHES] != ord("-")).any():
        return _uuids_one_by_one(array)
    return with_nulls_of(array, pa.binary(16), (digits[:, 0::2] << 4) | digits[:, 1::2])


def _first_offset(text: pa.Array) -> int:
    width = np.dtype(np.int64 if pa.types.is_large_string(text.type) else np.int32)
    return int(np.frombuffer(text.buffers()[1], dtype=width)[text.offset])


def _uuids_one_by_one(array: pa.Array) -> pa.Array:
    values = [None if value is None else _parsed_uuid(value) for value in array.to_pylist()]
    refuse_where(np.array([value == b"" for value in values], dtype=np.bool_), "a uuid")
    return pa.array(values, pa.binary(16))


def _parsed_uuid(text: str) -> bytes:
    """No bytes for what is none."""
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    return bytes.fromhex(inner.replace("-", "")) if _ANY_UUID.fullmatch(inner) else b""


def _hex_values() -> npt.NDArray[np.uint8]:
    values = np.full(256, _NOT_HEX, dtype=np.uint8)
    for digits in ("0123456789abcdef", "0123456789ABCDEF"):
        values[np.frombuffer(digits.encode(), dtype=np.uint8)] = np.arange(16, dtype=np.uint8)
    return values


_HEX_VALUES = _hex_values()

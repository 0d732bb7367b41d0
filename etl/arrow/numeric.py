"""Decimals as COPY's binary format carries a numeric, built for a whole column at once.

A field is four 16-bit numbers (count of digits, weight of the first, sign, scale) and then digits of base 10000,
aligned at the decimal point. PostgreSQL strips leading and trailing zeros itself, so every field of a column may have
as many digits as its largest value needs.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.values import with_nulls_of
from etl.arrow.words import lowest_words, words_of

_BASE = 10_000
_DIGITS = 4
_NEGATIVE = 0x4000
_SMALL_PRECISION, _SMALL_SCALE = 18, 16
"""Up to here a value and its fraction, padded to whole base-10000 digits, stay below 2**64."""

_EXACT = Context(prec=2000)

_Magnitudes = npt.NDArray[np.uint64]
_Flags = npt.NDArray[np.bool_]


def numeric_fields(array: pa.Array) -> pa.Array:
    """int64, uint64 or decimal → fixed-size binary, one numeric field a value."""
    if pa.types.is_integer(array.type):
        magnitudes, is_negative = _of_integers(array)
        return _with_fields(array, _small_groups(magnitudes, 0), is_negative, 0)
    scale = array.type.scale
    if array.type.precision <= _SMALL_PRECISION and scale <= _SMALL_SCALE:
        magnitudes, is_negative = _magnitudes(lowest_words(array))
        return _with_fields(array, _small_groups(magnitudes, scale), is_negative, scale)
    groups, is_negative = _large_groups(array)
    return _with_fields(array, groups, is_negative, scale)


def _of_integers(array: pa.Array) -> tuple[_Magnitudes, _Flags]:
    filled = np.asarray(array.fill_null(0) if array.null_count else array)
    if array.type == pa.uint64():
        return filled, np.zeros(len(filled), dtype=np.bool_)
    return _magnitudes(filled)


def _magnitudes(values: npt.NDArray[np.int64]) -> tuple[_Magnitudes, _Flags]:
    """Two's complement, so that the least int64 has one too."""
    is_negative = values < 0
    unsigned = values.view(np.uint64)
    return np.where(is_negative, ~unsigned + np.uint64(1), unsigned), is_negative


def _small_groups(magnitudes: _Magnitudes, scale: int) -> tuple[list[npt.NDArray[Any]], int]:
    """Base-10000 digits, highest first, and how many of them stand before the point."""
    fraction_groups = -(-scale // _DIGITS)
    whole, fraction = magnitudes, None
    if scale:
        whole, fraction = np.divmod(magnitudes, np.uint64(10**scale))
        fraction *= np.uint64(10 ** (fraction_groups * _DIGITS - scale))
    whole_groups = _groups_of(int(whole.max(initial=0)))
    groups = [] if fraction is None else _split(fraction, fraction_groups)
    return _split(whole, whole_groups) + groups, whole_groups


def _groups_of(largest: int) -> int:
    return -(-len(str(largest)) // _DIGITS)


def _split(values: _Magnitudes, count: int) -> list[npt.NDArray[Any]]:
    groups = []
    for _ in range(count - 1):
        values, group = np.divmod(values, np.uint64(_BASE))
        groups.append(group)
    return [values, *reversed(groups)]


def _large_groups(array: pa.Array) -> tuple[tuple[list[npt.NDArray[Any]], int], _Flags]:
    """By long division of 32-bit limbs."""
    limbs, is_negative = _limbs(array)
    scale = array.type.scale
    fraction_groups = -(-scale // _DIGITS)
    _multiply(limbs, 10 ** (fraction_groups * _DIGITS - scale))
    whole_groups = -(-max(array.type.precision - scale, 1) // _DIGITS)
    groups = [_divide(limbs) for _ in range(whole_groups + fraction_groups)]
    return (groups[::-1], whole_groups), is_negative


def _limbs(array: pa.Array) -> tuple[list[_Magnitudes], _Flags]:
    """The magnitude's 32-bit limbs in 64-bit numbers, lowest first, with one more for a product."""
    words = words_of(array)
    is_negative = words[:, -1] >> np.uint64(63) == 1
    limbs, carry = [], is_negative.astype(np.uint64)
    for column in range(words.shape[1]):
        for shift in (0, 32):
            limb = (words[:, column] >> np.uint64(shift)) & np.uint64(0xFFFFFFFF)
            total = np.where(is_negative, limb ^ np.uint64(0xFFFFFFFF), limb) + carry
            limbs.append(total & np.uint64(0xFFFFFFFF))
            carry = total >> np.uint64(32)
    return [*limbs, np.zeros(len(array), dtype=np.uint64)], is_negative


def _multiply(limbs: list[_Magnitudes], factor: int) -> None:
    carry = np.zeros_like(limbs[0])
    for position, limb in enumerate(limbs):
        total = limb * np.uint64(factor) + carry
        limbs[position] = total & np.uint64(0xFFFFFFFF)
        carry = total >> np.uint64(32)


def _divide(limbs: list[_Magnitudes]) -> npt.NDArray[Any]:
    """Leaves the quotient in the limbs; returns the remainder, one base-10000 digit."""
    remainder = np.zeros_like(limbs[0])
    for position in reversed(range(len(limbs))):
        total = (remainder << np.uint64(32)) | limbs[position]
        limbs[position], remainder = np.divmod(total, np.uint64(_BASE))
    return remainder


def _with_fields(
    array: pa.Array, digits: tuple[list[npt.NDArray[Any]], int], is_negative: _Flags, scale: int
) -> pa.Array:
    groups, whole_groups = digits
    fields = np.empty((len(array), 4 + len(groups)), dtype=">u2")
    fields[:, 0], fields[:, 1], fields[:, 3] = len(groups), whole_groups - 1, scale
    fields[:, 2] = np.where(is_negative, _NEGATIVE, 0)
    for position, group in enumerate(groups, start=4):
        fields[:, position] = group
    return with_nulls_of(array, pa.binary(fields.shape[1] * 2), fields)


def reaches(array: pa.Array, limit: Decimal) -> _Flags:
    """Which integers or decimals are at least as large as the limit, whatever their sign."""
    if pa.types.is_integer(array.type):
        magnitudes, _ = _of_integers(array)
        is_beyond = magnitudes >= np.uint64(limit) if limit < 2**64 else np.zeros(len(array), dtype=np.bool_)
        return np.asarray(is_beyond)
    unscaled = limit.scaleb(array.type.scale, _EXACT)
    if unscaled >= Decimal((0, (1,), array.type.precision)):
        return np.zeros(len(array), dtype=np.bool_)
    exact = limit.quantize(Decimal((0, (1,), -array.type.scale)), context=_EXACT)
    beyond = pc.greater_equal(pc.abs(array), pa.scalar(exact, array.type))
    return np.asarray(beyond.fill_null(False).to_numpy(zero_copy_only=False))

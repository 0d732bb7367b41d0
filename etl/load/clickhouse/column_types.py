"""How a stored ClickHouse type stands to the type that a column needs."""

from __future__ import annotations

import re
from enum import StrEnum

_INTEGERS = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64, "Int128": 128, "Int256": 256}
_FLOATS = {"Float32": 32, "Float64": 64}
_MAXIMAL_DECIMAL_DIGITS = 76


class Fit(StrEnum):
    """Whether every value of the needed type has its place in the stored one."""

    FITS = "fits"
    NARROW = "narrow"
    DIFFERENT = "different"


def bare(type_name: str) -> str:
    """Without Nullable and LowCardinality, which change nothing about the values."""
    while match := re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", type_name):
        type_name = match[1]
    return type_name


def is_nullable(type_name: str) -> bool:
    return re.match(r"(?:LowCardinality\()?Nullable\(", type_name) is not None


def fit(stored: str, needed: str) -> Fit:
    stored, needed = bare(stored), bare(needed)
    if stored == needed:
        return Fit.FITS
    for family in (_INTEGERS, _FLOATS):
        if stored in family and needed in family:
            return Fit.FITS if family[stored] > family[needed] else Fit.NARROW
    if (one := _decimal(stored)) and (other := _decimal(needed)):
        wide = one[1] >= other[1] and one[0] - one[1] >= other[0] - other[1]
        return Fit.FITS if wide else Fit.NARROW
    if (one_element := _element(stored)) and (other_element := _element(needed)):
        return fit(one_element, other_element)
    return _time_fit(stored, needed)


def widened(stored: str, needed: str) -> str | None:
    """A type, nullable as the stored one is, that holds the values of both; None where there is none."""
    inner = _widened_bare(bare(stored), bare(needed))
    if inner is None:
        return None
    return f"Nullable({inner})" if is_nullable(stored) else inner


def spark_type_that_fits(stored: str) -> str | None:
    """The Spark type (simpleString) whose values are just those of an integer or decimal column."""
    name = bare(stored)
    integers = {"Int8": "tinyint", "Int16": "smallint", "Int32": "int", "Int64": "bigint"}
    if name in integers:
        return integers[name]
    digits = _decimal(name)
    return f"decimal({digits[0]},{digits[1]})" if digits and digits[0] <= 38 else None


def _widened_bare(stored: str, needed: str) -> str | None:
    if (one := _decimal(stored)) and (other := _decimal(needed)):
        scale = max(one[1], other[1])
        digits = max(one[0] - one[1], other[0] - other[1]) + scale
        return f"Decimal({digits}, {scale})" if digits <= _MAXIMAL_DECIMAL_DIGITS else None
    if (one_element := _element(stored)) and (other_element := _element(needed)):
        element = widened(one_element, other_element)
        return f"Array({element})" if element else None
    return needed if fit(stored, needed) is Fit.NARROW else None


def _time_fit(stored: str, needed: str) -> Fit:
    if needed == "Date32" and stored == "Date":
        return Fit.NARROW
    if (other := _fraction_digits(needed)) is not None:
        if stored == "DateTime" or stored.startswith("DateTime("):
            return Fit.NARROW
        if (one := _fraction_digits(stored)) is not None:
            return Fit.FITS if one >= other else Fit.NARROW
    if needed == "Date" and stored == "Date32":
        return Fit.FITS
    return Fit.DIFFERENT


def _decimal(type_name: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"Decimal\((\d+), (\d+)\)", type_name)
    return (int(match[1]), int(match[2])) if match else None


def _element(type_name: str) -> str | None:
    match = re.fullmatch(r"Array\((.*)\)", type_name)
    return match[1] if match else None


def _fraction_digits(type_name: str) -> int | None:
    match = re.match(r"DateTime64\((\d)", type_name)
    return int(match[1]) if match else None

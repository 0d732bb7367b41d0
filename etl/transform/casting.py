"""Casts that never change a value unseen: what does not fit becomes NULL, and the row a reject.

Decimals and instants are rounded half-up to the declared scale, here and once, so that all stores hold the same. A
numeric that no Spark decimal holds stays text, in PostgreSQL's own spelling of it.
"""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    StringType,
)

from etl.postgresql_types import length_of, numeric_digits
from etl.statements.types import is_wide_numeric, spark_type_of

_UUID = r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
_DATE = r"^\s*\d{4,6}-\d{1,2}-\d{1,2}\s*$"
# A date at least: Spark would read `12:30` as today and `2024` as its first of January
_INSTANT = r"^\s*\d{4,6}-\d{1,2}-\d{1,2}([T ]|\s*$)"
_WHOLE_NUMBER = r"^\s*[+-]?\d+\.0*\s*$"
_HEX_BYTES = r"^\\x([0-9a-fA-F]{2})*$"
_DIGITS = r"^\s*([+-]?)0*([0-9]*)(?:[.]([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?\s*$"
_NOT_FINITE = r"^\s*(NaN|[+-]?Infinity)\s*$"
_MOST_PLACES = 1_000
"""Of a number with an exponent: beyond it nobody means a number."""
_INET = r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+)(/[0-9]{1,3})?$"
_WHOLE = frozenset({"smallint", "int", "bigint"})


def cast_to(value: Column, found: DataType, postgresql_type: str) -> Column:
    """NULL where the value does not fit the type (canonical spelling, as format_type() prints it)."""
    if postgresql_type.endswith("[]"):
        return _to_array(value, found, postgresql_type.removesuffix("[]"))
    spark_type = spark_type_of(postgresql_type)
    if spark_type in _WHOLE:
        return _to_whole(value, found, spark_type)
    if spark_type in ("date", "timestamp"):
        return _rounded(_to_time(value, found, spark_type), postgresql_type)
    if spark_type == "binary":
        return _to_bytes(value, found)
    if is_wide_numeric(postgresql_type):
        return _to_digits(value.cast("string"), postgresql_type)
    if spark_type == "string":
        return _to_text(value.cast("string"), postgresql_type)
    return value.try_cast(spark_type)


def has_failed(before: Column, after: Column) -> Column:
    return before.isNotNull() & after.isNull()


def _to_whole(value: Column, found: DataType, spark_type: str) -> Column:
    if isinstance(found, DoubleType | FloatType | DecimalType):
        return F.when(value == F.floor(value), value.try_cast(spark_type))
    if not isinstance(found, StringType):
        return value.try_cast(spark_type)
    # `517.0`, as pandas writes a whole number in a column with gaps
    from_decimal = F.when(value.rlike(_WHOLE_NUMBER), value.try_cast("decimal(38,0)").try_cast(spark_type))
    return F.coalesce(value.try_cast(spark_type), from_decimal)


def _to_time(value: Column, found: DataType, spark_type: str) -> Column:
    if isinstance(found, StringType):
        return F.when(value.rlike(_DATE if spark_type == "date" else _INSTANT), value.try_cast(spark_type))
    if isinstance(found, IntegralType | DecimalType | DoubleType | FloatType):
        # seconds or milliseconds? Only whoever knows the source can say, in `derive`
        return F.lit(None).cast(spark_type)
    if spark_type == "date" and not isinstance(found, DateType):
        midnight = F.date_trunc("day", value) == value
        return F.when(midnight, value.try_cast("date"))
    return value.try_cast(spark_type)


def _rounded(instant: Column, postgresql_type: str) -> Column:
    """To the digits of a second that `timestamp(3)` keeps; half a unit goes away from 1970, as PostgreSQL has it."""
    match = re.fullmatch(r"timestamp\((\d)\).*", postgresql_type)
    if match is None or match[1] == "6":
        return instant
    unit = 10 ** (6 - int(match[1]))
    micros = F.unix_micros(instant)
    units = F.when(micros < 0, -F.floor((-micros + unit // 2) / unit)).otherwise(F.floor((micros + unit // 2) / unit))
    return F.timestamp_micros(units.cast("bigint") * unit)


def _to_digits(text: Column, postgresql_type: str) -> Column:
    """`+01.50` → `1.50`, `1.5e3` → `1500`: a number as PostgreSQL prints it; more digits than the type has are no
    value of it."""
    sign, whole, fraction, exponent = (F.regexp_extract(text, _DIGITS, group) for group in (1, 2, 3, 4))
    digits, moved = F.concat(whole, fraction), F.coalesce(exponent.try_cast("int"), F.lit(0))
    point = F.length(whole) + moved
    padded = F.concat(F.repeat(F.lit("0"), -point), digits, F.repeat(F.lit("0"), point - F.length(digits)))
    place = F.greatest(point, F.lit(0))
    left = F.ltrim(padded.substr(F.lit(1), place), F.lit("0"))
    right = padded.substr(place + 1, F.length(padded))
    fits = text.rlike(_DIGITS) & text.rlike("[0-9]") & (F.abs(point) <= _MOST_PLACES)
    if bounds := numeric_digits(postgresql_type):
        precision, scale = bounds
        needed = F.rtrim(right, F.lit("0"))
        fits = fits & (F.length(left) <= precision - scale) & (F.length(needed) <= scale)
        right = F.rpad(needed, scale, "0")
        return F.when(fits, _joined(sign, left, right))
    not_finite = F.when(text.rlike(_NOT_FINITE), F.ltrim(F.trim(text), F.lit("+")))
    return F.when(fits, _joined(sign, left, right)).otherwise(not_finite)


def _joined(sign: Column, left: Column, right: Column) -> Column:
    is_below_zero = (sign == "-") & F.concat(left, right).rlike("[1-9]")
    fraction = F.when(right == "", F.lit("")).otherwise(F.concat(F.lit("."), right))
    return F.concat(F.when(is_below_zero, F.lit("-")).otherwise(F.lit("")), _or_zero(left), fraction)


def _or_zero(digits: Column) -> Column:
    return F.when(digits == "", F.lit("0")).otherwise(digits)


def _to_bytes(value: Column, found: DataType) -> Column:
    if isinstance(found, BinaryType):
        return value
    text = value.cast("string")
    return F.when(text.rlike(_HEX_BYTES), F.unhex(F.substring(text, 3, 2**31 - 1)))


def _to_text(text: Column, postgresql_type: str) -> Column:
    if length := length_of(postgresql_type):
        return F.when(F.char_length(text) <= length, text)
    if postgresql_type == "uuid":
        return F.when(text.rlike(_UUID), F.lower(text))
    if postgresql_type in ("json", "jsonb"):
        return F.when(F.try_parse_json(text).isNotNull(), text)
    if postgresql_type in ("inet", "cidr"):
        return F.when(text.rlike(_INET), text)
    return text


def _to_array(value: Column, found: DataType, element_type: str) -> Column:
    """From an array, or from text that holds one in JSON; one element that does not fit spoils it."""
    if isinstance(found, ArrayType):
        elements, element = value, found.elementType
    else:
        elements, element = F.from_json(value.cast("string"), "array<string>"), StringType()
    spoiled = F.exists(elements, lambda item: has_failed(item, cast_to(item, element, element_type)))
    return F.when(~spoiled, F.transform(elements, lambda item: cast_to(item, element, element_type)))

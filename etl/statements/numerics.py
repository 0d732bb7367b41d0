"""Numerics that no Spark decimal holds: without precision, or of more than 38 digits. They travel as their digits.

PostgreSQL takes them exactly. The lake and ClickHouse hold a decimal of theirs or, where the entry says so
(`numeric_as`), the text; a value that the decimal does not hold exactly is rejected there, never rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from etl.postgresql_types import numeric_digits
from etl.statements.quoting import spark_literal

TEXT = "text"
DEFAULT = "numeric(38,18)"
"""What stands for a numeric without precision where nothing else is said."""


def stored_numeric(
    name: str, postgresql_type: str, numeric_as: str | Mapping[str, str] | None, most_digits: int
) -> str | None:
    """The Spark type of a wide numeric in a store; None where the store's decimals are too small for its type."""
    element = postgresql_type.removesuffix("[]")
    said = numeric_as.get(name) if isinstance(numeric_as, Mapping) else numeric_as
    if said == TEXT:
        kind = "string"
    else:
        precision, scale = numeric_digits(said or element) or numeric_digits(DEFAULT) or (0, 0)
        if precision > most_digits:
            return None
        kind = f"decimal({precision},{scale})"
    return f"array<{kind}>" if postgresql_type.endswith("[]") else kind


def fits_exactly(value: str, decimal: str) -> str:
    """Spark SQL: whether these digits are a value of `decimal(p,s)`, whatever zeros they end in. NaN is none."""
    precision, scale = map(int, re.findall(r"\d+", decimal))
    whole = f"0*[0-9]{{0,{precision - scale}}}"
    return f"{value} RLIKE {spark_literal(f'^-?{whole}([.][0-9]{{0,{scale}}}0*)?$')}"


def as_decimal(value: str, decimal: str) -> str:
    """Spark SQL of digits that fit; zeros at their end go first, for Spark reads no more than 38 digits."""
    return f"try_cast({without_zeros(value)} AS {decimal})"


def without_zeros(value: str) -> str:
    """`1.50` → `1.5`, `100.0` → `100`: one spelling for one number."""
    trimmed = f"regexp_replace({value}, {spark_literal('[.]?0+$')}, '')"
    return f"CASE WHEN contains({value}, '.') THEN {trimmed} ELSE {value} END"

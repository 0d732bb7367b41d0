"""How a column's type is called in Spark, PostgreSQL and ClickHouse.

The source's PostgreSQL type (format_type() spelling) rides along as field metadata, so that a uuid stays a uuid in
PostgreSQL although Spark and ClickHouse hold it as text.
"""

from __future__ import annotations

import re

from etl.errors import SchemaMismatchError
from etl.model import Column
from etl.postgresql_types import base_type, numeric_digits

_TO_POSTGRESQL = {
    "boolean": "boolean",
    "tinyint": "smallint",
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "float": "real",
    "double": "double precision",
    "string": "text",
    "void": "text",
    "binary": "bytea",
    "date": "date",
    "timestamp": "timestamp with time zone",
    "timestamp_ntz": "timestamp without time zone",
}

_TO_CLICKHOUSE = {
    "boolean": "Bool",
    "tinyint": "Int8",
    "smallint": "Int16",
    "int": "Int32",
    "bigint": "Int64",
    "float": "Float32",
    "double": "Float64",
    "string": "String",
    "void": "String",
    "binary": "String",
    "date": "Date32",
    "timestamp": "DateTime64(6, 'UTC')",
    "timestamp_ntz": "DateTime64(6, 'UTC')",
}

_FROM_POSTGRESQL = {
    "boolean": "boolean",
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "oid": "bigint",
    "real": "float",
    "double precision": "double",
    "bytea": "binary",
    "date": "date",
    "timestamp with time zone": "timestamp",
    "timestamp without time zone": "timestamp",
    # as many digits as its eight bytes have, and as many after the point as any currency
    "money": "decimal(23,4)",
}

SPARK_DIGITS = 38
"""Spark's decimals have no more."""


def column_of(name: str, spark_type: str, postgresql_type: str | None, nullable: bool = True) -> Column:
    return Column(name, spark_type, postgresql_type or postgresql_type_of(spark_type), nullable)


def postgresql_type_of(spark_type: str) -> str:
    """The PostgreSQL type that follows from a Spark type; structs and maps become jsonb."""
    if spark_type in _TO_POSTGRESQL:
        return _TO_POSTGRESQL[spark_type]
    if match := re.fullmatch(r"decimal\((\d+),(-?\d+)\)", spark_type):
        return f"numeric({match[1]},{match[2]})"
    if element := array_element(spark_type):
        return "jsonb" if _is_nested(element) else f"{postgresql_type_of(element)}[]"
    if _is_nested(spark_type):
        return "jsonb"
    raise _unmapped(spark_type, "PostgreSQL")


def clickhouse_type_of(spark_type: str, *, nullable: bool) -> str:
    """The ClickHouse type. An Array is never Nullable; its elements always may be NULL."""
    if element := array_element(spark_type):
        return f"Array({clickhouse_type_of(element, nullable=array_element(element) is None)})"
    base = _clickhouse_scalar(spark_type)
    return f"Nullable({base})" if nullable else base


def spark_type_of(postgresql_type: str) -> str:
    """The Spark type (simpleString) that holds every value of a PostgreSQL type; what Spark has no word for is text."""
    if postgresql_type.endswith("[]"):
        return f"array<{spark_type_of(postgresql_type[:-2])}>"
    if postgresql_type.startswith("numeric"):
        digits = numeric_digits(postgresql_type)
        is_decimal = digits is not None and digits[0] <= SPARK_DIGITS
        return f"decimal({digits[0]},{digits[1]})" if digits and is_decimal else "string"
    return _FROM_POSTGRESQL.get(base_type(postgresql_type), "string")


def is_wide_numeric(postgresql_type: str) -> bool:
    """Whether a numeric, or what an array holds, travels as the text of its digits, for no Spark decimal holds it."""
    element = postgresql_type.removesuffix("[]")
    return element.startswith("numeric") and spark_type_of(element) == "string"


def array_element(spark_type: str) -> str | None:
    """`array<int>` → `int`; None for anything that is no array."""
    return spark_type[len("array<") : -1] if spark_type.startswith("array<") else None


def _clickhouse_scalar(spark_type: str) -> str:
    if spark_type in _TO_CLICKHOUSE:
        return _TO_CLICKHOUSE[spark_type]
    if match := re.fullmatch(r"decimal\((\d+),(\d+)\)", spark_type):
        return f"Decimal({match[1]}, {match[2]})"
    raise _unmapped(spark_type, "ClickHouse")


def _is_nested(spark_type: str) -> bool:
    return spark_type.startswith(("struct<", "map<", "array<"))


def _unmapped(spark_type: str, store: str) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"expected a type that {store} can hold, found {spark_type}; cast the column in its table's `transform` entry"
    )

from __future__ import annotations

import pytest

from etl.model import ColumnDefinition
from etl.statements.source.columns import reading_of, select_list


@pytest.mark.parametrize(
    ("type_", "sql", "transport", "spark"),
    [
        ("bigint", '"c"', "bigint", "bigint"),
        ("oid", '"c"::bigint', "bigint", "bigint"),
        ("uuid", '"c"::text', "string", "string"),
        ("character varying(9)", '"c"::text', "string", "string"),
        ("numeric(12,2)", "NULLIF(\"c\", 'NaN'::numeric)", "decimal(12,2)", "decimal(12,2)"),
        ("numeric(45,2)", '"c"::text', "string", "string"),
        ("numeric(5,-2)", "NULLIF(\"c\", 'NaN'::numeric)", "decimal(7,0)", "decimal(7,0)"),
        ("numeric", '"c"::text', "string", "string"),
        ("money", '"c"::numeric', "decimal(23,4)", "decimal(23,4)"),
        ("date", 'CASE WHEN isfinite("c") THEN "c" - DATE \'1970-01-01\' END', "int", "date"),
        ("interval", '"c"::text', "string", "string"),
    ],
)
def test_reading(type_: str, sql: str, transport: str, spark: str) -> None:
    reading = reading_of(ColumnDefinition("c", type_))
    assert (reading.sql, reading.transport_type, reading.spark_type) == (sql, transport, spark)


@pytest.mark.parametrize(
    ("type_", "json", "element", "spark"),
    [
        ("integer[]", '"c"', "int", "array<int>"),
        ("text[]", '"c"::text[]', "string", "array<string>"),
        ("jsonb[]", '"c"::text[]', "string", "array<string>"),
        ("numeric[]", '"c"::text[]', "string", "array<string>"),
        ("double precision[]", '"c"::text[]', "string", "array<double>"),
        ("bytea[]", '"c"::text[]', "string", "array<binary>"),
        ("money[]", '"c"::numeric[]::text[]', "string", "array<decimal(23,4)>"),
    ],
)
def test_arrays_travel_as_json(type_: str, json: str, element: str, spark: str) -> None:
    reading = reading_of(ColumnDefinition("c", type_))
    other_shape = 'array_ndims("c") > 1 OR array_lower("c", 1) <> 1'
    assert (
        reading.sql == f'CASE WHEN "c" IS NOT NULL AND ({other_shape}) IS NOT TRUE THEN array_to_json({json})::text END'
    )
    assert (reading.unreadable, reading.element, reading.spark_type) == (f"({other_shape})", element, spark)


def test_the_first_unreadable_value_is_named() -> None:
    readings = [reading_of(ColumnDefinition("a", "date")), reading_of(ColumnDefinition("b'", "integer"))]
    assert select_list(readings, with_unreadable=True) == (
        'CASE WHEN isfinite("a") THEN "a" - DATE \'1970-01-01\' END AS "a", "b\'" AS "b\'", '
        'CASE WHEN NOT isfinite("a") THEN \'a=\' || left("a"::text, 100) END AS _etl_unreadable'
    )

from __future__ import annotations

import pytest

from etl.model import ColumnDefinition
from etl.statements.source_columns import reading_of, select_list


@pytest.mark.parametrize(
    ("type_", "sql", "transport", "spark"),
    [
        ("bigint", '"c"', "bigint", "bigint"),
        ("oid", '"c"::bigint', "bigint", "bigint"),
        ("uuid", '"c"::text', "string", "string"),
        ("character varying(9)", '"c"::text', "string", "string"),
        ("numeric(12,2)", "NULLIF(\"c\", 'NaN'::numeric)", "decimal(12,2)", "decimal(12,2)"),
        ("numeric(45,2)", '"c"::text', "string", "string"),
        ("numeric(5,-2)", '"c"::text', "string", "string"),
        ("numeric", 'CASE WHEN abs(round("c", 18)) < 1e20 THEN round("c", 18) END', "decimal(38,18)", "decimal(38,18)"),
        ("date", 'CASE WHEN isfinite("c") THEN "c" - DATE \'1970-01-01\' END', "int", "date"),
        ("interval", '"c"::text', "string", "string"),
        (
            "text[]",
            'CASE WHEN (array_ndims("c") > 1) IS NOT TRUE THEN array_to_json("c")::text END',
            "string",
            "array<string>",
        ),
    ],
)
def test_reading(type_: str, sql: str, transport: str, spark: str) -> None:
    reading = reading_of(ColumnDefinition("c", type_))
    assert (reading.sql, reading.transport_type, reading.spark_type) == (sql, transport, spark)


def test_the_first_unreadable_value_is_named() -> None:
    readings = [reading_of(ColumnDefinition("a", "date")), reading_of(ColumnDefinition("b'", "integer"))]
    assert select_list(readings, with_unreadable=True) == (
        'CASE WHEN isfinite("a") THEN "a" - DATE \'1970-01-01\' END AS "a", "b\'" AS "b\'", '
        'CASE WHEN NOT isfinite("a") THEN \'a=\' || left("a"::text, 100) END AS _etl_unreadable'
    )

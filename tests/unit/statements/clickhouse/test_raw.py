import pytest

from etl.statements.clickhouse.raw import check_raw, insert_typed, raw_columns, raw_shape
from etl.statements.clickhouse.tables import create_table
from etl.statements.types import column_of


def columns(*kinds: str) -> tuple:  # type: ignore[type-arg]
    return raw_columns([column_of(f"n{position}", kind, None) for position, kind in enumerate(kinds)])


@pytest.mark.parametrize(
    ("kind", "spark", "raw_type", "typed"),
    [
        ("string", "`n0`", "String", "`c0`"),
        ("bigint", "`n0`", "Int64", "`c0`"),
        ("boolean", "`n0`", "Bool", "`c0`"),
        ("binary", "hex(`n0`)", "String", "unhex(`c0`)"),
        ("date", "unix_date(`n0`)", "Int32", "addDays(toDate32('1970-01-01'), `c0`)"),
        ("timestamp", "unix_micros(`n0`)", "Int64", "fromUnixTimestamp64Micro(`c0`, 'UTC')"),
        ("decimal(9,2)", "cast(`n0` AS string)", "String", "CAST(`c0`, 'Nullable(Decimal(9, 2))')"),
        ("double", "cast(`n0` AS string)", "String", "CAST(`c0`, 'Nullable(Float64)')"),
        ("float", "cast(`n0` AS string)", "String", "CAST(`c0`, 'Nullable(Float32)')"),
        (
            "array<date>",
            "to_json(transform(`n0`, x0 -> unix_date(x0)))",
            "String",
            "arrayMap(x0 -> addDays(toDate32('1970-01-01'), x0), "
            "JSONExtract(ifNull(`c0`, '[]'), 'Array(Nullable(Int32))'))",
        ),
        (
            "array<array<double>>",
            "to_json(transform(`n0`, x0 -> transform(x0, x1 -> cast(x1 AS string))))",
            "String",
            "arrayMap(x0 -> arrayMap(x1 -> CAST(x1, 'Nullable(Float64)'), x0), "
            "JSONExtract(ifNull(`c0`, '[]'), 'Array(Array(Nullable(String)))'))",
        ),
    ],
)
def test_how_each_type_travels(kind: str, spark: str, raw_type: str, typed: str) -> None:
    [column] = columns(kind)
    assert (column.spark, column.raw_type, column.typed) == (spark, raw_type, typed)


def test_the_raw_table_takes_everything_and_numbers_its_rows() -> None:
    assert create_table("db", "r", raw_shape(columns("string", "date"))) == (
        "CREATE TABLE `db`.`r`\n(\n    `etl_row` Int64,\n    `c0` Nullable(String),\n    `c1` Nullable(Int32)\n)\n"
        "ENGINE = MergeTree\nORDER BY tuple()"
    )


def test_rows_are_counted_checked_and_taken_once() -> None:
    both = columns("string", "date")
    assert check_raw("db", "r", both) == (
        "SELECT count(), uniqExact(etl_row), countIf(isNull(`c0`)), 0, countIf(isNull(`c1`)), "
        "countIf((`c1` < -25567 OR `c1` > 120529)) FROM `db`.`r`"
    )
    assert insert_typed("db", "s", "r", both) == (
        "INSERT INTO `db`.`s` (`n0`, `n1`)\nSELECT `c0`, addDays(toDate32('1970-01-01'), `c1`)\n"
        "FROM (SELECT * FROM `db`.`r` LIMIT 1 BY etl_row)"
    )

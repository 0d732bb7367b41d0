"""What one store refuses, or gets altered, alone: by Spark and by Arrow the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import ConfigurationError
from etl.model import POSTGRESQL_TYPE, Destination, WriteMode
from etl.pipeline.tables.materialised import HeldByDriver, KeptBySpark, Materialised
from etl.transform.outcome import OUTCOME, REASON, RULE, Outcome, Transformed
from tests.unit.transform.conftest import file_table, outcomes, transform

S3, POSTGRESQL, CLICKHOUSE = Destination.S3, Destination.POSTGRESQL, Destination.CLICKHOUSE
COMMON: dict[str, Any] = {"table_name": "things", "target_name": "things", "key": ("id",)}
LOADS: dict[Destination, Callable[..., TableLoadConfig]] = {
    CLICKHOUSE: partial(ClickHouseTableLoadConfig, **COMMON, mode=WriteMode.MERGE),
    POSTGRESQL: partial(PostgreSQLTableLoadConfig, **COMMON, mode=WriteMode.UPSERT),
}
FIRST, LAST = "DATE'1900-01-01'", "DATE'2299-12-31'"


def transformed(df: DataFrame, words: Mapping[Destination, Any], **fields: Any) -> Transformed:
    loads = {name: LOADS[name](out_of_range=said) for name, said in words.items()}
    return transform(file_table(loads=loads, **fields), df, destinations=[*words])


def lanes(result: Transformed) -> list[Materialised]:
    return [KeptBySpark(result, ()), HeldByDriver.of(result, [None], ())]


def taken(rows: Materialised, destination: Destination) -> Materialised:
    apart = rows.apart_for(destination)
    assert apart is not None
    return rows.taken_by(apart)


@pytest.mark.parametrize(
    ("value", "destination", "nearest"),
    [
        ("DATE'1899-12-31'", CLICKHOUSE, FIRST),
        ("DATE'0001-01-01'", CLICKHOUSE, FIRST),
        ("DATE'2300-01-01'", CLICKHOUSE, LAST),
        ("DATE'+294247-01-01'", POSTGRESQL, "DATE'+294246-12-31'"),
        ("TIMESTAMP'1899-12-31 23:59:59.999999'", CLICKHOUSE, "TIMESTAMP'1900-01-01 00:00:00'"),
        ("TIMESTAMP'2300-01-01 00:00:00'", CLICKHOUSE, "TIMESTAMP'2299-12-31 23:59:59.999999'"),
        (f"array({LAST}, NULL, DATE'1800-01-01')", CLICKHOUSE, f"array({LAST}, NULL, {FIRST})"),
        ("concat('a', char(0), 'b')", POSTGRESQL, "'ab'"),
        ("array(char(0), NULL, 'b')", POSTGRESQL, "array('', NULL, 'b')"),
    ],
)
def test_a_value_is_altered_there_and_stays_elsewhere(
    spark: SparkSession, value: str, destination: Destination, nearest: str
) -> None:
    df = spark.sql(f"SELECT 1 AS id, {_nullable(value)} AS v, {_nullable(nearest)} AS fits")
    null = f"CAST(NULL AS {df.schema['v'].dataType.simpleString()})"
    expected = {
        "clamp": spark.sql(f"SELECT 1 AS id, {nearest} AS v, {nearest} AS fits"),
        "set_null": spark.sql(f"SELECT 1 AS id, {null} AS v, {nearest} AS fits"),
    }
    for word, frame in expected.items():
        result = transformed(df, {destination: word})
        assert outcomes(result) == [(1, "good", None)]
        for rows in lanes(result):
            assert _texts(rows.good(None)) == _texts(df)
            assert _texts(taken(rows, destination).good(None)) == _texts(frame)
            hidden = result.apart[destination].hidden
            assert rows.tally(None).apart == dict(zip(hidden, (1, 0), strict=True))


def _nullable(value: str) -> str:
    """Of a literal Spark knows that it is no NULL."""
    return f"CASE WHEN 1 = 1 THEN {value} END"


def _texts(frame: DataFrame) -> list[list[str | None]]:
    """Python knows neither the day 1900 nor that of the year 10000."""
    return [list(row) for row in frame.selectExpr(*(f"CAST(`{name}` AS string)" for name in frame.columns)).collect()]


def test_a_text_is_cut(spark: SparkSession) -> None:
    df = spark.sql("SELECT 1 AS id, concat('a', char(0), 'bcd') AS v")
    declared = df.withMetadata("v", {POSTGRESQL_TYPE: "character varying(3)"})
    for rows in lanes(transformed(declared, {POSTGRESQL: "clamp"})):
        assert [row.v for row in taken(rows, POSTGRESQL).good(None).collect()] == ["abc"]


def test_each_store_goes_without_its_own_rows_and_the_counts_add_up(spark: SparkSession) -> None:
    df = spark.sql(
        f"""SELECT * FROM VALUES (1, {FIRST}, 'a'), (2, DATE'1800-01-01', 'b'), (3, {LAST}, concat('c', char(0))),
        (4, DATE'2300-01-01', char(0)), (5, NULL, 'refused') AS t (id, v, name)"""
    )
    words = {CLICKHOUSE: {"v": "reject_there"}, POSTGRESQL: "reject_there"}
    result = transformed(df, words, transform={"rules": {"named": "name <> 'refused'"}})
    assert [row[1] for row in outcomes(result)] == ["good"] * 4 + ["rejected"]
    for rows in lanes(result):
        assert rows.tally(None).rows == {Outcome.GOOD: 4, Outcome.REJECTED: 1}
        assert [each.rule for each in rows.iterate_rejects(0)] == ["rule:named"]
        for destination, own, others in ((CLICKHOUSE, {1, 3}, [2, 4]), (POSTGRESQL, {1, 2}, [3, 4])):
            there = taken(rows, destination)
            assert {row.id for row in there.good(None).collect()} == own
            assert there.tally(None).rows == {Outcome.GOOD: 2, Outcome.REJECTED: 3}
            apart = rows.apart_for(destination)
            assert apart is not None
            refused = list(rows.iterate_refused(None, apart))
            name = "v" if destination == CLICKHOUSE else "name"
            assert [each.rule for each in refused] == [f"range:{destination}:{name}"] * 2
            assert [f'"id":{number}' in each.row for each, number in zip(refused, others, strict=True)] == [True, True]
            told = there.tagged(None).where(f"{OUTCOME} = 'rejected'").select(RULE).collect()
            assert sorted(row[0] for row in told) == [f"range:{destination}:{name}"] * 2 + ["rule:named"]


def test_a_word_for_all_columns_rejects_where_it_must_not_alter(spark: SparkSession) -> None:
    """The key, the date, and what is never NULL."""
    early, day = _nullable("DATE'1800-01-01'"), _nullable("DATE'2000-01-01'")
    df = spark.sql(
        f"SELECT {early} AS id, {day} AS v, {day} AS w UNION ALL SELECT {day}, {early}, {day} "
        f"UNION ALL SELECT DATE'2000-01-02', {day}, {early}"
    )
    there = taken(lanes(transformed(df, {CLICKHOUSE: "set_null"}, transform={"required": ("w",)}))[0], CLICKHOUSE)
    rows = there.tagged(None).where(f"{OUTCOME} = 'rejected'").select(RULE, REASON).collect()
    assert sorted(row[0] for row in rows) == ["range:clickhouse:id", "range:clickhouse:w"]
    assert [row.v for row in there.good(None).collect()] == [None]


def test_rows_that_every_store_holds_are_set_apart_by_none(spark: SparkSession) -> None:
    result = transformed(spark.sql(f"SELECT 1 AS id, {FIRST} AS v"), {CLICKHOUSE: "reject_there", POSTGRESQL: "clamp"})
    assert [{*rows.tally(None).apart.values()} for rows in lanes(result)] == [{0}, {0}]


def test_a_column_that_must_not_be_altered_is_told_by_its_name(spark: SparkSession) -> None:
    df = spark.sql("SELECT 1 AS id, DATE'1800-01-01' AS v")
    with pytest.raises(ConfigurationError, match=r"clickhouse\.out_of_range: v is never NULL .*; write clamp or"):
        transformed(df, {CLICKHOUSE: {"v": "set_null"}}, transform={"default": {"v": "2000-01-01"}})
    with pytest.raises(ConfigurationError, match="no column 'w'"):
        transformed(df, {CLICKHOUSE: {"w": "clamp"}})

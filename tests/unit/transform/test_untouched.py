"""Rows are said to pass untouched only where the steps would leave every one of them as it is."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.tables.models import TableConfig
from etl.errors import ConfigurationError
from etl.model import POSTGRESQL_TYPE, UNREADABLE, ColumnDefinition, Destination, TableDefinition, WriteMode
from etl.transform.factory import TransformerFactory
from etl.transform.outcome import OUTCOME, TRIMMED
from etl.transform.text import cleaned, is_clean
from etl.transform.untouched import Untouched
from tests.unit.transform.conftest import MakeFrame, file_table, postgresql_table, transform

ALL = (Destination.CLICKHOUSE, Destination.POSTGRESQL, Destination.S3)
TYPES = {
    "id": "integer",
    "name": "character varying(5)",
    "day": "date",
    "at": "timestamp with time zone",
    "tags": "text[]",
    "code": "uuid",
}
DEFINITION = TableDefinition(
    "things",
    tuple(ColumnDefinition(name, type_, nullable=name != "id") for name, type_ in TYPES.items()),
    primary_key=("id",),
)
SCHEMA = "id int, name string, day date, at timestamp, tags array<string>, code string"
DAY, AT = dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, 12)
CLEAN = [(1, "a b", DAY, AT, ["x", None], " u "), (2, None, None, None, None, None), (3, "é\tü", DAY, AT, [], "")]


def as_read(frame: MakeFrame, rows: list[tuple[Any, ...]]) -> DataFrame:
    read = frame(SCHEMA, *rows)
    for name, type_ in TYPES.items():
        read = read.withMetadata(name, {POSTGRESQL_TYPE: type_})
    return read


def untouched(table: TableConfig, read: DataFrame, definition: TableDefinition = DEFINITION) -> Untouched | None:
    transformer = TransformerFactory.get_transformer(table, definition, ALL)
    return transformer.untouched(read.toArrow(), read.schema)


def test_a_word_for_a_column_that_is_not_there_is_told_although_all_rows_are_clean(frame: MakeFrame) -> None:
    """The transform, which would say so, is not asked."""
    read = as_read(frame, CLEAN)

    def table(**words: Any) -> TableConfig:
        names: dict[str, Any] = {"table_name": "things", "target_name": "things", "mode": WriteMode.APPEND}
        return postgresql_table(loads={Destination.CLICKHOUSE: ClickHouseTableLoadConfig(**names, out_of_range=words)})

    assert untouched(table(day="set_null"), read) is not None
    for column, said in (("dya", "no column 'dya'; did you mean 'day'?"), ("id", "id is never NULL")):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            untouched(table(**{column: "set_null"}), read)


@pytest.mark.parametrize(
    "fields",
    [
        {"transform": {"trim": True}},
        {"transform": {"trim": ("name", "code")}, "key": ()},
        {"transform": {"drop": ("code", "at")}},
        {"transform": {"required": ("id",)}},
        {"transform": {"allowed": {"name": ("a b", "é\tü")}, "normalize_case": ("name",)}},
    ],
)
def test_what_passes_is_what_the_steps_leave_as_it_is(frame: MakeFrame, fields: dict[str, Any]) -> None:
    table, read = postgresql_table(**fields), as_read(frame, CLEAN)
    if "code" in str(fields["transform"].get("trim")):
        read = read.withColumn("code", F.trim("code")).withMetadata("code", {POSTGRESQL_TYPE: "uuid"})
    passed, result = untouched(table, read), transform(table, read, DEFINITION, ALL)
    assert passed is not None
    assert passed.fields == result.fields
    names = [field.name for field in passed.fields]
    assert passed.rows.select(names).to_pylist() == result.good.toArrow().to_pylist()
    assert result.tagged.where(f"{OUTCOME} <> 'good'").count() == 0
    assert TRIMMED not in result.tagged.columns or result.tagged.where(TRIMMED).count() == 0


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"name": "a "}, {"transform": {"trim": True}}),
        ({"name": "\ufeffa"}, {"transform": {"trim": True}}),
        ({"name": "a\x1fb"}, {"transform": {"trim": True}}),
        ({"day": dt.date(1899, 12, 31)}, {}),
        ({"at": dt.datetime(2300, 1, 1)}, {}),
        ({"name": "A B"}, {"transform": {"allowed": {"name": ("a b",)}, "normalize_case": ("name",)}}),
        ({"name": "c"}, {"transform": {"allowed": {"name": ("a b",)}}}),
        ({"name": None}, {"transform": {"required": ("name",)}}),
        ({"day": None}, {"date_column": "day"}),
        ({"id": None}, {}),
    ],
)
def test_a_row_that_a_step_would_touch_calls_for_the_steps(
    frame: MakeFrame, change: dict[str, Any], fields: dict[str, Any]
) -> None:
    """One among many; without it they pass."""
    table, good = postgresql_table(**fields), CLEAN[:1]
    changed = tuple(change.get(name, value) for name, value in zip(TYPES, CLEAN[0], strict=True))
    assert untouched(table, as_read(frame, good)) is not None
    read = as_read(frame, [*good, changed])
    definition = DEFINITION if "id" not in change else TableDefinition("things", DEFINITION.columns, ())
    assert untouched(table, read, definition) is None
    result = transform(table, read, definition, ALL)
    has_failed = result.tagged.where(f"{OUTCOME} <> 'good'").count()
    has_changed = result.good.toArrow().to_pylist() != read.toArrow().to_pylist()
    assert has_failed or has_changed


def test_a_value_that_the_source_does_not_enforce_calls_for_the_steps(frame: MakeFrame) -> None:
    """One longer than its column, and a NUL."""
    looser = TableDefinition("things", (*DEFINITION.columns[:1], ColumnDefinition("name", "text")), ("id",))
    read = as_read(frame, [(1, "é" * 5, None, None, None, None)])
    assert untouched(postgresql_table(), read, looser) is not None
    for name, tags in (("é" * 6, None), ("a\0", None), ("a", ["a\0"])):
        read = as_read(frame, [(1, name, None, None, tags, None)])
        assert untouched(postgresql_table(), read, looser) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"transform": {"derive": {"more": "id + 1"}}},
        {"transform": {"filter": "id > 0"}},
        {"transform": {"rules": {"positive": "id > 0"}}},
        {"transform": {"rename": {"name": "title"}}},
        {"transform": {"cast": {"id": "bigint"}}},
        {"transform": {"default": {"name": "?"}}},
        {"transform": {"mask": {"name": "name"}}},
        {"transform": {"hash": ("name",)}},
        {"transform": {"transformer": "ArticleText"}},
        {"transform": {"deduplicate": {"order_by": ("at desc",)}}},
        {"key": ("name",)},
    ],
)
def test_steps_that_may_always_change_something_are_sparks(frame: MakeFrame, fields: dict[str, Any]) -> None:
    assert untouched(postgresql_table(**fields), as_read(frame, CLEAN)) is None
    assert untouched(file_table(), as_read(frame, CLEAN)) is None


def test_a_value_that_could_not_be_read_calls_for_the_steps(frame: MakeFrame) -> None:
    read = as_read(frame, CLEAN[:1])
    assert untouched(postgresql_table(), read.withColumn(UNREADABLE, F.lit(None).cast("string"))) is not None
    assert untouched(postgresql_table(), read.withColumn(UNREADABLE, F.lit("at=infinity"))) is None


def test_arrow_and_spark_agree_on_what_is_clean(frame: MakeFrame) -> None:
    """Each character that either might take for a blank or a control: at the beginning, within, and at the end."""
    signs = [
        chr(code) for code in (*range(0x180), *range(0x1680, 0x1690), *range(0x2000, 0x2070), 0x3000, 0xFEFF, 0x180E)
    ]
    texts = [text for sign in signs for text in (sign + "a", f"a{sign}b", "a" + sign, sign)]
    found = frame("text string", *((text,) for text in texts)).selectExpr("text", f"{cleaned('text')} <=> text AS same")
    rows = found.toArrow()
    same = rows["same"].to_pylist()
    assert [is_clean(rows["text"].slice(at, 1)) for at in range(len(texts))] == same
    assert True in same and False in same

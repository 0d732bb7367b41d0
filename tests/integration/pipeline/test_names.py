"""Every name that PostgreSQL allows works in every store, or is refused for that store before anything is written."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import SparkSession

from etl.clickhouse.door import ClickHouseDoor
from etl.load.clickhouse.transfer import run_table as clickhouse_staging
from etl.load.postgresql.transfer import run_table as postgresql_staging
from etl.statements.quoting import clickhouse_identifier, postgresql_identifier, postgresql_name, spark_identifier
from tests.conftest import RunningStack
from tests.integration.pipeline.conftest import Shop, load_of

pytestmark = pytest.mark.stack

KEY = 'the"key".`1`'
NAMES = [
    *("addr.city", "a..b", ".", "`", "a`b", 'a"b', '"', "quo'te", "back\\slash", "sl/ash", "semi", "naïve€", "😀"),
    *(
        "x" * 63,
        "é" * 31,
        "select",
        "order",
        "Upper",
        "_under",
        "1",
        "$1",
        "$price",
        ":name",
        "why?",
        "?",
        "%",
        "100%s",
    ),
    *("-", "a-b", "a\x01b", "rows", "value", "count", "key", "part", "detail", "stored", "incoming"),
    *("s", "t", "x", "e", "r", "staged", "target", "excluded", "source_row", "partition", "sample", "size0", "mark"),
    *("c0", "etl_row", "equal", "day", "row", "source", "null", "_c1", "line:break", "#", "@", "a|b", "a&b"),
]
NOT_IN_DELTA = [
    "a b",
    " ",
    " lead",
    "trail ",
    "a,b",
    "a;b",
    "{curly}",
    "(paren)",
    "a=b",
    "new\nline",
    "tab\tx",
    "%(run_id)s",
]
ROWS = 4


def _create(shop: Shop, table: str, names: list[str]) -> None:
    """Row `i` holds `place.i` in the column of that place, and nothing in row 2 of `addr.city`."""
    columns = ", ".join(f"{postgresql_identifier(name)} text" for name in names)
    values = ", ".join(f"'{place}.' || i" for place, _ in enumerate(names))
    target = postgresql_identifier(table)
    shop.source(
        f"CREATE TABLE {target} ({postgresql_identifier(KEY)} int PRIMARY KEY, {columns});"
        f"INSERT INTO {target} SELECT i, {values} FROM generate_series(1, {ROWS}) AS i;"
        f'UPDATE {target} SET "addr.city" = NULL WHERE {postgresql_identifier(KEY)} = 2'
    )


def _wanted(names: list[str]) -> list[tuple[object, ...]]:
    """Of the first and the last row, which was changed, and of none that was rejected."""
    first = (1, *(f"{place}.1" for place, _ in enumerate(names)))
    last = (ROWS, *(f"{place}.{ROWS}" for place, _ in enumerate(names[:-1])), "changed")
    return [first, last]


def test_names_work_in_every_store_or_are_refused_there(
    shop: Shop, stack: RunningStack, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if there were many rows: the executors send them, where Spark knows columns by their names
    monkeypatch.setattr(postgresql_staging, "_DRIVER_ROWS", 0)
    monkeypatch.setattr(clickhouse_staging, "DRIVER_ROWS", 0)
    assert stack.settings.clickhouse is not None and stack.settings.s3 is not None
    odd, all_names = 'odd. `%s` "t"', [*NOT_IN_DELTA, *NAMES]
    _create(shop, odd, all_names)
    _create(shop, "others", NAMES)
    entry = {"key": KEY, "source": {"table": odd}, "transform": {"trim": False, "required": ["addr.city"]}}
    only_s3 = {"postgresql": {"enabled": False}, "clickhouse": {"enabled": False}}
    tables = {
        "all": entry
        | {"postgresql": {"target_schema": odd, "target_name": odd}}
        | {"clickhouse": {"target_name": shop.name + odd, "mode": "merge"}},
        "as_json": entry
        | {"s3": {"format": "json"}, "postgresql": {"copy_format": "csv"}}
        | {"clickhouse": {"target_name": f"{shop.name}_json", "writer": "jdbc"}},
        "refused": entry | only_s3 | {"s3": {"format": "delta"}},
        "others": entry | only_s3 | {"s3": {"format": "delta", "mode": "merge"}, "source": {"table": "others"}},
    }
    shop.tables(f"tables: {json.dumps(tables)}")
    _, report = shop.run(destinations="s3,postgresql,clickhouse")
    refusal = load_of(report, "refused", "s3")["error"]
    assert all(repr(name) in refusal for name in NOT_IN_DELTA) and "'a`b'" not in refusal
    for table in (odd, "others"):
        change = f"UPDATE {postgresql_identifier(table)} SET \"a&b\" = 'changed'"
        shop.source(f"{change} WHERE {postgresql_identifier(KEY)} = {ROWS}")
    _, again = shop.run(destinations="s3,postgresql,clickhouse")
    for run in (report, again):
        errors = {(load["table"], load["destination"]): load["error"] for load in run["loads"] if load["error"]}
        assert set(errors) == {("refused", "s3")}, errors
    assert load_of(again, "others", "s3")["rows_updated"] == load_of(again, "all", "postgresql")["rows_updated"] == 1
    place = all_names.index("100%s")
    kept = shop.target(
        "SELECT DISTINCT rule, row ->> '100%s', row ->> 'addr.city' FROM etl.rejects WHERE table_name = 'all'"
    )
    assert kept == [("required:addr.city", f"{place}.2", None)]

    ends = f"IN (1, 2, {ROWS})"
    columns = ", ".join(map(postgresql_identifier, [KEY, *all_names]))
    for target in (postgresql_name(odd, odd), "public.as_json"):
        where = f"WHERE {postgresql_identifier(KEY)} {ends} ORDER BY 1"
        assert shop.target(f"SELECT {columns} FROM {target} {where}") == _wanted(all_names)
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        columns = ", ".join(map(clickhouse_identifier, [KEY, *all_names]))
        for target in (shop.name + odd, f"{shop.name}_json"):
            where = f"WHERE {clickhouse_identifier(KEY)} {ends} ORDER BY 1"
            rows = door.query(f"SELECT {columns} FROM {clickhouse_identifier(target)} FINAL {where}")
            assert [tuple(row) for row in rows] == _wanted(all_names)
    lake = f"s3a://{stack.settings.s3.bucket}/data-lake/{shop.name}"
    schema = spark.read.parquet(f"{lake}/all").schema
    for frame, names in (
        (spark.read.parquet(f"{lake}/all"), all_names),
        (spark.read.schema(schema).json(f"{lake}/as_json"), all_names),
        (spark.read.format("delta").load(f"{lake}/others"), NAMES),
    ):
        chosen = frame.where(f"{spark_identifier(KEY)} {ends}").orderBy(spark_identifier(KEY))
        assert [tuple(row) for row in chosen.select(*map(spark_identifier, [KEY, *names])).collect()] == _wanted(names)


def test_names_that_are_taken_are_refused_by_name(shop: Shop) -> None:
    shop.source('CREATE TABLE twins (id int PRIMARY KEY, "Name" text, name text, _etl_x int, "_ETL_Attempt" int)')
    shop.source(
        "CREATE TABLE dated (id int PRIMARY KEY, partition_date date); INSERT INTO dated VALUES (1, '2024-01-01')"
    )
    shop.tables("tables: {twins: {}, dated: {}}")
    _, report = shop.run()
    for destination in ("s3", "postgresql"):
        said = load_of(report, "twins", destination)["error"]
        assert "'Name' and 'name', which differ in case only; '_etl_x'; '_ETL_Attempt'" in said
    assert "partition_date is the name of the lake's own partition column" in load_of(report, "dated", "s3")["error"]
    assert load_of(report, "dated", "postgresql")["status"] == "success"


def test_what_a_store_cannot_hold_is_said_before_anything_is_read(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the live schema: the view could not be read at all."""
    many = ", ".join(f"1 AS c{place}" for place in range(1_597))
    shop.source(
        'CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE VIEW odd AS SELECT id, 1 / (id - 1) AS "a b",'
        f' 2 AS "a b.null" FROM t; CREATE VIEW wide AS SELECT id, 1 / (id - 1) AS broken, {many} FROM t'
    )
    shop.tables(
        f"tables: {{odd: {{s3: {{format: delta}}, clickhouse: {{target_name: {shop.name}}}}},"
        " wide: {s3: {enabled: false}, clickhouse: {enabled: false}}}"
    )
    blanks = "odd: format delta has no names with blanks or any of ,;{}()=, found 'a b', 'a b.null'; rename them"
    parts = "odd: clickhouse takes for its own 'a b.null' beside 'a b', whose part it would be: rename them"
    columns = "wide: postgresql takes at most 1,596 columns (a table has 1,600, and the staging table four of our own),"
    said = {("odd", "s3"): blanks, ("odd", "clickhouse"): parts, ("wide", "postgresql"): columns}
    exit_code, report = shop.run(destinations="s3,postgresql,clickhouse")
    assert exit_code == 1
    for (table, store), message in said.items():
        load = load_of(report, table, store)
        assert load["error"].startswith(message), load["error"]
    assert "division by zero" in load_of(report, "odd", "postgresql")["error"]
    capsys.readouterr()
    for store, message in (("s3", blanks), ("clickhouse", parts), ("postgresql", columns)):
        tables = ("--tables", "wide" if store == "postgresql" else "odd")
        assert shop.run("--dry-run", *tables, destinations=store)[0] == 1
        assert f"would fail: {message}" in capsys.readouterr().out


def test_names_that_statements_use_themselves(shop: Shop, stack: RunningStack) -> None:
    """As keys and marks too: every column is compared and kept, and none stands for its row."""
    assert stack.settings.clickhouse is not None
    shop.source(
        "CREATE TABLE ours (staged int, stored text, value timestamptz NOT NULL DEFAULT now(), source_row int,"
        " mark text, sample text, x text CHECK (x <> 'bad'), t text, \"null\" text, PRIMARY KEY (staged, stored));"
        "INSERT INTO ours SELECT i, 'k', now() - interval '1 day', 1, 'm', 's', 'x', 't', NULL"
        " FROM generate_series(1, 3) AS i;"
        'CREATE TABLE parts (id int PRIMARY KEY, a int, "a.null" int, "n.a" int[], "n.b" int[]);'
        "INSERT INTO parts VALUES (1, 2, 3, '{4}', '{5,6}')"
    )
    incremental = "vanished_rows: keep, extract: {mode: incremental, watermark: value}"
    shop.tables(
        f"tables: {{ours: {{key: [staged, stored], {incremental}, s3: {{format: delta, mode: merge}},"
        f" clickhouse: {{target_name: {shop.name}, mode: merge}}}},"
        f" parts: {{clickhouse: {{target_name: {shop.name}_parts}}}}}}"
    )
    _, first = shop.run(destinations="s3,postgresql,clickhouse")
    shop.target("ALTER TABLE ours ADD CONSTRAINT x CHECK (x <> 'bad')")
    shop.source("UPDATE ours SET t = 'changed', value = now() WHERE staged = 1")
    shop.source(
        "ALTER TABLE ours DROP CONSTRAINT ours_x_check; UPDATE ours SET x = 'bad', value = now() WHERE staged = 2"
    )
    _, second = shop.run(destinations="s3,postgresql,clickhouse")
    for run in (first, second):
        errors = {(load["table"], load["destination"]): load["error"] for load in run["loads"] if load["error"]}
        assert set(errors) == {("parts", "clickhouse")}, errors
        assert "'a.null' beside 'a'" in errors["parts", "clickhouse"]
        assert "the array 'n.a', one of a nested structure 'n'" in errors["parts", "clickhouse"]
    assert [load_of(second, "ours", store)["rows_updated"] for store in ("s3", "postgresql", "clickhouse")] == [2, 1, 2]
    kept = shop.target("SELECT row ->> 'x', row ->> 't' FROM etl.rejects WHERE destination = 'postgresql'")
    assert kept == [("bad", "t")]
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        rows = door.query(f"SELECT staged, t, x FROM {shop.name} FINAL ORDER BY staged")
    assert [tuple(row) for row in rows] == [(1, "changed", "x"), (2, "t", "bad"), (3, "t", "x")]

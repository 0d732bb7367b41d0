"""What a source does to its tables between two runs, and what all three stores make of it alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from etl.load.clickhouse.door import ClickHouseDoor
from tests.conftest import RunningStack
from tests.integration.pipeline.conftest import Shop, load_of, status_of

pytestmark = pytest.mark.stack

STORES = ("clickhouse", "postgresql", "s3")
ALL = ",".join(STORES)
TABLES = ("ref", "merged", "kept")


class Stores:
    """The shop's tables, read back from each store by a reader of its own."""

    def __init__(self, shop: Shop, spark: SparkSession, stack: RunningStack) -> None:
        self.shop, self._spark, self._settings = shop, spark, stack.settings
        self._tables: set[str] = set()

    def configure(self, tables: dict[str, str]) -> None:
        """ClickHouse's database is shared: tables bear the shop's name there."""
        self._tables |= set(tables)
        lines = [f"  {name}: {{{entry}}}" for name, entry in tables.items()]
        self.shop.tables("\n".join(["tables:", *lines]))
        path = self.shop.folder / "tables" / "shop.yaml"
        text = path.read_text()
        shared = f'clickhouse: {{target_name: "{self.shop.name}_{{table}}"}}'
        path.write_text(text.replace("defaults: {", f"defaults: {{{shared}, ", 1))

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        return self.shop.run(*arguments, destinations=ALL)

    def rows(self, table: str, columns: str, file_format: str = "parquet") -> dict[str, list[tuple[Any, ...]]]:
        return {
            "clickhouse": sorted(map(tuple, self._clickhouse(f"SELECT {columns} FROM {self._named(table)} FINAL"))),
            "postgresql": sorted(self.shop.target(f"SELECT {columns} FROM {table}")),
            "s3": sorted(map(tuple, self._lake(table, columns, file_format))),
        }

    def drop(self) -> None:
        for table in self._tables:
            self._clickhouse(f"DROP TABLE IF EXISTS {self._named(table)} SYNC")

    def _lake(self, table: str, columns: str, file_format: str) -> list[Any]:
        assert self._settings.s3 is not None
        path = f"s3a://{self._settings.s3.bucket}/data-lake/{self.shop.name}/{table}"
        return self._spark.read.format(file_format).load(path).selectExpr(*columns.split(", ")).collect()

    def _clickhouse(self, statement: str) -> list[list[Any]]:
        assert self._settings.clickhouse is not None
        with ClickHouseDoor(self._settings.clickhouse) as door:
            if statement.startswith("SELECT"):
                return door.query(statement)
            door.execute(statement)
        return []

    def _named(self, table: str) -> str:
        return f"{self.shop.name}_{table}"


@pytest.fixture
def stores(shop: Shop, spark: SparkSession, stack: RunningStack) -> Iterator[Stores]:
    found = Stores(shop, spark, stack)
    yield found
    found.drop()


def everywhere(rows: list[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    return dict.fromkeys(STORES, rows)


def counted(report: dict[str, Any], table: str, name: str) -> dict[str, Any]:
    return {store: load_of(report, table, store)[name] for store in STORES}


def test_rows_that_are_gone_from_the_source_go_from_every_store_alike(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleted, then emptied: a reference table, a merged one that is read whole, one that never deletes."""
    shop = stores.shop
    updated = "updated_at timestamptz NOT NULL DEFAULT now(), created_at timestamptz NOT NULL DEFAULT '2026-01-01'"
    shop.source(
        "CREATE TABLE ref (id int PRIMARY KEY, name text UNIQUE);"
        f"CREATE TABLE merged (id int PRIMARY KEY, name text, {updated});"
        f"CREATE TABLE kept (id int PRIMARY KEY, name text, {updated});"
        + "".join(f"INSERT INTO {t} (id, name) SELECT g, 'n' || g FROM generate_series(1, 5) g;" for t in TABLES)
    )
    stores.configure(
        {
            "ref": "",
            "merged": "kind: snapshot, extract: {mode: full}, vanished_rows: delete, clickhouse: {partition_by: null}",
            "kept": "kind: snapshot",
        }
    )
    assert stores.run()[0] == 0

    shop.source("".join(f"DELETE FROM {table} WHERE id IN (2, 4);" for table in TABLES))
    shop.source("INSERT INTO ref VALUES (6, 'n2')")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert stores.rows("ref", "id, name") == everywhere([(1, "n1"), (3, "n3"), (5, "n5"), (6, "n2")])
    assert stores.rows("merged", "id", "delta") == everywhere([(1,), (3,), (5,)])
    assert stores.rows("kept", "id", "delta") == everywhere([(g,) for g in range(1, 6)])
    for table in ("ref", "merged"):
        assert counted(report, table, "rows_deleted") == dict.fromkeys(STORES, 2)
        assert counted(report, table, "vanished_rows") == dict.fromkeys(STORES, "delete")
    assert counted(report, "kept", "vanished_rows") == dict.fromkeys(STORES, "keep")
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}

    shop.source("".join(f"TRUNCATE {table};" for table in TABLES))
    capsys.readouterr()
    stores.run("--dry-run")
    said = capsys.readouterr().out
    assert "  rows that are gone from the source are deleted (at most 50%)" in said
    assert "  rows that are gone from the source stay: only what was added or changed is read" in said

    exit_code, report = stores.run()
    assert exit_code == 1
    assert counted(report, "ref", "status") == dict.fromkeys(STORES, "failed")
    for store, error in counted(report, "ref", "error").items():
        assert error.startswith("ref: expected at most 50% of the 4 rows of "), store
        assert "found 4; nothing was written" in error and "--maximum-deleted 100%" in error
    assert stores.rows("ref", "id") == everywhere([(1,), (3,), (5,), (6,)])

    exit_code, report = stores.run("--resume", report["run_id"], "--maximum-deleted", "100%")
    assert exit_code == 0, report
    assert stores.rows("ref", "id") == stores.rows("merged", "id", "delta") == everywhere([])
    assert len(stores.rows("kept", "id", "delta")["postgresql"]) == 5
    assert counted(report, "ref", "rows_deleted") == dict.fromkeys(STORES, 4)
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}


def test_a_parent_that_is_gone_stays_in_postgresql_as_long_as_a_row_refers_to_it(shop: Shop) -> None:
    """A tree that refers to itself, and a child that is never deleted."""
    shop.source(
        "CREATE TABLE parent (id int PRIMARY KEY, above int REFERENCES parent DEFERRABLE);"
        "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, updated_at timestamptz DEFAULT now());"
        "INSERT INTO parent VALUES (1, 1), (2, 1), (3, 2), (4, NULL), (5, NULL), (6, NULL), (7, NULL), (8, NULL);"
        "INSERT INTO child VALUES (1, 4), (2, 5)"
    )
    child = "kind: snapshot, date_column: null, s3: {partition_by: null}, clickhouse: {partition_by: null}"
    shop.tables(f"tables: {{parent: {{}}, child: {{{child}}}}}")
    assert shop.run(destinations="postgresql")[0] == 0
    shop.source("DELETE FROM child WHERE id = 1; UPDATE parent SET above = NULL; DELETE FROM parent WHERE id < 5")
    exit_code, report = shop.run("--maximum-deleted", "5", destinations="postgresql")
    load = load_of(report, "parent", "postgresql")
    assert (exit_code, load["rows_deleted"]) == (0, 3), report
    assert shop.target("SELECT id FROM parent ORDER BY 1") == [(4,), (5,), (6,), (7,), (8,)]
    assert load["notes"] == [
        "1 rows that are gone from the source stay, since rows of public.child, public.parent refer to them; "
        "the next run tries again"
    ]
    shop.target("DELETE FROM child WHERE id = 1")
    exit_code, report = shop.run(destinations="postgresql")
    assert (exit_code, load_of(report, "parent", "postgresql")["rows_deleted"]) == (0, 1)
    assert status_of(shop.run(destinations="postgresql")[1])["parent", "postgresql"] == "unchanged"


def test_a_table_most_of_whose_rows_break_a_rule_fails_and_its_mark_stays(shop: Shop) -> None:
    shop.source(
        "CREATE TABLE one (id int PRIMARY KEY, name text, updated_at timestamptz NOT NULL);"
        "INSERT INTO one SELECT g, 'n' || g, '2026-01-01' FROM generate_series(1, 4) g"
    )
    entry = "one: {kind: snapshot, date_column: null, s3: {partition_by: null}, clickhouse: {partition_by: null}"
    shop.tables(f"tables:\n  {entry}, transform: {{rules: {{even: id % 2 = 0, small: id < 4}}}}}}")
    said = (
        "one: expected at most 50% of the 4 rows read to break a rule (maximum_rejected), found 3: "
        "rule:even (2, such as 'not id % 2 = 0'); rule:small (1, such as 'not id < 4')"
    )
    assert shop.run("--dry-run")[0] == 0
    exit_code, report = shop.run()
    assert (exit_code, {load["error"].startswith(said) for load in report["loads"]}) == (1, {True}), report
    assert shop.ledger.watermarks() == {} and shop.ledger.count_rejects() == 0
    exit_code, report = shop.run("--resume", report["run_id"], "--maximum-rejected", "3")
    assert (exit_code, load_of(report, "one", "s3")["rows_rejected"], shop.ledger.count_rejects()) == (0, 3, 3)

"""Rows that are gone at the source, by all three stores: marked, come back, called deleted by the source itself."""

from __future__ import annotations

import pytest

from etl.model import DELETED_AT
from tests.integration.pipeline.conftest import STORES, Stores, counted, everywhere, status_of

pytestmark = pytest.mark.stack

TIMES = "updated_at timestamptz NOT NULL DEFAULT now(), created_at timestamptz NOT NULL DEFAULT '2026-01-01'"
MARKS = f"id, {DELETED_AT} IS NOT NULL"


def test_rows_are_marked_in_every_store_alike_and_come_back(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    """Kept at first, then marked: of small tables and by Spark; a second run, rows that come back, an empty source."""
    shop, tables = stores.shop, ("small", "large")
    shop.source(
        "".join(
            f"CREATE TABLE {t} (id int PRIMARY KEY, name text, {TIMES});"
            f"INSERT INTO {t} SELECT g, 'n' || g FROM generate_series(1, 5) g;"
            for t in tables
        )
    )
    entry = "kind: snapshot, extract: {mode: full}, clickhouse: {partition_by: null}"
    spark = "s3: {writer: spark}"
    stores.configure({"small": entry, "large": f"{entry}, {spark}"})
    assert stores.run()[0] == 0
    stores.configure({"small": f"{entry}, vanished_rows: mark", "large": f"{entry}, vanished_rows: mark, {spark}"})

    shop.source("".join(f"DELETE FROM {t} WHERE id IN (2, 4);" for t in tables))
    capsys.readouterr()
    assert stores.run("--dry-run")[0] == 0
    said = capsys.readouterr().out
    assert f"  rows that are gone from the source are marked in {DELETED_AT} (at most 50%)" in said
    exit_code, report = stores.run()
    assert exit_code == 0, report
    gone = everywhere([(1, False), (2, True), (3, False), (4, True), (5, False)])
    for table in tables:
        assert stores.rows(table, MARKS, "delta") == gone
        assert stores.rows(table, "id, name", "delta") == everywhere([(g, f"n{g}") for g in range(1, 6)])
        assert counted(report, table, "rows_deleted") == dict.fromkeys(STORES, 2)
        assert counted(report, table, "rows_unchanged") == dict.fromkeys(STORES, 3)
        assert counted(report, table, "vanished_rows") == dict.fromkeys(STORES, "mark")
    [(is_runs_instant,)] = shop.target(
        f"SELECT bool_and({DELETED_AT} = started_at) FROM small, etl.runs "
        f"WHERE run_id = %s AND {DELETED_AT} IS NOT NULL",
        [report["run_id"]],
    )
    assert is_runs_instant
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}

    shop.source("".join(f"INSERT INTO {t} VALUES (2, 'n2'); DELETE FROM {t} WHERE id = 5;" for t in tables))
    exit_code, report = stores.run()
    assert exit_code == 0, report
    for table in tables:
        back = everywhere([(1, False), (2, False), (3, False), (4, True), (5, True)])
        assert stores.rows(table, MARKS, "delta") == back
        assert counted(report, table, "rows_updated") == dict.fromkeys(STORES, 1)
        assert counted(report, table, "rows_deleted") == dict.fromkeys(STORES, 1)

    shop.source("".join(f"TRUNCATE {table};" for table in tables))
    exit_code, report = stores.run()
    assert exit_code == 1
    for error in counted(report, "small", "error").values():
        assert error.startswith("small: expected at most 50% of the 3 rows of ")
    assert stores.rows("small", MARKS, "delta") == back
    exit_code, report = stores.run("--maximum-deleted", "100%")
    assert exit_code == 0, report
    assert stores.rows("large", MARKS, "delta") == everywhere([(g, True) for g in range(1, 6)])


def test_what_the_source_calls_deleted_goes_from_every_store_alike(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marked or deleted, once, by key; a row that was never there; one that is undone; one that breaks a rule now."""
    shop, tables = stores.shop, ("softly", "hardly")
    shop.source(
        "".join(
            f"CREATE TABLE {t} (id int PRIMARY KEY, name text, is_deleted bool, {TIMES});"
            f"INSERT INTO {t} SELECT g, 'n' || g, g = 9 FROM generate_series(1, 9) g;"
            for t in tables
        )
    )
    transform = "transform: {deleted_when: is_deleted, required: name, drop: is_deleted}"
    stores.configure(
        {
            "softly": f"kind: snapshot, vanished_rows: mark, {transform}",
            "hardly": f"kind: snapshot, vanished_rows: delete, {transform}, clickhouse: {{mode: merge}}",
        }
    )
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert counted(report, "softly", "rows_skipped") == dict.fromkeys(STORES, 1)
    assert stores.rows("hardly", "id", "delta") == everywhere([(g,) for g in range(1, 9)])

    for table in tables:
        shop.source(
            f"UPDATE {table} SET is_deleted = true, updated_at = now() WHERE id IN (2, 4);"
            f"UPDATE {table} SET is_deleted = true, name = NULL, updated_at = now() WHERE id = 3;"
            f"UPDATE {table} SET name = 'new', updated_at = now() WHERE id = 1;"
            f"INSERT INTO {table} VALUES (10, 'n10', true);"
        )
    capsys.readouterr()
    assert stores.run("--dry-run")[0] == 0
    said = capsys.readouterr().out
    assert f"  rows that the source calls deleted (is_deleted) are marked in {DELETED_AT} by their key" in said
    assert "  rows that the source calls deleted (is_deleted) are deleted by their key" in said
    exit_code, report = stores.run()
    assert exit_code == 0, report
    marked = [(g, g in (2, 3, 4)) for g in range(1, 9)]
    assert stores.rows("softly", MARKS, "delta") == everywhere(marked)
    assert stores.rows("hardly", "id", "delta") == everywhere([(g,) for g in (1, 5, 6, 7, 8)])
    assert stores.rows("softly", "id, name", "delta") == everywhere([(1, "new"), *((g, f"n{g}") for g in range(2, 9))])
    for table in tables:
        assert counted(report, table, "rows_read") == dict.fromkeys(STORES, 10)
        assert counted(report, table, "rows_deleted") == dict.fromkeys(STORES, 3)
        assert counted(report, table, "rows_skipped") == dict.fromkeys(STORES, 5)
        assert counted(report, table, "rows_updated") == dict.fromkeys(STORES, 1)
        assert counted(report, table, "rows_rejected") == dict.fromkeys(STORES, 0)

    for table in tables:
        shop.source(f"UPDATE {table} SET is_deleted = false, updated_at = now() WHERE id = 4;")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert stores.rows("softly", MARKS, "delta") == everywhere([(g, g in (2, 3)) for g in range(1, 9)])
    assert stores.rows("hardly", "id", "delta") == everywhere([(g,) for g in (1, 4, 5, 6, 7, 8)])
    for table in tables:
        assert counted(report, table, "rows_deleted") == dict.fromkeys(STORES, 0)

    assert stores.run("--full-refresh")[0] == 0
    assert stores.rows("softly", MARKS, "delta") == everywhere([(g, g in (2, 3)) for g in range(1, 9)])
    assert stores.rows("hardly", "id", "delta") == everywhere([(g,) for g in (1, 4, 5, 6, 7, 8)])


def test_a_deleted_row_that_others_refer_to_is_looked_at_again(stores: Stores) -> None:
    """The mark of its table stays until the rows are gone that need it: nothing else would bring the deletion again."""
    shop = stores.shop
    shop.source(
        f"CREATE TABLE orders (id int PRIMARY KEY, is_deleted bool NOT NULL DEFAULT false, {TIMES});"
        "CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders);"
        "INSERT INTO orders SELECT g FROM generate_series(1, 4) g; INSERT INTO lines VALUES (7, 2);"
    )
    entry = (
        "kind: snapshot, vanished_rows: delete, extract: {overlap_seconds: 0}, transform: {deleted_when: is_deleted}"
    )
    stores.configure({"orders": entry, "lines": ""})
    mark = "SELECT mark FROM etl.watermarks WHERE table_name = 'orders'"
    assert shop.run(destinations="postgresql")[0] == 0
    before = shop.target(mark)

    shop.source("UPDATE orders SET is_deleted = true, updated_at = now() WHERE id = 2; DELETE FROM lines;")
    exit_code, report = shop.run(destinations="postgresql")
    assert exit_code == 1, report  # the last of the lines is gone: more than half of them
    assert shop.target("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert shop.target(mark) == before

    assert shop.run("--maximum-deleted", "100%", destinations="postgresql")[0] == 0
    assert shop.target(mark) == before
    assert shop.run(destinations="postgresql")[0] == 0
    assert shop.target("SELECT id FROM orders ORDER BY id") == [(1,), (3,), (4,)]
    assert shop.target(mark) > before

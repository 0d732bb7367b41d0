"""Days that go by: what is new and what changed is exactly what is reported, every time the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from etl.command.exits import Exit
from etl.sample.revisions import REVISIONS
from etl.sample.source import TABLES
from tests.integration.sample.conftest import SampleDatabase

pytestmark = pytest.mark.stack

SCALE = ("--scale", "0.003")
MakeDatabase = Callable[[], SampleDatabase]


@pytest.fixture(scope="module")
def filled(make_database: MakeDatabase) -> SampleDatabase:
    database = make_database()
    database.run_json(*SCALE)
    return database


def test_new_and_changed_rows_are_those_reported(filled: SampleDatabase) -> None:
    for days in (1, 3):
        before = filled.contents()
        report = filled.run_json("--advance", str(days))
        after = filled.contents()
        changed = {table: len(before[table] - after[table]) for table in TABLES}
        new = {table: len(after[table] - before[table]) - changed[table] for table in TABLES}
        assert report["tables"] == {table: {"new": new[table], "changed": changed[table]} for table in TABLES}
        assert all(changed[table] > 0 for table in REVISIONS)
        assert all(new[table] > 0 or table in REVISIONS for table in TABLES)


def test_changed_rows_are_stamped_within_the_new_days(make_database: MakeDatabase) -> None:
    database = make_database()
    database.run_json(*SCALE, "--end-date", "2026-03-31")
    report = database.run_json("--advance", "2")
    assert report["end_date"] == "2026-04-02"
    start, end = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 3, tzinfo=UTC)
    for table, counts in report["tables"].items():
        column = "updated_at" if table in REVISIONS else "created_at"
        rows = database.query(f"SELECT min({column}), max({column}), count(*) FROM {table} WHERE {column} >= '{start}'")
        first, last, count = rows[0]
        assert count == counts["new"] + counts["changed"], table
        assert start <= first, table
        assert last < end, table


@pytest.mark.slow
def test_the_same_days_give_the_same_rows(make_database: MakeDatabase) -> None:
    one, two = make_database(), make_database()
    for database in (one, two):
        database.run_json(*SCALE)
        database.run_json("--advance", "2")
        database.run_json("--advance", "1", "--dirty", "0.05")
    assert one.contents() == two.contents()


def test_only_a_sample_can_advance(make_database: MakeDatabase) -> None:
    database = make_database()
    refused = database.run("--advance", "1")
    assert refused.exit_code == Exit.USAGE
    assert "etl sample" in refused.stderr
    assert database.run("--advance", "1", "--recreate").exit_code == Exit.USAGE

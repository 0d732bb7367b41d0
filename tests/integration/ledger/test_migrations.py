from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import StoreError, TerminalError
from etl.ledger import Ledger
from etl.ledger.migrations import Migration, migrate, read_migrations
from etl.ledger.statements import SQL_DIRECTORY
from etl.postgresql.pool import Database
from tests.integration.ledger.conftest import Execute

pytestmark = pytest.mark.stack

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'etl'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'etl'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'etl' ORDER BY 1"


def describe(execute: Execute) -> list[list[Any]]:
    return [execute(query) for query in (COLUMNS, CONSTRAINTS, INDEXES)]


def names() -> list[str]:
    return [migration.name for migration in read_migrations()]


@pytest.fixture
def ledger_of_nothing(ledger_settings: PostgreSQLSettings, empty_database: None) -> Any:
    with closing(Ledger(ledger_settings)) as ledger:
        yield ledger


def test_schema_sql_is_what_the_migrations_make(ledger_of_nothing: Ledger, execute: Execute) -> None:
    ledger_of_nothing.migrate()
    migrated = describe(execute)
    execute("DROP SCHEMA etl CASCADE")
    execute((SQL_DIRECTORY / "schema.sql").read_text())

    assert describe(execute) == migrated
    assert {row[0] for row in migrated[0]} == {
        "alerts",
        "leases",
        "loads",
        "maintenance",
        "migrations",
        "rejects",
        "run_tables",
        "runs",
        "watermarks",
    }


def test_migrates_once(ledger_of_nothing: Ledger) -> None:
    assert not ledger_of_nothing.exists()
    assert ledger_of_nothing.migrate() == names()
    assert ledger_of_nothing.exists()
    assert ledger_of_nothing.migrate() == []


def test_runs_that_start_at_once_migrate_once(
    ledger_settings: PostgreSQLSettings, empty_database: None, execute: Execute
) -> None:
    start = threading.Barrier(6)

    def migrate_at_once() -> list[str]:
        with closing(Ledger(ledger_settings)) as ledger:
            start.wait()
            return ledger.migrate()

    with ThreadPoolExecutor(6) as pool:
        applied = [each.result() for each in [pool.submit(migrate_at_once) for _ in range(6)]]

    assert sorted(name for one in applied for name in one) == names()
    assert execute("SELECT name FROM etl.migrations ORDER BY name") == [(name,) for name in names()]


def test_a_failing_migration_leaves_nothing_of_itself(
    ledger_settings: PostgreSQLSettings, ledger_of_nothing: Ledger, execute: Execute
) -> None:
    ledger_of_nothing.migrate()
    broken = Migration("9999_broken", "CREATE TABLE etl.half (); SELECT 1 / 0;")

    with closing(Database(ledger_settings)) as database, pytest.raises(StoreError, match="migration 9999_broken"):
        migrate(database, [*read_migrations(), broken])

    assert execute("SELECT to_regclass('etl.half')") == [(None,)]
    assert execute("SELECT count(*) FROM etl.migrations WHERE name = '9999_broken'") == [(0,)]


def test_refuses_a_ledger_of_a_newer_version(ledger: Ledger, execute: Execute) -> None:
    execute("INSERT INTO etl.migrations (name, sha256) VALUES ('9999_future', '')")
    with pytest.raises(TerminalError, match="9999_future"):
        ledger.migrate()


def test_refuses_an_edited_migration(ledger: Ledger, execute: Execute) -> None:
    execute("UPDATE etl.migrations SET sha256 = 'other'")
    with pytest.raises(TerminalError, match=f"edited after they had been applied: {names()[0]}"):
        ledger.migrate()


def test_an_administrator_may_have_made_the_schema(ledger_of_nothing: Ledger, execute: Execute) -> None:
    execute("CREATE SCHEMA etl")
    assert ledger_of_nothing.migrate() == names()

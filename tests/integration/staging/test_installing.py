from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.ledger.migrations import read_migrations
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install, install_ledger
from etl.staging.ledger.queries import SQL_DIRECTORY
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute

pytestmark = pytest.mark.stack

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
TRIGGERS = """
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(pg_trigger.oid), prosrc
FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal ORDER BY 1, 2
"""
FUNCTIONS = """
SELECT oid::regprocedure::text, prosrc, provolatile::text FROM pg_proc
WHERE pronamespace = 'public'::regnamespace ORDER BY 1
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


def describe(execute: Execute) -> list[list[Any]]:
    return [execute(query) for query in (COLUMNS, CONSTRAINTS, INDEXES, FUNCTIONS, TRIGGERS)]


def test_schema_sql_is_what_the_migrations_make(database: StagingDatabase, execute: Execute) -> None:
    migrated = describe(execute)
    execute("DROP SCHEMA public CASCADE")
    execute("CREATE SCHEMA public")
    execute((SQL_DIRECTORY / "schema.sql").read_text())
    assert describe(execute) == migrated
    assert len(migrated[0]) > 40
    assert len(migrated[-1]) == 8


def test_the_contract_of_a_table(database: StagingDatabase, execute: Execute) -> None:
    assert install(database, [StagingTable("stg_whole", has_gin_index=True)]) == ["stg_whole"]
    assert install(database, [StagingTable("stg_whole", has_gin_index=True)]) == []
    required = execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'stg_whole' AND is_nullable = 'NO'"
    )
    assert {name for (name,) in required} == {
        "source_id", "data", "etl_job_id", "etl_run_id", "loaded_at", "created_at", "updated_at", "is_valid",
        "input_position",
    }  # fmt: skip
    indexes = [text.split(" USING ")[1] for (text,) in execute(INDEXES) if "stg_whole" in text]
    assert sorted(indexes) == [
        "btree (etl_job_id)",
        "btree (etl_run_id, loaded_at)",
        "btree (source_id)",
        "btree (source_updated_at)",
        "gin (data jsonb_path_ops)",
    ]
    references = execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'stg_whole'::regclass"
    )
    assert {text for (text,) in references} == {
        "FOREIGN KEY (etl_job_id) REFERENCES etl_jobs(id)",
        "FOREIGN KEY (etl_run_id) REFERENCES etl_runs(id)",
    }


def test_another_schema(staging_settings: PostgreSQLSettings, empty: None, execute: Execute) -> None:
    execute('DROP SCHEMA IF EXISTS "Staging" CASCADE')
    try:
        with closing(StagingDatabase(staging_settings, schema="Staging")) as database:
            made = install(database, [StagingTable("stg_events")])
            assert made[-1] == "stg_events"
        found = execute("SELECT schemaname FROM pg_tables WHERE tablename IN ('stg_events', 'etl_runs')")
        assert found == [("Staging",), ("Staging",)]
    finally:
        execute('DROP SCHEMA IF EXISTS "Staging" CASCADE')


def test_installations_at_once_make_the_ledger_once(
    staging_settings: PostgreSQLSettings, empty: None, execute: Execute
) -> None:
    def at_once(_: int) -> list[str]:
        with closing(StagingDatabase(staging_settings)) as database:
            return install_ledger(database)

    with ThreadPoolExecutor(4) as pool:
        made = [name for names in pool.map(at_once, range(4)) for name in names]
    assert sorted(made) == [migration.name for migration in read_migrations(SQL_DIRECTORY / "migrations")]

"""106 legacy tables of all shapes, migrated while writers write: every row is accounted for."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.staging.migrate import Defects, MigrationSettings, TableStatus, plan_migration, run_migration
from etl.statements.quoting import postgresql_identifier as quoted
from tests.integration.staging.legacy import LegacyTable, legacy_tables
from tests.integration.staging.migrate.checking import (
    Execute,
    archive_of,
    check_archived_rows,
    check_contract,
    check_loadable,
    check_quiet_rows,
    check_winners,
    tokens_of,
)
from tests.integration.staging.migrate.expected import expected, token
from tests.integration.staging.migrate.writers import Writers


def create(database: PostgreSQLSettings, tables: list[LegacyTable]) -> None:
    with closing(psycopg2.connect(**database.connection_parameters)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for table in tables:
                _create(cursor, table)


def _create(cursor: Any, table: LegacyTable) -> None:
    for text in table.statements():
        cursor.execute(text)
    cursor.execute("BEGIN")
    for row in table.rows:
        cursor.execute(*table.insert(row))
    cursor.execute("COMMIT")
    broken = table.broken_index()
    if broken:
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute(broken)


@pytest.mark.slow
def test_106_tables_are_migrated_under_writers_and_every_row_is_accounted_for(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings, silenced_triggers: None
) -> None:
    tables = legacy_tables()
    create(database, tables)
    files = _files(execute)
    planned = plan_migration(database, settings)
    assert [plan.skipped for plan in planned.tables] == [None] * len(tables)
    assert all(plan.steps for plan in planned.tables)
    for table, plan in zip(sorted(tables, key=lambda each: each.name.encode()), planned.tables, strict=True):
        reasons = list(expected(table)[1].values())
        assert plan.table == table.name
        duplicates = reasons.count("duplicate")
        assert plan.defects in (None, Defects(len(table.rows), len(reasons) - duplicates, duplicates)), table
        assert plan.defects is not None or not reasons, table

    with Writers(database, tables) as writers:
        report = run_migration(database, settings)

    assert writers.failures == []
    assert sum(map(len, writers.tokens.values())) > 100
    assert [(each.table, each.reason) for each in report.tables if each.status is not TableStatus.MIGRATED] == []
    assert _files(execute) == files, "a table was written anew as a whole"
    check_contract(execute, tables)
    reports = {each.table: each for each in report.tables}
    for table in tables:
        added = writers.tokens.get(table.name, set())
        assert tokens_of(execute, table) == sorted([*map(token, table.rows), *added]), table
        reasons = [reason for _, reason in archive_of(execute, table)]
        found = reports[table.name]
        assert found.rows_archived == reasons.count("duplicate")
        assert found.rows_quarantined == len(reasons) - reasons.count("duplicate")
        check_winners(execute, table)
        if not table.is_busy:
            check_quiet_rows(execute, table)
            check_archived_rows(execute, table)
            assert (found.rows_before, found.rows_written_meanwhile) == (len(table.rows), 0)

    for table in tables:
        check_loadable(execute, table)
    assert plan_migration(database, settings).is_empty
    again = run_migration(database, settings)
    assert {each.status for each in again.tables} == {TableStatus.UNCHANGED}


def _files(execute: Execute) -> dict[str, int]:
    return dict(execute("SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relname LIKE 'stg%'"))


def test_quoting_survives_names_of_all_kinds() -> None:
    assert len({table.name for table in legacy_tables()}) == 106
    assert any('"' in table.name and "%" in quoted(table.name) for table in legacy_tables())

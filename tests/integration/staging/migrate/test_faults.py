"""Kills, locks, poolers, and databases that will not have it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import LockedError, UsageError
from etl.staging.migrate import MigrationSettings, TableStatus, check_database, plan_migration, run_migration
from etl.staging.migrate.lease import Lease
from etl.staging.migrate.planning.steps import BuildIndex, ChangeTable, Fill, Step
from tests.integration.staging.legacy import LegacyTable, legacy_tables
from tests.integration.staging.migrate.checking import Execute, check_contract, check_quiet_rows
from tests.integration.staging.migrate.test_many_tables import create
from tests.pgbouncer import pgbouncer


class Stopped(BaseException):
    """The process is killed: nothing catches it."""


def some_tables(count: int) -> list[LegacyTable]:
    """Quiet ones of different shapes."""
    return [table for table in legacy_tables() if not table.is_busy and table.rows][:count]


@contextmanager
def connected(database: PostgreSQLSettings) -> Iterator[Any]:
    with closing(psycopg2.connect(**database.connection_parameters)) as connection:
        yield connection


def test_a_migration_stopped_before_any_step_goes_on_where_it_stopped(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    tables = some_tables(8)
    create(database, tables)
    for table in tables:
        _stop_everywhere(database, replace(settings, pattern=table.name))
    check_contract(execute, tables)
    for table in tables:
        check_quiet_rows(execute, table)
    assert plan_migration(database, settings).is_empty


def _stop_everywhere(database: PostgreSQLSettings, settings: MigrationSettings) -> None:
    """Each attempt dies one step later than the last, each at another state of the table."""
    for steps in range(1, 100):
        left = iter(range(steps))

        def stop(_table: str, _step: Step, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Stopped

        try:
            report = run_migration(database, settings, on_step=stop)
        except Stopped:
            continue
        assert [each.reason for each in report.tables] == [None]
        return
    raise AssertionError("never came to an end")


def test_an_old_writer_may_write_before_every_step(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    """It knows neither lineage nor new types, and its ON CONFLICT finds a unique index at every moment."""
    execute("CREATE TABLE stg_a (source_id integer PRIMARY KEY, data text, loaded_at date, hash_digest char(4))")
    steps: list[str] = []

    def write(_table: str, step: Step) -> None:
        steps.append(step.what)
        for number in (0, len(steps)):
            execute(
                "INSERT INTO stg_a (source_id, data, loaded_at, hash_digest) VALUES (%s, %s, '2024-05-01', 'ab')"
                " ON CONFLICT (source_id) DO UPDATE SET data = excluded.data",
                (str(number), f'{{"step": {len(steps)}}}'),
            )

    (report,) = run_migration(database, settings, on_step=write).tables
    assert report.reason is None
    stored = execute(
        "SELECT source_id::integer, (data ->> 'step')::integer, loaded_at::date::text, hash_digest FROM stg_a"
    )
    expected = [(0, len(steps)), *((number, number) for number in range(1, len(steps) + 1))]
    assert sorted(stored) == [(*each, "2024-05-01", "ab") for each in expected]
    assert len(steps) > 10


def test_lost_connections_are_opened_again(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    tables = some_tables(3)
    create(database, tables)
    kills = iter(range(4))

    def kill(_table: str, step: Step) -> None:
        if isinstance(step, ChangeTable | Fill) and next(kills, None) is not None:
            execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    report = run_migration(database, settings, on_step=kill)
    assert [(each.status, each.reason) for each in report.tables] == [(TableStatus.MIGRATED, None)] * 3
    assert next(kills, None) is None
    check_contract(execute, tables)
    for table in tables:
        check_quiet_rows(execute, table)


def test_an_index_left_invalid_by_a_kill_is_built_again(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb); INSERT INTO stg_a VALUES ('a', '{}'), ('b', '{}')")
    building = threading.Event()
    killed = threading.Thread(target=_kill_build, args=(database, building))

    def hold(_table: str, step: Step) -> None:
        if isinstance(step, BuildIndex) and not building.is_set():
            building.set()
            time.sleep(0.2)  # the other thread's transaction is to be open by then

    killed.start()
    report = run_migration(database, settings, on_step=hold)
    killed.join()
    assert [(each.status, each.reason) for each in report.tables] == [(TableStatus.MIGRATED, None)]
    assert execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    assert execute("SELECT count(*) FROM stg_a") == [(3,)]


def _kill_build(database: PostgreSQLSettings, building: threading.Event) -> None:
    """Keeps the build waiting for a transaction, kills it, and finds what it has left."""
    building.wait()
    with connected(database) as writing, connected(database) as watching:
        watching.autocommit = True
        with writing.cursor() as cursor, watching.cursor() as watch:
            cursor.execute("INSERT INTO stg_a (source_id, data) VALUES ('c', '{}')")
            found: list[Any] = []
            while not found:
                time.sleep(0.05)
                watch.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE query LIKE 'CREATE UNIQUE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"
                )
                found = watch.fetchall()
            watch.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
            assert watch.fetchall() == [(1,)]
        writing.commit()


def test_a_table_that_is_held_fails_alone_and_names_the_holder(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb); CREATE TABLE stg_b (source_id text, data jsonb)")
    execute("INSERT INTO stg_a VALUES ('a', '{}'), ('a', '{}'), (NULL, '{}')")
    hasty = replace(settings, lock_timeout_seconds=0.1, lock_attempts=2)
    with connected(database) as holding, holding.cursor() as cursor:
        cursor.execute("SELECT FROM stg_a")
        held, free = run_migration(database, hasty).tables
        assert (held.status, free.status) == (TableStatus.FAILED, TableStatus.MIGRATED)
        assert f"process {holding.info.backend_pid}" in str(held.reason)
        assert "idle in transaction" in str(held.reason)
        assert (held.rows_before, held.rows_kept, held.rows_archived, held.rows_quarantined) == (3, 1, 1, 1)
    assert [each.status for each in run_migration(database, hasty).tables] == [
        TableStatus.MIGRATED,
        TableStatus.UNCHANGED,
    ]


def test_maintenance_is_waited_for_longer_since_nobody_queues_behind_that(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb)")
    hasty = replace(settings, lock_timeout_seconds=0.1, lock_attempts=1)
    with connected(database) as vacuuming, vacuuming.cursor() as cursor:
        cursor.execute("LOCK TABLE stg_a IN SHARE UPDATE EXCLUSIVE MODE")
        threading.Timer(1.0, vacuuming.commit).start()
        (report,) = run_migration(database, hasty).tables
    assert (report.status, report.reason) == (TableStatus.MIGRATED, None)


def test_rows_that_others_hold_are_waited_for(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute(
        "CREATE TABLE stg_a (source_id text, data text); INSERT INTO stg_a SELECT n, '1' FROM generate_series(1, 9) n"
    )
    release = threading.Event()
    with connected(database) as holding, holding.cursor() as cursor:

        def hold(_table: str, step: Step) -> None:
            if isinstance(step, Fill) and not release.is_set():
                release.set()
                cursor.execute("UPDATE stg_a SET data = '[2]' WHERE source_id = '5'")
                threading.Timer(0.5, holding.commit).start()

        (report,) = run_migration(database, settings, on_step=hold).tables
    assert (report.status, report.reason, report.rows_kept) == (TableStatus.MIGRATED, None, 9)
    assert execute("SELECT data FROM stg_a WHERE source_id = '5'") == [([2],)]


def test_only_one_migration_runs_at_a_time(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb)")
    with closing(Lease(database, settings)), pytest.raises(LockedError, match="is being migrated by process"):
        run_migration(database, settings)
    assert run_migration(database, settings).is_success


def test_a_pooler_is_refused_and_nothing_is_touched(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings, tmp_path: Path
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb)")
    with pgbouncer(database, tmp_path) as pooled:
        with pytest.raises(UsageError, match="needs a direct connection"):
            run_migration(pooled, settings)
        with pytest.raises(UsageError, match="needs a direct connection"):
            check_database(pooled, settings)
        assert not plan_migration(pooled, settings).is_empty
    assert execute("SELECT count(*) FROM pg_attribute WHERE attrelid = 'stg_a'::regclass AND attnum > 0") == [(2,)]


def test_a_read_only_database_is_refused(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb)")
    execute(f'ALTER DATABASE "{database.database}" SET default_transaction_read_only = on')
    try:
        with pytest.raises(UsageError, match="is read-only"):
            run_migration(database, settings)
        assert not plan_migration(database, settings).is_empty
    finally:
        execute(f'BEGIN READ WRITE; ALTER DATABASE "{database.database}" RESET default_transaction_read_only; COMMIT')


def test_a_database_without_the_ledger_is_told_to_init(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("DROP TABLE etl_staging_archive")
    with pytest.raises(UsageError, match=r"has no etl_staging_archive in schema 'public'.*init"):
        run_migration(database, settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "elsewhere"}, "has no schema 'elsewhere'"),
        ({"time_zone": "Mars/Base"}, "found 'Mars/Base'"),
    ],
)
def test_settings_that_the_database_does_not_know_are_refused(
    database: PostgreSQLSettings, settings: MigrationSettings, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run_migration(database, replace(settings, **changes))  # type: ignore[arg-type]


def test_missing_privileges_are_named(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    user = database.user
    execute(f"REVOKE INSERT ON etl_staging_archive FROM {user}")
    try:
        with pytest.raises(UsageError, match=f"{user} lacks INSERT on etl_staging_archive"):
            run_migration(database, settings)
    finally:
        execute(f"GRANT INSERT ON etl_staging_archive TO {user}")


def test_a_historical_run_of_another_job_is_refused(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_a (source_id text, data jsonb)")
    assert run_migration(database, settings).is_success
    execute("CREATE TABLE stg_b (source_id text, data jsonb)")
    with pytest.raises(UsageError, match="run historical is of job historical, not of other"):
        run_migration(database, replace(settings, historical_job_id="other"))

"""The tables as the migrations make them, whatever stood there before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2.errors
import pytest
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.errors import ContentionError, TerminalError, UsageError
from etl.ledger.migrations import read_migrations
from etl.orchestrator.database import changing
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import Report, in_the_way, install, migrate, plan_migration
from etl.orchestrator.database.queries import SQL_DIRECTORY
from etl.orchestrator.database.shape import Shape, standing_shape
from etl.postgresql.connection import connect
from tests.databases import Execute
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack

SCHEMA = "made_by_hand"
MIGRATIONS = read_migrations(SQL_DIRECTORY / "migrations")
NAMES = [migration.name for migration in MIGRATIONS]


@pytest.fixture
def other(orchestrator_settings: PostgreSQLSettings, execute: Execute) -> Iterator[OrchestratorDatabase]:
    """A schema that is not there yet."""
    execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    execute(f"SET search_path = {SCHEMA}")
    with closing(OrchestratorDatabase(orchestrator_settings, SCHEMA)) as other:
        yield other
    execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


@pytest.fixture
def bare(other: OrchestratorDatabase, execute: Execute) -> OrchestratorDatabase:
    """Tables with their checks and keys, without indexes and foreign keys, as somebody may have made them."""
    execute(f"CREATE SCHEMA {SCHEMA}")
    execute(MIGRATIONS[0].text)
    return other


def described(database: OrchestratorDatabase) -> dict[str, Any]:
    """Without the order of columns."""
    shape: Shape = standing_shape(database)
    return {
        "columns": {name: set(table.columns.values()) for name, table in shape.tables.items()},
        "constraints": {each for table in shape.tables.values() for each in table.constraints.values()},
        "indexes": set(shape.indexes.values()),
        "functions": shape.functions,
    }


@pytest.fixture(scope="module")
def right(orchestrator_settings: PostgreSQLSettings) -> dict[str, Any]:
    with closing(OrchestratorDatabase(orchestrator_settings, "orchestrator")) as database:
        return described(database)


def insert_job(execute: Execute, slug: str = "a") -> int:
    ((job_id,),) = execute(
        "INSERT INTO dw_etl_jobs (slug, layer, kind, command) VALUES (%s, 'gold', 'command', '{}') RETURNING job_id",
        (slug,),
    )
    return int(job_id)


def insert_run(execute: Execute, job_id: int, cycle: str = "c", status: str = "queued", **more: Any) -> int:
    values = {"job_id": job_id, "cycle_id": cycle, "status": status, "trigger": "manual", "scheduled_at": "2026-11-01"}
    values |= {"parameter_fingerprint": "f", **more}
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    ((run_id,),) = execute(
        f"INSERT INTO dw_etl_runs ({columns}) VALUES ({marks}) RETURNING run_id", tuple(values.values())
    )
    return int(run_id)


def test_makes_all_of_it_once(other: OrchestratorDatabase, right: dict[str, Any]) -> None:
    assert install(other) == NAMES
    assert described(other) == right
    assert migrate(other) == Report()
    assert plan_migration(other).is_empty


def test_schema_sql_is_what_the_migrations_make(
    other: OrchestratorDatabase, execute: Execute, right: dict[str, Any]
) -> None:
    text = (SQL_DIRECTORY / "schema.sql").read_text()
    execute(text.replace("orchestrator", SCHEMA))
    assert described(other) == {**right, "functions": frozenset()}
    assert execute("SELECT count(*) FROM dw_etl_migrations") == [(0,)]


def test_tables_made_by_hand_get_what_they_lack(
    bare: OrchestratorDatabase, execute: Execute, right: dict[str, Any]
) -> None:
    insert_run(execute, insert_job(execute))
    plan = plan_migration(bare)
    assert not plan.refusals
    assert plan.missing == tuple(NAMES)

    assert sorted(install(bare)) == NAMES
    assert described(bare) == right
    assert plan_migration(bare).is_empty


def test_an_older_shape_is_brought_up_with_its_rows(
    bare: OrchestratorDatabase, execute: Execute, right: dict[str, Any]
) -> None:
    for text in (
        "ALTER TABLE dw_etl_runs DROP COLUMN metrics, DROP COLUMN correlation_id, DROP COLUMN cycle_id",
        "ALTER TABLE dw_etl_runs DROP COLUMN created_at, DROP COLUMN trigger, DROP CONSTRAINT dw_etl_runs_pkey",
        "ALTER TABLE dw_etl_runs ALTER COLUMN parameter_fingerprint DROP NOT NULL",
        "ALTER TABLE dw_etl_runs ALTER COLUMN run_id DROP NOT NULL, ALTER COLUMN run_id DROP IDENTITY",
        "ALTER TABLE dw_etl_jobs ALTER COLUMN slug TYPE varchar(200), DROP CONSTRAINT dw_etl_jobs_priority_check",
        "ALTER TABLE dw_etl_jobs ADD CONSTRAINT dw_etl_jobs_priority_check CHECK (priority > 5) NOT VALID",
        "DROP TABLE dw_etl_alerts",
        "DROP FUNCTION dw_etl_hold_fence",
    ):
        execute(text.replace("DROP NOT NULL, ALTER COLUMN run_id DROP IDENTITY", "DROP IDENTITY"))
    execute("INSERT INTO dw_etl_jobs (slug, layer, kind, command, priority) VALUES ('a', 'gold', 'command', '{}', 7)")
    execute(
        "INSERT INTO dw_etl_runs (run_id, job_id, status, scheduled_at, ended_at, parameters)"
        " SELECT n, 1, 'success', '2026-11-01 02:00+00', '2026-11-01 03:00+00', '{\"b\": 1.0}'"
        " FROM generate_series(1, 1000) AS n"
    )

    install(bare)

    assert described(bare) == right
    assert execute(
        "SELECT count(*), count(DISTINCT correlation_id), min(trigger), count(DISTINCT cycle_id),"
        " count(DISTINCT parameter_fingerprint), max(length(parameter_fingerprint)) FROM dw_etl_runs"
    ) == [(1000, 1000, "import", 1000, 1, 64)]
    assert insert_run(execute, 1) == 1001


def test_what_cannot_be_mended_is_told_before_anything_is_written(bare: OrchestratorDatabase, execute: Execute) -> None:
    job = insert_job(execute)
    insert_run(execute, job, correlation_id="x")
    insert_run(execute, job, correlation_id="x")
    insert_run(execute, 99)
    execute("ALTER TABLE dw_etl_job_locks DROP CONSTRAINT dw_etl_job_locks_status_check")
    execute(
        "INSERT INTO dw_etl_job_locks (job_id, run_id, status, worker_id, attempt, expires_at, released_at)"
        " VALUES (%s, 1, 'gone', 'w', 1, now(), now())",
        (job,),
    )
    before = described(bare)

    with pytest.raises(UsageError) as caught:
        install(bare)

    told = str(caught.value)
    assert "3 in the way; nothing was written" in told
    assert "1 values of correlation_id stand in 2 rows (one: x)" in told
    assert "1 rows have a job_id that dw_etl_jobs lacks (one: 99)" in told
    assert "dw_etl_job_locks: 1 rows break dw_etl_job_locks_status_check" in told
    assert described(bare) == before


def test_a_shape_that_cannot_be_mended_is_told(bare: OrchestratorDatabase, execute: Execute) -> None:
    execute("ALTER TABLE dw_etl_runs ALTER COLUMN records_read TYPE integer")
    execute("ALTER TABLE dw_etl_runs ADD COLUMN tenant text NOT NULL")
    execute("DROP TABLE dw_etl_alerts")
    execute("CREATE VIEW dw_etl_alerts AS SELECT 1 AS one")
    with pytest.raises(UsageError) as caught:
        install(bare)
    told = str(caught.value)
    assert "column records_read: expected bigint, found integer; ALTER TABLE dw_etl_runs" in told
    assert "column tenant is NOT NULL without a default" in told
    assert "dw_etl_alerts: expected a table, found a view" in told


def test_a_broken_index_is_built_again(other: OrchestratorDatabase, execute: Execute, right: dict[str, Any]) -> None:
    install(other)
    job = insert_job(execute)
    execute("DROP INDEX dw_etl_runs_correlation_id_key, dw_etl_runs_job_id_started_at_idx")
    insert_run(execute, job, correlation_id="x")
    double = insert_run(execute, job, "d", correlation_id="x")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute("CREATE UNIQUE INDEX CONCURRENTLY dw_etl_runs_correlation_id_key ON dw_etl_runs (correlation_id)")
    execute("CREATE INDEX dw_etl_runs_job_id_started_at_idx ON dw_etl_runs (started_at)")
    execute("UPDATE dw_etl_runs SET correlation_id = 'y' WHERE run_id = %s", (double,))
    assert [step.what for step in plan_migration(other).steps] == [
        "build again index dw_etl_runs_correlation_id_key",
        "build again index dw_etl_runs_job_id_started_at_idx",
    ]

    install(other)
    assert described(other) == right


def test_two_of_what_may_be_once_are_resolved_and_told(
    bare: OrchestratorDatabase, execute: Execute, right: dict[str, Any]
) -> None:
    job, child = insert_job(execute), insert_job(execute, "b")
    execute("INSERT INTO dw_etl_schedules (job_id, cron) VALUES (1, '0 1 * * *'), (1, '0 2 * * *'), (2, '0 3 * * *')")
    running = {"status": "running", "started_at": "2026-11-01", "attempts": 1, "worker_id": "w"}
    insert_run(execute, job, "one", **running, fencing_token=1)
    insert_run(execute, job, "two", **running, fencing_token=2)
    queued = insert_run(execute, job, "two")
    waiting = insert_run(execute, child, "two")
    execute("INSERT INTO dw_etl_run_dependencies VALUES (%s, %s)", (waiting, queued))
    execute(
        "INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at) VALUES"
        " (1, 1, 'k', 'w', 1, now() + interval '10 s'), (1, 2, 'k', 'w', 1, now() + interval '1 min'),"
        " (1, 1, NULL, 'w', 1, now())"
    )
    execute(
        "INSERT INTO dw_etl_alerts (run_id, kind, channel, dedupe_key) VALUES"
        " (1, 'late', 'slack', 'k'), (1, 'late', 'slack', 'k'),"
        " (1, 'failure', 'slack', 'k'), (1, 'failure', 'slack', 'k')"
    )
    # a plan tells the same, and changes nothing
    assert len(in_the_way(bare, plan_migration(bare))) == 4

    report = migrate(bare)

    assert described(bare) == right
    assert [text.partition(" (")[0].partition(":")[0] for text in report.resolved] == [
        "schedule 1 of job 1",
        "lock 1 of w on k",
        "run 3 of job 1 was cancelled",
        "alert 2",
    ]
    assert execute("SELECT schedule_id FROM dw_etl_schedules WHERE is_active ORDER BY 1") == [(2,), (3,)]
    assert execute("SELECT fencing_token FROM dw_etl_job_locks WHERE status = 'active' ORDER BY 1") == [(2,), (3,)]
    assert execute("SELECT run_id, status, fencing_token, maximum_attempts, cycle_id FROM dw_etl_runs ORDER BY 1") == [
        (1, "queued", None, 2, "one"),
        (2, "running", 2, 1, "two"),
        (3, "cancelled", None, 1, "two#3"),
        (4, "queued", None, 1, "two"),
    ]
    assert execute("SELECT * FROM dw_etl_run_dependencies") == [(4, 2)]
    assert execute("SELECT alert_id, channel FROM dw_etl_alerts WHERE status = 'suppressed'") == [(2, "slack#2")]
    assert execute("SELECT run_id, event_type FROM dw_etl_run_events ORDER BY 1") == [(1, "lost"), (3, "cancelled")]


def test_those_that_start_at_once_migrate_once(
    bare: OrchestratorDatabase, orchestrator_settings: PostgreSQLSettings, execute: Execute, right: dict[str, Any]
) -> None:
    start = threading.Barrier(4)

    def migrate_at_once() -> list[str]:
        with closing(OrchestratorDatabase(orchestrator_settings, SCHEMA)) as database:
            start.wait()
            return install(database)

    with ThreadPoolExecutor(4) as pool:
        applied = [each.result() for each in [pool.submit(migrate_at_once) for _ in range(4)]]

    assert sorted(name for one in applied for name in one) == NAMES
    assert described(bare) == right


def test_a_table_that_somebody_holds_is_asked_for_again(
    bare: OrchestratorDatabase, orchestrator_settings: PostgreSQLSettings, right: dict[str, Any]
) -> None:
    """A transaction that wrote and does not end keeps neither the migration's other steps nor other writers."""
    with closing(connect(orchestrator_settings)) as held, held.cursor() as cursor:
        cursor.execute(f"SET search_path = {SCHEMA}; LOCK TABLE dw_etl_schedules IN ROW EXCLUSIVE MODE")
        ending = threading.Timer(2.0, held.rollback)
        ending.start()
        install(bare)
        ending.join()
    assert described(bare) == right


def test_what_others_write_while_an_index_is_built_is_resolved_too(
    bare: OrchestratorDatabase, orchestrator_settings: PostgreSQLSettings, execute: Execute, right: dict[str, Any]
) -> None:
    """It was not there to be seen when the index was begun, and is committed while it waits."""
    execute("INSERT INTO dw_etl_jobs (slug, layer, kind, command) VALUES ('a', 'gold', 'command', '{}')")
    execute("INSERT INTO dw_etl_schedules (job_id, cron) VALUES (1, '0 1 * * *')")
    with closing(connect(orchestrator_settings)) as held, held.cursor() as cursor:

        def write(step: str) -> None:
            if "validate dw_etl_run_output_run_id_fkey" in step:  # the last step before the last phase
                cursor.execute(f"SET search_path = {SCHEMA}")
                cursor.execute("INSERT INTO dw_etl_schedules (job_id, cron) VALUES (1, '0 2 * * *')")
                threading.Timer(1.5, held.commit).start()

        report = migrate(bare, tell=write)
    assert described(bare) == right
    assert report.resolved == ["schedule 1 of job 1 (0 1 * * * UTC) is no longer active: 2 is later"]


def test_who_is_in_the_way_to_the_end_is_named(
    bare: OrchestratorDatabase, orchestrator_settings: PostgreSQLSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "_TRIES", 1)
    with closing(connect(orchestrator_settings)) as held, held.cursor() as cursor:
        cursor.execute(f"SET search_path = {SCHEMA}; LOCK TABLE dw_etl_schedules IN ROW EXCLUSIVE MODE")
        monkeypatch.setattr(changing, "_LONGEST_BUILD_WAIT_SECONDS", 0.1)
        monkeypatch.setattr(changing, "_BUILDS", 1)
        with pytest.raises(ContentionError, match=r"transactions that are open: process (\d+) ") as caught:
            install(bare)
        assert f"process {held.info.backend_pid} " in str(caught.value)


def test_a_function_that_somebody_changed_is_put_back(
    other: OrchestratorDatabase, execute: Execute, right: dict[str, Any]
) -> None:
    install(other)
    execute(
        "CREATE OR REPLACE FUNCTION dw_etl_hold_fence(token bigint) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN true; END $$"
    )
    assert plan_migration(other).missing
    assert install(other) == []
    assert described(other) == right
    assert execute("SELECT dw_etl_hold_fence(1)") == [(False,)]


def test_refuses_an_edited_migration(other: OrchestratorDatabase, execute: Execute) -> None:
    install(other)
    execute("UPDATE dw_etl_migrations SET sha256 = 'other' WHERE name = %s", (NAMES[1],))
    with pytest.raises(TerminalError, match=f"edited after they had been applied: {NAMES[1]}"):
        install(other)


def test_refuses_tables_of_a_newer_version(other: OrchestratorDatabase, execute: Execute) -> None:
    install(other)
    execute("INSERT INTO dw_etl_migrations (name, sha256) VALUES ('9999_future', '')")
    with pytest.raises(TerminalError, match="9999_future"):
        install(other)


def test_a_name_may_be_of_any_kind(
    orchestrator_settings: PostgreSQLSettings, execute: Execute, right: dict[str, Any]
) -> None:
    name = 'It"s 100% mine'
    execute('DROP SCHEMA IF EXISTS "It""s 100%% mine" CASCADE', ())
    with closing(OrchestratorDatabase(orchestrator_settings, name)) as database:
        install(database)
        assert described(database) == right
        assert plan_migration(database).is_empty
    execute('DROP SCHEMA "It""s 100%% mine" CASCADE', ())


def test_a_pooler_serves_where_no_index_is_to_be_built(
    bare: OrchestratorDatabase, orchestrator_settings: PostgreSQLSettings, execute: Execute, tmp_path: Path
) -> None:
    with (
        pgbouncer(orchestrator_settings, tmp_path) as through,
        closing(OrchestratorDatabase(through, SCHEMA)) as pooled,
    ):
        with pytest.raises(UsageError, match="name the server itself in ETL_ORCHESTRATOR_POSTGRES_URL"):
            install(pooled)
        execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        assert install(pooled) == NAMES
        assert install(pooled) == []


def test_who_may_create_nothing_is_told_what_to_grant(
    bare: OrchestratorDatabase, orchestrator_settings: PostgreSQLSettings, execute: Execute
) -> None:
    install(bare)
    execute("DROP ROLE IF EXISTS orchestrator_reader")
    execute("CREATE ROLE orchestrator_reader LOGIN PASSWORD 'a-Reader-1'")
    try:
        grants = f"GRANT USAGE ON SCHEMA {SCHEMA} TO orchestrator_reader;"
        execute(f"{grants} GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO orchestrator_reader")
        changes = {"user": "orchestrator_reader", "password": SecretStr("a-Reader-1")}
        reader = orchestrator_settings.model_copy(update=changes)
        with closing(OrchestratorDatabase(reader, SCHEMA)) as database:
            assert install(database) == []
            execute(f"DROP INDEX dw_etl_jobs_slug_key; GRANT CREATE ON SCHEMA {SCHEMA} TO orchestrator_reader")
            with pytest.raises(UsageError, match="dw_etl_jobs: it belongs to"):
                install(database)
            execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            with pytest.raises(UsageError, match=r"may not create anything .* GRANT CREATE ON DATABASE"):
                install(database)
    finally:
        execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; DROP ROLE orchestrator_reader")

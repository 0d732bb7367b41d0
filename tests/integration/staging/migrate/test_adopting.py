"""A database with etl_jobs and etl_runs of another system: told, and on request taken over as the rows' lineage."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import UsageError
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install_ledger
from etl.staging.loader import StagingLoader
from etl.staging.migrate import (
    MigrationReport,
    MigrationSettings,
    check_database,
    plan_migration,
    run_migration,
    set_ledger_aside,
)
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from tests.integration.staging.legacy import LegacyTable
from tests.integration.staging.migrate.checking import Execute, check_contract

pytestmark = pytest.mark.stack

BY_TEXT = """
CREATE TABLE etl_jobs (id text PRIMARY KEY, name text, table_name text, created_at timestamp);
CREATE TABLE etl_runs (id text PRIMARY KEY, job_id text REFERENCES etl_jobs (id), status text,
    started_at timestamptz, finished_at timestamptz, error text);
INSERT INTO etl_jobs VALUES ('orders', 'The orders', 'stg_orders', '2024-01-01 10:00'), ('bad id!', 'x', NULL, NULL);
INSERT INTO etl_runs VALUES
    ('r2', 'orders', 'COMPLETED', '2024-02-02 10:00+00', '2024-02-02 10:05+00', NULL),
    ('r1', 'orders', 'failed', '2024-02-01 10:00+00', '2024-02-01 10:01+00', 'disk full'),
    ('r3', 'orders', 'running', '2024-02-03 10:00+00', NULL, NULL),
    ('r4', NULL, 'partial', '2024-02-04 10:00+00', '2024-02-04 10:01+00', NULL),
    ('50%', 'bad id!', 'success', NULL, NULL, NULL);
CREATE TABLE stg_orders (token bigint, source_id text, data jsonb, etl_job_id text REFERENCES etl_jobs (id),
    etl_run_id text CONSTRAINT stg_orders_etl_run_id_fkey REFERENCES etl_runs (id), loaded_at timestamptz);
INSERT INTO stg_orders VALUES (1, 'a', '{}', 'orders', 'r1', now()), (2, 'b', '{}', 'orders', 'r3', now()),
    (3, 'c', '{}', NULL, NULL, now()), (4, 'd', '{}', 'bad id!', '50%', now());
CREATE VIEW runs_today AS SELECT * FROM etl_runs;
"""
BY_NUMBER = """
CREATE TABLE etl_jobs (job_id serial PRIMARY KEY, job_name varchar(80) NOT NULL UNIQUE, created timestamptz);
CREATE TABLE etl_runs (run_id uuid PRIMARY KEY, job_id integer REFERENCES etl_jobs, state varchar(20),
    start_time timestamp, end_time timestamp, "odd % name" json);
INSERT INTO etl_jobs (job_name) VALUES ('clicks');
INSERT INTO etl_runs VALUES ('00000000-0000-0000-0000-000000000007', 1, 'Done', '2024-03-01 10:00', '2024-03-01 11:00');
CREATE TABLE stg_orders (token bigint, source_id integer, data json, etl_job_id integer REFERENCES etl_jobs,
    etl_run_id uuid REFERENCES etl_runs);
INSERT INTO stg_orders VALUES (1, 1, '{}', 1, '00000000-0000-0000-0000-000000000007'), (2, 2, '{}', NULL, NULL);
"""
LINEAGE = "SELECT source_id, etl_job_id, etl_run_id FROM stg_orders ORDER BY source_id"
RUNS = """SELECT run.id, etl_job_id, status, failure, extract(epoch FROM finished_at - started_at)::integer,
    started_at::date::text, job.target_table, parameters ->> 'status'
FROM etl_runs AS run JOIN etl_jobs AS job ON job.id = etl_job_id
WHERE run.id <> 'historical' ORDER BY run_number"""

JOB = StagingJob(id="orders", target_table="stg_orders", source=JsonFiles(type="ndjson", path=("x",)), source_id="id")

Migrate = Callable[[], MigrationReport]


@pytest.fixture
def foreign(migrate_database: PostgreSQLSettings, execute: Execute) -> PostgreSQLSettings:
    execute("DROP SCHEMA IF EXISTS public CASCADE; DROP SCHEMA IF EXISTS public_adopted CASCADE; CREATE SCHEMA public")
    return migrate_database


@pytest.fixture
def migrate(foreign: PostgreSQLSettings, settings: MigrationSettings) -> Migrate:
    """As the command does."""
    adopting = replace(settings, adopts_ledger=True)

    def run() -> MigrationReport:
        check_database(foreign, adopting)
        set_ledger_aside(foreign, adopting)
        with closing(StagingDatabase(foreign)) as database:
            install_ledger(database)
        return run_migration(foreign, adopting)

    return run


def orders(execute: Execute) -> list[LegacyTable]:
    return [LegacyTable(1, "stg_orders", {}, "none", ())]


def test_another_systems_ledger_is_told_and_left_alone(
    foreign: PostgreSQLSettings, settings: MigrationSettings, execute: Execute
) -> None:
    execute(BY_TEXT)
    said = r"has etl_jobs, etl_runs of another system in schema 'public'.*migrate --adopt-ledger"
    with closing(StagingDatabase(foreign)) as database, pytest.raises(UsageError, match=said):
        install_ledger(database)
    for refused in (check_database, plan_migration):
        with pytest.raises(UsageError, match=said):
            refused(foreign, settings)
    plan = plan_migration(foreign, replace(settings, adopts_ledger=True))
    assert [(each.table, each.id_column, each.rows, each.adopted) for each in plan.adopted] == [
        ("etl_jobs", "id", 2, 1),
        ("etl_runs", "id", 5, 4),
    ]
    (table,) = plan.tables
    assert table.steps[0].what.endswith("which refers to the lineage of another system")
    assert execute("SELECT count(*) FROM etl_runs WHERE job_id IS NOT NULL") == [(4,)]
    assert execute("SELECT to_regnamespace('public_adopted')") == [(None,)]


def test_its_runs_are_the_lineage_of_the_rows(foreign: PostgreSQLSettings, migrate: Migrate, execute: Execute) -> None:
    execute(BY_TEXT)
    report = migrate()
    assert report.is_success
    assert [(each.table, each.rows, each.left) for each in report.adopted] == [("etl_jobs", 2, 1), ("etl_runs", 5, 1)]
    at = "2024-02-0"
    assert execute(RUNS) == [
        ("r1", "orders", "failed", "disk full", 60, f"{at}1", "stg_orders", "failed"),
        ("r2", "orders", "success", None, 300, f"{at}2", "stg_orders", "COMPLETED"),
        ("r3", "orders", "failed", "running when it was adopted", 0, f"{at}3", "stg_orders", "running"),
        ("r4", "historical", "partial", None, 60, f"{at}4", "stg_%", "partial"),
    ]
    assert execute("SELECT description, created_at::text FROM etl_jobs WHERE id = 'orders'") == [
        ("The orders", "2024-01-01 10:00:00+00")
    ]
    assert execute(LINEAGE) == [
        ("a", "orders", "r1"),
        ("b", "orders", "r3"),
        ("c", "historical", "historical"),
        ("d", "historical", "historical"),
    ]
    check_contract(execute, orders(execute))
    # whole, with what refers to them
    assert execute("SELECT count(*) FROM public_adopted.etl_runs") == [(5,)]
    assert execute("SELECT count(*) FROM runs_today") == [(5,)]
    with closing(StagingDatabase(foreign)) as database, pytest.raises(UsageError, match="run r1 is of another system"):
        StagingLoader(database).retry(JOB, FileSource(NdjsonFormat(1 << 20), ()), "r1")
    again = migrate()
    assert [table.status for table in again.tables] == ["unchanged"]
    assert execute("SELECT count(*) FROM etl_runs") == [(5,)]


def test_numbers_and_uuids_are_ids_as_well(migrate: Migrate, execute: Execute) -> None:
    execute(BY_NUMBER)
    assert migrate().is_success
    run = "00000000-0000-0000-0000-000000000007"
    assert execute(RUNS) == [(run, "1", "success", None, 3600, "2024-03-01", "stg_%", "Done")]
    assert execute("SELECT description FROM etl_jobs WHERE id = '1'") == [("clicks",)]
    assert execute(LINEAGE) == [("1", "1", run), ("2", "historical", "historical")]
    check_contract(execute, orders(execute))


def test_an_adoption_that_was_killed_in_between_goes_on(
    foreign: PostgreSQLSettings, settings: MigrationSettings, migrate: Migrate, execute: Execute
) -> None:
    execute(BY_TEXT)
    set_ledger_aside(foreign, settings)
    assert execute("SELECT to_regclass('public.etl_runs')") == [(None,)]
    assert migrate().is_success
    assert execute("SELECT count(*) FROM etl_runs WHERE id LIKE 'r_'") == [(4,)]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("CREATE SCHEMA public_adopted CREATE TABLE etl_runs (x text)", "has etl_runs already: rename them"),
        (
            "CREATE SCHEMA public_adopted",
            "may not create schema 'public_adopted' or tables in it; GRANT CREATE",
        ),
        ("ALTER TABLE etl_runs OWNER TO postgres", "belong to somebody else"),
    ],
)
def test_what_cannot_be_adopted_is_refused_before_anything_is_touched(
    migrate: Migrate, execute: Execute, administer: Execute, prepare: str, said: str
) -> None:
    execute(BY_TEXT)
    administer(prepare)
    try:
        with pytest.raises(UsageError, match=said):
            migrate()
    finally:
        administer("DROP SCHEMA IF EXISTS public_adopted CASCADE; DROP TABLE etl_runs CASCADE")
    assert execute("SELECT to_regclass('etl_jobs') IS NOT NULL") == [(True,)]

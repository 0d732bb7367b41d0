"""Tables that are left alone as a whole, with a reason; and what a plan tells beside its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.ledger.migrations import read_migrations
from etl.staging.ledger.queries import SQL_DIRECTORY
from etl.staging.migrate import Defects, MigrationSettings, TableStatus, plan_migration, run_migration
from tests.integration.staging.migrate.checking import Execute

_GOOD = "CREATE TABLE stg_good (source_id text, data jsonb)"


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ("CREATE VIEW stg_x AS SELECT '1' AS source_id, '{}'::jsonb AS data", "it is a view"),
        ("CREATE MATERIALIZED VIEW stg_x AS SELECT '1' AS source_id, '{}'::jsonb AS data", "it is a materialized view"),
        (
            "CREATE TABLE stg_x (source_id text, data jsonb, day date) PARTITION BY RANGE (day)",
            "it is partitioned",
        ),
        ("CREATE TABLE other (source_id text, data jsonb); CREATE TABLE stg_x () INHERITS (other)", "inherits"),
        ("CREATE TABLE stg_x (source_id text); INSERT INTO stg_x VALUES ('1')", "it has rows but no column data"),
        (
            "CREATE TABLE stg_x (source_id text, data jsonb, source_updated_at bigint)",
            "expected source_updated_at as timestamptz, found bigint",
        ),
        ("CREATE TABLE stg_x (source_id text, data bytea)", "expected data as jsonb, found bytea"),
        (
            "CREATE TABLE stg_x (source_id varchar, data jsonb); CREATE VIEW v AS SELECT source_id FROM stg_x",
            "needs source_id",
        ),
        (
            "CREATE TABLE stg_x (source_id text, data text, size integer GENERATED ALWAYS AS (length(data)) STORED)",
            "needs data",
        ),
        (
            "CREATE TABLE other (id text PRIMARY KEY);"
            "CREATE TABLE stg_x (source_id text, data jsonb, etl_job_id text REFERENCES other (id))",
            "refer to another table than etl_jobs",
        ),
        (
            "CREATE TABLE stg_x (source_id integer PRIMARY KEY, data jsonb);"
            "CREATE TABLE child (id integer REFERENCES stg_x (source_id))",
            "foreign keys of child refer to it",
        ),
        (
            "CREATE TABLE stg_x (source_id text PRIMARY KEY, data jsonb);"
            "CREATE TABLE child (id text REFERENCES stg_x (source_id) ON DELETE CASCADE)",
            "would change child",
        ),
        (
            "CREATE TABLE stg_x (source_id text, data jsonb);"
            "CREATE RULE quiet AS ON DELETE TO stg_x DO INSTEAD NOTHING",
            "it has rules",
        ),
    ],
)
def test_what_cannot_be_migrated_is_skipped_with_a_reason_and_the_rest_goes_on(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings, statements: str, words: str
) -> None:
    execute(f"{_GOOD}; {statements}")
    before = execute("SELECT attrelid, attname, atttypid FROM pg_attribute WHERE attrelid = 'stg_x'::regclass")
    good, skipped = run_migration(database, settings).tables
    assert (good.status, skipped.status) == (TableStatus.MIGRATED, TableStatus.SKIPPED)
    assert words in str(skipped.reason)
    assert execute("SELECT attrelid, attname, atttypid FROM pg_attribute WHERE attrelid = 'stg_x'::regclass") == before
    assert plan_migration(database, settings).tables[1].skipped == skipped.reason


def test_another_owners_table_is_skipped(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    user = database.user
    execute(f'{_GOOD}; CREATE ROLE "migrate other"; GRANT "migrate other" TO {user}')
    try:
        execute('GRANT CREATE ON SCHEMA public TO "migrate other"; CREATE TABLE stg_x (source_id text, data jsonb)')
        execute('ALTER TABLE stg_x OWNER TO "migrate other"')
        execute(f'GRANT "migrate other" TO {user} WITH INHERIT FALSE')
        _good, skipped = run_migration(database, settings).tables
        assert skipped.reason == "it belongs to migrate other: connect as that user, or be granted that role"
    finally:
        execute(f'GRANT "migrate other" TO {user} WITH INHERIT TRUE; DROP OWNED BY "migrate other"')
        execute('DROP ROLE "migrate other"')


def test_an_empty_table_without_columns_gets_them(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_x (note text)")
    (report,) = run_migration(database, settings).tables
    assert (report.status, report.reason) == (TableStatus.MIGRATED, None)
    assert plan_migration(database, settings).is_empty


def test_the_plan_counts_what_would_be_archived_and_touches_nothing(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_x (source_id text, data text, kept text NOT NULL)")
    execute(
        "INSERT INTO stg_x VALUES ('a', '{}', ''), ('a', '1', ''), (NULL, '{}', ''), ('b', '{', ''), ('c', '2', '')"
    )
    catalog = "SELECT count(*), max(xmin::text::bigint) FROM pg_attribute"
    before = execute(catalog)
    (plan,) = plan_migration(database, settings).tables
    assert plan.defects == Defects(rows=5, unusable=2, duplicates=1)
    assert "kept is NOT NULL without a default" in plan.notes[0]
    assert execute(catalog) == before
    assert execute("SELECT count(*) FROM etl_jobs") == [(0,)]


def test_the_pattern_takes_an_underscore_for_itself(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stgx (source_id text, data jsonb); CREATE TABLE stg_x (source_id text, data jsonb)")
    assert [plan.table for plan in plan_migration(database, settings).tables] == ["stg_x"]


@pytest.fixture
def odd_schema(database: PostgreSQLSettings, execute: Execute) -> Iterator[str]:
    execute('CREATE SCHEMA "Odd %schema"')
    for migration in read_migrations(SQL_DIRECTORY / "migrations"):
        execute(f'SET search_path = "Odd %schema"; {migration.text}')
    yield "Odd %schema"
    execute('DROP SCHEMA "Odd %schema" CASCADE')


def test_a_schema_of_any_name(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings, odd_schema: str
) -> None:
    execute(f'CREATE TABLE "{odd_schema}".stg_x (source_id integer, data text)')
    execute(f"""INSERT INTO "{odd_schema}".stg_x VALUES (1, '1'), (1, '2')""")
    odd = replace(settings, schema=odd_schema)
    (report,) = run_migration(database, odd).tables
    assert (report.status, report.reason, report.rows_archived) == (TableStatus.MIGRATED, None, 1)
    assert plan_migration(database, odd).is_empty


def test_instants_without_a_zone_are_of_the_named_one(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_x (source_id text, data jsonb, loaded_at timestamp, source_updated_at text)")
    execute("INSERT INTO stg_x VALUES ('a', '{}', '2024-07-01 12:00', '2024-01-01 12:00')")
    (report,) = run_migration(database, replace(settings, time_zone="Europe/Berlin")).tables
    assert report.reason is None
    stored = "SELECT (loaded_at AT TIME ZONE 'UTC')::text, (source_updated_at AT TIME ZONE 'UTC')::text FROM stg_x"
    assert execute(stored) == [("2024-07-01 10:00:00", "2024-01-01 11:00:00")]


def test_a_primary_key_stays_one_and_lineage_that_rows_name_is_registered(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_x (source_id integer PRIMARY KEY, data json, etl_job_id integer, etl_run_id text)")
    execute("INSERT INTO stg_x VALUES (1, '{}', 5, 'run-a'), (2, '{}', NULL, 'no run!'), (3, '{}', 6, NULL)")
    (report,) = run_migration(database, settings).tables
    assert report.reason is None
    assert execute("SELECT contype FROM pg_constraint WHERE conname = 'stg_x_source_id_key'") == [("p",)]
    lineage = execute("SELECT source_id, etl_job_id, etl_run_id FROM stg_x ORDER BY source_id")
    assert lineage == [("1", "5", "run-a"), ("2", "historical", "historical"), ("3", "6", "historical")]
    assert execute("SELECT id FROM etl_jobs ORDER BY id") == [("5",), ("6",), ("historical",)]
    assert execute("SELECT id, etl_job_id FROM etl_runs ORDER BY id") == [("historical", "historical"), ("run-a", "5")]


def test_a_check_on_a_widened_column_is_kept_and_proved(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_x (source_id varchar(20) CONSTRAINT short CHECK (length(source_id) < 9), data jsonb)")
    (report,) = run_migration(database, settings).tables
    assert report.reason is None
    assert execute("SELECT convalidated FROM pg_constraint WHERE conname = 'short'") == [(True,)]


def test_triggers_fire_unless_they_may_be_silenced(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings
) -> None:
    execute("CREATE TABLE stg_x (source_id text, data text, updated_at timestamptz)")
    execute("CREATE TRIGGER touch BEFORE UPDATE ON stg_x FOR EACH ROW EXECUTE FUNCTION touch()")
    (plan,) = plan_migration(database, settings).tables
    assert any(note.startswith("triggers touch fire") for note in plan.notes)


def test_silenced_triggers_are_not_told(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings, silenced_triggers: None
) -> None:
    execute("CREATE TABLE stg_x (source_id text, data text, updated_at timestamptz)")
    execute("CREATE TRIGGER touch BEFORE UPDATE ON stg_x FOR EACH ROW EXECUTE FUNCTION touch()")
    execute("INSERT INTO stg_x VALUES ('a', '{}', '2020-01-01Z')")
    (plan,) = plan_migration(database, settings).tables
    assert not any("triggers" in note for note in plan.notes)
    assert run_migration(database, settings).is_success
    assert execute("SELECT updated_at = '2020-01-01Z' FROM stg_x") == [(True,)]

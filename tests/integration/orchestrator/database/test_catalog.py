"""What must hold of the tables is said by constraints: the catalogs, against the list of what was asked for."""

from __future__ import annotations

import pytest

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.values import ErrorType, RunStatus, Trigger, WhenHeld
from tests.databases import Execute

pytestmark = pytest.mark.stack

TABLES = {
    "dw_etl_jobs": "slug priority layer command parameters parameters_schema concurrency_key retries backoff_seconds"
    " timeout_seconds is_enabled",
    "dw_etl_schedules": "job_id cron time_zone catch_up next_run_at is_active",
    "dw_etl_job_dependencies": "parent_job_id child_job_id",
    "dw_etl_runs": "job_id correlation_id status scheduled_at started_at ended_at parameters parameter_fingerprint"
    " attempts records_read records_written error_class is_transient_error error_type metrics",
    "dw_etl_run_events": "run_id ts event_type",
    "dw_etl_job_locks": "job_id run_id concurrency_key status expires_at",
    "dw_etl_alerts": "run_id channel sent_at",
    "dw_etl_job_tags": "job_id tag",
}

UNIQUE = {
    ("dw_etl_jobs", "(slug)"),
    ("dw_etl_runs", "(correlation_id)"),
    ("dw_etl_job_tags", "(job_id, tag)"),
    ("dw_etl_job_dependencies", "(parent_job_id, child_job_id)"),
    ("dw_etl_schedules", "(job_id) WHERE (is_active = true)"),
    ("dw_etl_job_locks", "(concurrency_key) WHERE (status = 'active'::text)"),
}

INDEXES = {
    ("dw_etl_schedules", "(job_id, next_run_at)"),
    ("dw_etl_job_dependencies", "(child_job_id)"),
    ("dw_etl_job_dependencies", "(parent_job_id)"),
    ("dw_etl_runs", "(job_id, scheduled_at)"),
    ("dw_etl_runs", "(job_id, started_at DESC)"),
    ("dw_etl_runs", "(status, scheduled_at)"),
    ("dw_etl_runs", "(job_id, status, ended_at)"),
    ("dw_etl_runs", "(parameter_fingerprint)"),
    ("dw_etl_run_events", "(run_id, ts)"),
    ("dw_etl_run_events", "(event_type)"),
    ("dw_etl_job_locks", "(expires_at)"),
    ("dw_etl_alerts", "(run_id)"),
    ("dw_etl_alerts", "(channel, sent_at)"),
}

FOREIGN_KEYS = {
    ("dw_etl_schedules", "job_id", "dw_etl_jobs", "CASCADE"),
    ("dw_etl_job_dependencies", "parent_job_id", "dw_etl_jobs", "CASCADE"),
    ("dw_etl_job_dependencies", "child_job_id", "dw_etl_jobs", "CASCADE"),
    ("dw_etl_runs", "job_id", "dw_etl_jobs", "RESTRICT"),
    ("dw_etl_run_events", "run_id", "dw_etl_runs", "CASCADE"),
    ("dw_etl_job_locks", "job_id", "dw_etl_jobs", "RESTRICT"),
    ("dw_etl_job_locks", "run_id", "dw_etl_runs", "RESTRICT"),
    ("dw_etl_alerts", "run_id", "dw_etl_runs", "RESTRICT"),
}


def test_columns(database: OrchestratorDatabase, execute: Execute) -> None:
    found = execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'orchestrator'"
    )
    names = {(table, column) for table, column, _ in found}
    assert {(table, column) for table, columns in TABLES.items() for column in columns.split()} - names == set()
    assert ("dw_etl_runs", "parameters", "jsonb") in found
    assert ("dw_etl_runs", "metrics", "jsonb") in found


def test_indexes(database: OrchestratorDatabase, execute: Execute) -> None:
    found = execute(
        "SELECT tablename, substring(indexdef FROM 'USING btree (.*)$'), indexdef LIKE 'CREATE UNIQUE%'"
        " FROM pg_indexes WHERE schemaname = 'orchestrator'"
    )
    assert UNIQUE - {(table, of) for table, of, is_unique in found if is_unique} == set()
    assert INDEXES - {(table, of) for table, of, is_unique in found if not is_unique} == set()
    assert execute(
        "SELECT count(*) FROM pg_index WHERE indrelid::regclass::text LIKE 'dw_etl%%' AND NOT indisvalid", ()
    ) == [(0,)]


def test_foreign_keys(database: OrchestratorDatabase, execute: Execute) -> None:
    found = execute(
        "SELECT conrelid::regclass::text, a.attname, confrelid::regclass::text,"
        " CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'r' THEN 'RESTRICT' ELSE confdeltype::text END, convalidated"
        " FROM pg_constraint JOIN pg_attribute AS a ON attrelid = conrelid AND attnum = conkey[1]"
        " WHERE contype = 'f' AND connamespace = 'orchestrator'::regnamespace"
    )
    assert FOREIGN_KEYS - {row[:4] for row in found} == set()
    assert all(row[4] for row in found)


def test_checks(database: OrchestratorDatabase, execute: Execute) -> None:
    found = dict(
        execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'orchestrator'::regnamespace AND convalidated"
        )
    )
    assert found["dw_etl_jobs_priority_check"] == "CHECK ((priority >= 0))"
    for check, words in (
        ("dw_etl_runs_status_check", RunStatus),
        ("dw_etl_runs_trigger_check", Trigger),
        ("dw_etl_runs_when_held_check", WhenHeld),
        ("dw_etl_jobs_when_held_check", WhenHeld),
        ("dw_etl_runs_error_type_check", ErrorType),
    ):
        assert {text.partition("'")[0] for text in found[check].split("'")[1::2]} == {str(word) for word in words}

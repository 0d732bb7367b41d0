from __future__ import annotations

from contextlib import closing

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.watch.gauges import ALIVE_SECONDS, GAUGES, DatabaseGauges
from tests.databases import Execute
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import add_job, ask, claim_one

pytestmark = pytest.mark.stack


def values(gauges: DatabaseGauges) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("orchestrator_"), *sample.labels.values()): sample.value
        for family in gauges.collect()
        for sample in family.samples
    }


def test_an_empty_database_has_zeros_and_not_nothing(database: OrchestratorDatabase) -> None:
    assert values(DatabaseGauges(database)) == {
        ("database_up",): 1,
        ("queue_runs", "ready"): 0,
        ("queue_runs", "retrying"): 0,
        ("queue_runs", "waiting"): 0,
        ("queue_seconds",): 0,
        ("lock_wait_runs",): 0,
        ("lock_wait_seconds",): 0,
        ("active_locks",): 0,
        ("processes", "scheduler"): 0,
        ("processes", "worker"): 0,
        ("alerts", "pending"): 0,
        ("alerts", "given_up"): 0,
        ("alert_pending_seconds",): 0,
    }


def test_the_queue_is_told_by_what_its_runs_wait_for(database: OrchestratorDatabase, execute: Execute) -> None:
    for slug in ("first", "second"):
        add_job(execute, slug, concurrency_key="shared")
    add_job(execute, "child", ["second"])
    add_job(execute, "again")
    ask(database, "first", "second", "child", "again")
    execute(
        "UPDATE dw_etl_runs SET ready_at = clock_timestamp() + interval '1 hour' FROM dw_etl_jobs"
        " WHERE dw_etl_jobs.job_id = dw_etl_runs.job_id AND slug = 'again'"
    )
    claim_one(database)
    found = values(DatabaseGauges(database))
    queue = {state: found["queue_runs", state] for state in ("ready", "retrying", "waiting")}
    assert queue == {"ready": 1, "retrying": 1, "waiting": 1}
    assert (found["lock_wait_runs",], found["active_locks",], found["running_runs", "bronze"]) == (1, 1, 1)
    assert found["lock_held_seconds", "first", "shared"] > 0
    assert found["lock_wait_seconds",] > 0


def test_runs_of_a_disabled_job_are_not_ready(database: OrchestratorDatabase, execute: Execute) -> None:
    for slug in ("holder", "behind"):
        add_job(execute, slug, concurrency_key="shared")
    add_job(execute, "free")
    ask(database, "holder", "behind", "free")
    execute("UPDATE dw_etl_jobs SET is_enabled = slug = 'holder'")
    claim_one(database)
    found = values(DatabaseGauges(database))
    queue = {state: found["queue_runs", state] for state in ("ready", "retrying", "waiting")}
    assert queue == {"ready": 0, "retrying": 0, "waiting": 2}
    assert (found["queue_seconds",], found["lock_wait_runs",], found["lock_wait_seconds",]) == (0, 0, 0)


def test_what_was_asked_is_kept_for_a_moment(database: OrchestratorDatabase, execute: Execute) -> None:
    kept, fresh = DatabaseGauges(database, kept_seconds=3600), DatabaseGauges(database, kept_seconds=0)
    before = (values(kept)["queue_runs", "ready"], values(fresh)["queue_runs", "ready"])
    add_job(execute, "a")
    ask(database, "a")
    assert (before, values(kept)["queue_runs", "ready"], values(fresh)["queue_runs", "ready"]) == ((0, 0), 0, 1)


def test_a_database_that_does_not_answer_is_told_and_no_error(orchestrator_settings: PostgreSQLSettings) -> None:
    gone = orchestrator_settings.model_copy(update={"port": 1})
    with closing(OrchestratorDatabase(gone, SCHEMA)) as database:
        assert values(DatabaseGauges(database)) == {("database_up",): 0}


def test_every_gauge_is_one_that_the_statement_gives() -> None:
    text = statement("metrics")
    assert {name for name in GAUGES if f"'{name}'" not in text} == set()


def test_many_runs_are_asked_of_indexes(database: OrchestratorDatabase, execute: Execute) -> None:
    """History, and many that wait: what is read is the queue's own, and of indexes."""
    add_job(execute, "a")
    execute(
        "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, status, scheduled_at, ended_at, parameter_fingerprint)"
        " SELECT job_id, 'c' || n, 'manual', 'success', now() - n * interval '1 minute', now(), ''"
        " FROM dw_etl_jobs, generate_series(1, 20000) AS n;"
        "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, status, scheduled_at, ready_at, parameter_fingerprint)"
        " SELECT job_id, 'd' || n, 'manual', 'queued', now(), now(), ''"
        " FROM dw_etl_jobs, generate_series(1, 500) AS n;"
        "ANALYZE dw_etl_runs"
    )
    with database.transaction("explain") as cursor:
        cursor.execute(f"EXPLAIN {statement('metrics')}", {"alive_seconds": ALIVE_SECONDS})
        plan = "\n".join(row["QUERY PLAN"] for row in map(dict, cursor.fetchall()))
    assert "Seq Scan on dw_etl_runs" not in plan

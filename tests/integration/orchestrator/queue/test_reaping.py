"""Leases that ran out, and runs that will not wait for a key."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.asking import request_cancel
from etl.orchestrator.queue.claims import claim, finish, renew
from etl.orchestrator.queue.reaping import reap, settle_held
from etl.orchestrator.values import RunStatus
from etl.postgresql.connection import connect
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import (
    NO_COUNTS,
    TRANSIENT,
    active_locks,
    add_job,
    ask,
    claim_one,
    event,
    events,
    run_row,
    statuses,
    succeed,
)

EXPIRE = "UPDATE dw_etl_job_locks SET expires_at = clock_timestamp() - interval '1 second' WHERE status = 'active'"


def test_a_lost_run_is_tried_again(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", backoff_seconds=0, backoff_limit_seconds=0)
    ask(database, "a")
    claimed = claim_one(database, "dead")
    assert reap(database) == []
    execute(EXPIRE)

    (reaped,) = reap(database)

    assert (reaped.slug, reaped.worker_id, reaped.status) == ("a", "dead", RunStatus.QUEUED)
    assert events(execute, claimed.run_id)[-2:] == ["lost", "retry_scheduled"]
    assert event(execute, claimed.run_id, "lost")["fencing_token"] == claimed.fencing_token
    assert run_row(execute, claimed.run_id)["error_type"] == "lost"
    assert execute("SELECT status FROM dw_etl_job_locks") == [("expired",)]
    assert claim_one(database, "alive").attempt == 2
    assert not finish(database, claimed, RunStatus.SUCCESS, NO_COUNTS)
    assert statuses(execute) == {"a": "running"}


def test_the_last_attempt_lost_is_a_failure(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", retries=0)
    add_job(execute, "b", ["a"])
    ask(database, "a", "b")
    claim_one(database)
    execute(EXPIRE)
    assert [each.status for each in reap(database)] == [RunStatus.FAILED]
    assert statuses(execute) == {"a": "failed", "b": "skipped"}


def test_a_lost_run_that_was_to_be_cancelled_is(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claimed = claim_one(database)
    request_cancel(database, claimed.run_id, "ann", "wrong day")
    execute(EXPIRE)
    assert [each.status for each in reap(database)] == [RunStatus.CANCELLED]
    row = run_row(execute, claimed.run_id)
    assert (row["cancelled_by"], row["reason"]) == ("ann", "wrong day")


def test_a_job_that_is_just_publishing_is_not_reaped(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings
) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claimed = claim_one(database)
    with closing(connect(orchestrator_settings, cursors=None)) as publishing, publishing.cursor() as cursor:
        cursor.execute("SELECT orchestrator.dw_etl_hold_fence(%s)", (claimed.fencing_token,))
        assert cursor.fetchone() == (True,)
        execute(EXPIRE)
        assert reap(database) == []
        assert renew(database, "worker", [claimed.fencing_token]).held
        execute(EXPIRE)
        publishing.commit()
    assert len(reap(database)) == 1


@pytest.mark.parametrize(("policy", "status"), [("skip", "skipped"), ("fail", "failed"), ("queue", "queued")])
def test_what_becomes_of_a_run_whose_key_is_held(
    database: OrchestratorDatabase, execute: Execute, policy: str, status: str
) -> None:
    add_job(execute, "holder", concurrency_key="shared", priority=1)
    add_job(execute, "late", concurrency_key="shared", when_held=policy)
    add_job(execute, "child", ["late"])
    made = ask(database, "holder", "late", "child")
    assert settle_held(database) == []
    holder = claim_one(database)
    settled = settle_held(database)
    assert settled == ([] if policy == "queue" else [made["late"].run_id])
    assert statuses(execute)["late"] == status
    assert statuses(execute)["child"] == ("queued" if policy == "queue" else "skipped")
    if policy != "queue":
        row = run_row(execute, made["late"].run_id)
        assert row["reason"] == f"its key shared is held by holder (run {holder.run_id})"
        assert row["error_type"] == ("held" if policy == "fail" else None)
    assert claim(database, "worker") == []
    assert active_locks(execute) == 1


@pytest.mark.parametrize("policy", ["skip", "fail"])
def test_a_run_that_has_begun_waits_for_its_key(database: OrchestratorDatabase, execute: Execute, policy: str) -> None:
    add_job(execute, "impatient", concurrency_key="shared", when_held=policy, priority=1)
    add_job(execute, "holder", concurrency_key="shared")
    ask(database, "impatient", "holder")
    failed = claim_one(database)
    assert finish(database, failed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, 60) is RunStatus.QUEUED
    holder = claim_one(database)
    execute("UPDATE dw_etl_runs SET ready_at = clock_timestamp() WHERE run_id = %s", (failed.run_id,))
    assert settle_held(database) == []
    assert statuses(execute) == {"impatient": "queued", "holder": "running"}
    succeed(database, holder)
    again = claim_one(database)
    assert (again.run_id, again.attempt) == (failed.run_id, 2)


def test_a_lock_row_keeps_its_invariants(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claim_one(database)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(
            "INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at)"
            " SELECT job_id, run_id, concurrency_key, 'thief', 1, now() FROM dw_etl_runs"
        )

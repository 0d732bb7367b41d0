"""Claims, endings and their events, by one worker after the other."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.asking import release_lock, request_cancel
from etl.orchestrator.queue.claims import claim, finish, hand_back, record, renew
from etl.orchestrator.values import Counts, EventType, JobKind, RunStatus
from tests.databases import Execute
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import (
    NO_COUNTS,
    TRANSIENT,
    active_locks,
    add_job,
    ask,
    claim_one,
    event,
    events,
    fail,
    run_row,
    statuses,
    succeed,
)
from tests.pgbouncer import pgbouncer


def test_a_claim_is_a_run_with_its_job(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", retries=3, backoff_seconds=5, backoff_limit_seconds=60, timeout_seconds=9)
    made = ask(database, "a")["a"]

    claimed = claim_one(database)

    assert (claimed.run_id, claimed.slug, claimed.kind, claimed.attempt) == (made.run_id, "a", JobKind.COMMAND, 1)
    assert (claimed.maximum_attempts, claimed.timeout_seconds, claimed.retry_until) == (4, 9, None)
    assert (claimed.backoff.first_seconds, claimed.backoff.longest_seconds) == (5, 60)
    assert claimed.correlation_id == "a@2026-11-26T02:00:00Z"
    row = run_row(execute, made.run_id)
    assert (row["status"], row["worker_id"], row["fencing_token"]) == ("running", "worker", claimed.fencing_token)
    assert events(execute, made.run_id) == ["requested", "ready", "claimed"]
    told = event(execute, made.run_id, "claimed")
    assert (told["attempt"], told["worker_id"], told["fencing_token"]) == (1, "worker", claimed.fencing_token)


def test_the_best_is_claimed_first_and_of_a_key_one(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "first", concurrency_key="shared")
    add_job(execute, "urgent", priority=5)
    add_job(execute, "later", concurrency_key="shared")
    for slug in ("first", "urgent", "later"):
        ask(database, slug, cycle_id=f"of-{slug}")

    claimed = claim(database, "worker", at_most=10)

    assert [each.slug for each in claimed] == ["urgent", "first"]
    assert claim(database, "other", at_most=10) == []
    succeed(database, claimed[1])
    assert claim_one(database, "other").slug == "later"


def test_runs_without_a_key_go_side_by_side(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "free", concurrency_key=None)
    for number in range(5):
        ask(database, "free", cycle_id=f"manual-{number}")
    assert len(claim(database, "worker", at_most=3)) == 3
    assert len(claim(database, "other", at_most=3)) == 2


def test_what_waits_for_its_time_is_not_claimed_but_who_is_behind_it(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_job(execute, "a", priority=9)
    add_job(execute, "free", concurrency_key=None)
    for number in (1, 2):
        ask(database, "a", "free", cycle_id=f"manual-{number}")
    execute("UPDATE dw_etl_runs SET ready_at = clock_timestamp() + interval '1 hour' WHERE cycle_id = 'manual-1'")
    claimed = claim(database, "worker", at_most=9)
    assert [(each.slug, each.cycle_id) for each in claimed] == [("a", "manual-2"), ("free", "manual-2")]


def test_disabled_jobs_are_not_claimed(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "off", concurrency_key="shared", priority=9, is_enabled=False)
    add_job(execute, "free", concurrency_key=None, is_enabled=False)
    add_job(execute, "on", concurrency_key="shared")
    ask(database, "off", "on", "free")
    assert [each.slug for each in claim(database, "worker", at_most=9)] == ["on"]


@pytest.mark.parametrize(("scope", "slugs"), [("all", ["a", "b"]), ("layer:bronze", ["a", "b", "s"]), ("tag:t", "acs")])
def test_no_more_than_parallelism_allows(
    database: OrchestratorDatabase, execute: Execute, scope: str, slugs: list[str]
) -> None:
    for slug in "abc":
        add_job(execute, slug)
    add_job(execute, "s", layer="silver")
    execute("INSERT INTO dw_etl_job_tags SELECT job_id, 't' FROM dw_etl_jobs WHERE slug IN ('a', 'b', 'c')")
    if scope == "tag:t":
        execute("DELETE FROM dw_etl_job_tags WHERE job_id = (SELECT job_id FROM dw_etl_jobs WHERE slug = 'c')")
    execute("INSERT INTO dw_etl_parallelism VALUES (%s, %s)", (scope, 1 if scope == "tag:t" else 2))
    for slug in "abcs":
        ask(database, slug, cycle_id=f"of-{slug}")
    claimed = claim(database, "worker", at_most=9)
    assert [each.slug for each in claimed] == list(slugs)
    assert claim(database, "worker", at_most=9) == []
    succeed(database, claimed[0])
    assert len(claim(database, "worker", at_most=9)) == 1


def test_an_end_is_kept_with_its_counts(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claimed = claim_one(database)
    assert finish(database, claimed, RunStatus.SUCCESS, Counts(10, 7, {"tables": 2}))
    row = run_row(execute, claimed.run_id)
    assert (row["status"], row["records_read"], row["records_written"]) == ("success", 10, 7)
    assert row["metrics"] == {"tables": 2}
    assert row["ended_at"] >= row["started_at"]
    assert event(execute, claimed.run_id, "succeeded")["details"] == {"records_read": 10, "records_written": 7}
    assert active_locks(execute) == 0


def test_a_retry_waits_in_the_queue_with_its_key_free(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", retry_for_seconds=3600)
    ask(database, "a")
    claimed = claim_one(database)
    assert finish(database, claimed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, retry_in_seconds=600)
    assert (active_locks(execute), claim(database, "worker")) == (0, [])
    row = run_row(execute, claimed.run_id)
    assert (row["status"], row["ended_at"], row["error_class"], row["is_transient_error"]) == (
        "queued",
        None,
        "40001",
        True,
    )
    told = event(execute, claimed.run_id, "retry_scheduled")
    assert (told["attempt"], told["details"]["wait_seconds"]) == (1, 600)
    assert told["details"]["failure"]["error_class"] == "40001"
    execute("UPDATE dw_etl_runs SET ready_at = clock_timestamp()")
    again = claim_one(database, "other")
    assert (again.attempt, again.started_at, again.retry_until) == (2, claimed.started_at, claimed.retry_until)
    succeed(database, again)
    assert run_row(execute, claimed.run_id)["error_class"] is None


@pytest.mark.parametrize("columns", [{"retries": 0}, {"retry_for_seconds": 0.001}])
def test_no_retry_beyond_the_attempts_or_the_deadline(
    database: OrchestratorDatabase, execute: Execute, columns: dict[str, float]
) -> None:
    add_job(execute, "a", **columns)
    ask(database, "a")
    claimed = claim_one(database)
    assert finish(database, claimed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, retry_in_seconds=0)
    assert statuses(execute) == {"a": "failed"}
    assert events(execute, claimed.run_id)[-1] == "failed"


def test_a_retry_does_not_wait_beyond_the_deadline(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", retry_for_seconds=60)
    ask(database, "a")
    claimed = claim_one(database)
    assert finish(database, claimed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, retry_in_seconds=600)
    assert execute("SELECT ready_at <= retry_until + interval '1 second' FROM dw_etl_runs") == [(True,)]


def test_what_is_handed_back_is_ready_at_once_and_not_counted(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", retries=0, retry_for_seconds=60)
    ask(database, "a")
    claimed = claim_one(database)
    assert hand_back(database, claimed, "the worker was told to end")
    row = run_row(execute, claimed.run_id)
    assert (row["status"], row["attempts"], row["started_at"], row["retry_until"]) == ("queued", 0, None, None)
    assert events(execute, claimed.run_id)[-1] == "handed_back"
    again = claim_one(database, "other")
    assert (again.attempt, again.fencing_token > claimed.fencing_token) == (1, True)


def test_a_worker_that_lost_its_run_changes_nothing(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", backoff_seconds=0, backoff_limit_seconds=0)
    ask(database, "a")
    claimed = claim_one(database)
    release_lock(database, "a", "ann", "its machine is gone")
    own = claim_one(database, "other")
    before = run_row(execute, claimed.run_id)

    assert not finish(database, claimed, RunStatus.SUCCESS, Counts(1, 1))
    assert not finish(database, claimed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, 0)
    assert not hand_back(database, claimed, "again")
    assert renew(database, "worker", [claimed.fencing_token]).held == frozenset()

    assert run_row(execute, claimed.run_id) == before
    assert events(execute, claimed.run_id).count("fenced") == 3
    told = event(execute, claimed.run_id, "fenced")
    assert (told["worker_id"], told["fencing_token"]) == ("worker", claimed.fencing_token)
    succeed(database, own)


def test_an_end_that_is_said_again_for_want_of_an_answer_is_one_end(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_job(execute, "a")
    ask(database, "a")
    first = claim_one(database)
    assert finish(database, first, RunStatus.FAILED, NO_COUNTS, TRANSIENT, 0) is RunStatus.QUEUED
    second = claim_one(database)
    assert finish(database, first, RunStatus.FAILED, NO_COUNTS, TRANSIENT, 0) is RunStatus.QUEUED
    assert statuses(execute) == {"a": "running"}
    for _ in range(2):
        assert finish(database, second, RunStatus.SUCCESS, NO_COUNTS) is RunStatus.SUCCESS
    told = events(execute, first.run_id)
    assert (told.count("retry_scheduled"), told.count("succeeded"), told.count("fenced")) == (1, 1, 0)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_run_that_is_handed_back_again_for_want_of_an_answer_is_handed_back_once(
    database: OrchestratorDatabase, execute: Execute, is_cancelled: bool
) -> None:
    add_job(execute, "a")
    ask(database, "a")
    first = claim_one(database)
    if is_cancelled:
        request_cancel(database, first.run_id)
    for _ in range(2):
        assert hand_back(database, first, "told to end")
    told = events(execute, first.run_id)
    assert (told.count("handed_back"), told.count("fenced")) == (1, 0)
    assert statuses(execute) == {"a": "cancelled" if is_cancelled else "queued"}
    if not is_cancelled:
        second = claim_one(database)
        assert hand_back(database, first, "told to end")
        assert (statuses(execute), second.attempt) == ({"a": "running"}, 1)
        # who says something else than he did is fenced
        assert finish(database, first, RunStatus.SUCCESS, NO_COUNTS) is None
        assert events(execute, first.run_id).count("fenced") == 1


def test_a_renewal_keeps_what_is_the_workers_own(database: OrchestratorDatabase, execute: Execute) -> None:
    for slug in "ab":
        add_job(execute, slug)
    ask(database, "a", "b")
    first, second = claim(database, "worker", at_most=2)
    execute("UPDATE dw_etl_job_locks SET expires_at = clock_timestamp()")
    tokens = [first.fencing_token, second.fencing_token]
    assert renew(database, "other", tokens).held == frozenset()
    renewal = renew(database, "worker", tokens)
    assert (renewal.held, renewal.cancels) == (frozenset(tokens), {})
    left = execute("SELECT bool_and(expires_at > clock_timestamp() + interval '25 seconds') FROM dw_etl_job_locks")
    assert left == [(True,)]
    assert renew(database, "worker", []).held == frozenset()


def test_an_event_is_recorded_as_the_attempts(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claimed = claim_one(database)
    record(database, claimed.run_id, EventType.STARTED, claimed, {"pid": 7})
    told = event(execute, claimed.run_id, "started")
    assert (told["attempt"], told["worker_id"], told["details"]) == (1, "worker", {"pid": 7})


def test_all_goes_through_a_pooler(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings, tmp_path: Path
) -> None:
    for slug in "ab":
        add_job(execute, slug)
    with pgbouncer(orchestrator_settings, tmp_path) as pooled, closing(OrchestratorDatabase(pooled, SCHEMA)) as through:
        ask(through, "a", "b")
        first, second = claim(through, "worker", at_most=2)
        assert renew(through, "worker", [first.fencing_token]).held == {first.fencing_token}
        assert finish(through, first, RunStatus.FAILED, NO_COUNTS, TRANSIENT, 0)
        succeed(through, claim_one(through))
        fail(through, second)
    assert statuses(execute) == {"a": "success", "b": "failed"}

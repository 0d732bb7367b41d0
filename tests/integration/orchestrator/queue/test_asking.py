"""Cancel, retry and release, as people ask for them."""

from __future__ import annotations

import pytest

from etl.errors import UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.asking import release_lock, request_cancel, retry_from_failure
from etl.orchestrator.queue.claims import claim, finish, hand_back, renew
from etl.orchestrator.values import RunStatus
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
    fail,
    run_row,
    statuses,
    succeed,
)


def test_a_queued_run_is_cancelled_at_once(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    add_job(execute, "b", ["a"])
    run_id = ask(database, "a", "b")["a"].run_id
    assert request_cancel(database, run_id, "ann", "not today").has_ended
    assert statuses(execute) == {"a": "cancelled", "b": "skipped"}
    row = run_row(execute, run_id)
    assert (row["cancelled_by"], row["reason"]) == ("ann", "not today")
    assert events(execute, run_id)[-2:] == ["cancel_requested", "cancelled"]
    assert event(execute, run_id, "cancelled")["details"] == {"by": "ann", "reason": "not today"}
    with pytest.raises(UsageError, match=r"run 1 \(a\): expected one that is queued or running, found cancelled"):
        request_cancel(database, run_id, "bob", "again")
    with pytest.raises(UsageError, match="there is no run 77"):
        request_cancel(database, 77)


def test_a_running_run_is_asked_to_end(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claimed = claim_one(database)
    assert not request_cancel(database, claimed.run_id, "ann", "wrong day").has_ended
    request_cancel(database, claimed.run_id, "bob", "me too")
    cancel = renew(database, "worker", [claimed.fencing_token]).cancels[claimed.fencing_token]
    assert (cancel.by, cancel.reason) == ("ann", "wrong day")
    assert finish(database, claimed, RunStatus.CANCELLED, NO_COUNTS)
    assert statuses(execute) == {"a": "cancelled"}
    assert run_row(execute, claimed.run_id)["cancelled_by"] == "ann"


@pytest.mark.parametrize("by_hand_back", [True, False])
def test_a_run_to_be_cancelled_does_not_wait_for_another_attempt(
    database: OrchestratorDatabase, execute: Execute, by_hand_back: bool
) -> None:
    add_job(execute, "a")
    ask(database, "a")
    claimed = claim_one(database)
    request_cancel(database, claimed.run_id)
    if by_hand_back:
        assert hand_back(database, claimed, "told to end")
    else:
        assert finish(database, claimed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, retry_in_seconds=0)
    assert (statuses(execute), active_locks(execute)) == ({"a": "cancelled"}, 0)


def test_a_retry_goes_on_where_it_failed(database: OrchestratorDatabase, execute: Execute) -> None:
    """root → failing → below → leaf; root → sibling; leaf waits for sibling too."""
    add_job(execute, "root")
    add_job(execute, "failing", ["root"], retries=1)
    add_job(execute, "sibling", ["root"])
    add_job(execute, "below", ["failing"])
    add_job(execute, "leaf", ["below", "sibling"])
    made = ask(database, "root", "failing", "sibling", "below", "leaf")
    succeed(database, claim_one(database))
    for claimed in claim(database, "worker", at_most=5):
        (fail if claimed.slug == "failing" else succeed)(database, claimed)
    ended = {"root": "success", "failing": "failed", "sibling": "success", "below": "skipped", "leaf": "skipped"}
    assert statuses(execute) == ended
    failed = made["failing"].run_id
    assert run_row(execute, made["leaf"].run_id)["because_run_id"] == failed
    assert run_row(execute, made["leaf"].run_id)["reason"] == f"failing (run {failed}) failed"

    assert retry_from_failure(database, failed, "ann") == [failed, made["below"].run_id, made["leaf"].run_id]

    row = run_row(execute, failed)
    assert (row["attempts"], row["maximum_attempts"], row["error_class"], row["ended_at"]) == (1, 3, None, None)
    assert event(execute, made["leaf"].run_id, "reopened")["details"] == {"by": "ann", "for_run_id": failed}
    for slug in ("failing", "below", "leaf"):
        claimed = claim_one(database)
        assert claimed.slug == slug
        succeed(database, claimed)
    assert set(statuses(execute).values()) == {"success"}
    assert events(execute, made["root"].run_id).count("claimed") == 1


def test_what_has_another_failed_parent_is_skipped_again(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    add_job(execute, "b")
    add_job(execute, "child", ["a", "b"])
    add_job(execute, "leaf", ["child"])
    made = ask(database, "a", "b", "child", "leaf")
    first, second = claim(database, "worker", at_most=2)
    fail(database, first)
    fail(database, second)
    assert retry_from_failure(database, first.run_id)[0] == first.run_id
    assert statuses(execute) == {"a": "queued", "b": "failed", "child": "skipped", "leaf": "skipped"}
    assert run_row(execute, made["leaf"].run_id)["because_run_id"] == second.run_id
    retry_from_failure(database, second.run_id)
    assert set(statuses(execute).values()) == {"queued"}
    for claimed in claim(database, "worker", at_most=5):
        succeed(database, claimed)
    succeed(database, claim_one(database))
    succeed(database, claim_one(database))
    assert set(statuses(execute).values()) == {"success"}


def test_who_was_skipped_in_another_cycle_goes_on_too(database: OrchestratorDatabase, execute: Execute) -> None:
    """As a job with a schedule of its own, which goes by the latest run of its parent."""
    add_job(execute, "parent")
    add_job(execute, "child", ["parent"])
    add_job(execute, "leaf", ["child"])
    ask(database, "parent", cycle_id="earlier")
    failed = claim_one(database)
    fail(database, failed)
    made = ask(database, "child", "leaf", waits_outside=True)
    assert statuses(execute) == {"parent": "failed", "child": "skipped", "leaf": "skipped"}
    opened = retry_from_failure(database, failed.run_id)
    assert opened == [failed.run_id, made["child"].run_id, made["leaf"].run_id]
    for slug in ("parent", "child", "leaf"):
        claimed = claim_one(database)
        assert claimed.slug == slug
        succeed(database, claimed)


def test_only_what_failed_or_was_cancelled_is_retried(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    add_job(execute, "b", ["a"])
    made = ask(database, "a", "b")
    with pytest.raises(UsageError, match=r"expected one that failed or was cancelled, found queued; .* run why-not 1"):
        retry_from_failure(database, made["a"].run_id)
    fail(database, claim_one(database))
    with pytest.raises(UsageError, match="found skipped; retry run 1, for which it was skipped"):
        retry_from_failure(database, made["b"].run_id)
    with pytest.raises(UsageError, match="there is no run 9; `etl orchestrator run list`"):
        retry_from_failure(database, 9)
    execute("UPDATE dw_etl_runs SET status = 'success' WHERE run_id = %s", (made["a"].run_id,))
    with pytest.raises(UsageError, match=r"found success; .* orchestrator run start a` asks for another"):
        retry_from_failure(database, made["a"].run_id)
    execute("UPDATE dw_etl_runs SET trigger = 'import'")
    with pytest.raises(UsageError, match="was imported"):
        retry_from_failure(database, made["a"].run_id)


@pytest.mark.parametrize("by_key", [True, False])
def test_a_lock_is_released_by_hand(database: OrchestratorDatabase, execute: Execute, by_key: bool) -> None:
    add_job(execute, "a", concurrency_key="lake:a")
    ask(database, "a")
    claimed = claim_one(database)
    released = release_lock(database, "lake:a" if by_key else claimed.fencing_token, "ann", "its machine burned")
    assert (released.run_id, released.status, active_locks(execute)) == (claimed.run_id, RunStatus.QUEUED, 0)
    assert event(execute, claimed.run_id, "lock_released")["details"] == {"by": "ann", "reason": "its machine burned"}
    assert run_row(execute, claimed.run_id)["error_message"] == "its lock was released by ann: its machine burned"
    assert not finish(database, claimed, RunStatus.SUCCESS, NO_COUNTS)


def test_a_lock_that_nobody_holds_is_not_released(database: OrchestratorDatabase, execute: Execute) -> None:
    with pytest.raises(UsageError, match="found 'lake:b'; nothing is held"):
        release_lock(database, "lake:b")
    add_job(execute, "a", concurrency_key="lake:a")
    ask(database, "a")
    claim_one(database)
    with pytest.raises(UsageError, match="found 'lake:b'; did you mean 'lake:a'"):
        release_lock(database, "lake:b")

"""Runs that are asked for together: what each waits for, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from etl.errors import UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.fingerprint import fingerprint
from etl.orchestrator.queue.claims import claim
from etl.orchestrator.queue.cycles import NewRun
from etl.orchestrator.values import RunStatus
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import (
    TICK,
    add_job,
    ask,
    claim_one,
    events,
    fail,
    run_row,
    statuses,
    succeed,
)


def test_a_run_has_its_jobs_parameters_and_its_own(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a", priority=3, retries=4, when_held="skip")
    execute("""UPDATE dw_etl_jobs SET parameters = '{"tables": ["x"], "full": false}'""")
    interval = {"interval_from": TICK - timedelta(days=1), "interval_until": TICK}
    made = ask(database, NewRun("a", {"full": True}, correlation_id="mine", **interval))["a"]
    row = run_row(execute, made.run_id)
    assert row["parameters"] == {"tables": ["x"], "full": True}
    assert row["parameter_fingerprint"] == fingerprint({"full": True, "tables": ["x"]})
    assert (row["priority"], row["maximum_attempts"], row["when_held"], row["concurrency_key"]) == (3, 5, "skip", "a")
    assert (row["correlation_id"], row["requested_by"]) == ("mine", "tester")
    claimed = claim_one(database)
    assert (claimed.interval_from, claimed.interval_until) == (TICK - timedelta(days=1), TICK)
    assert (claimed.scheduled_at, claimed.parameters) == (TICK, {"tables": ["x"], "full": True})


def test_asked_for_twice_it_is_one_run(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    add_job(execute, "b", ["a"])
    first = ask(database, "a")["a"]
    again = ask(database, "a", "b")
    assert (first.is_new, again["a"].is_new, again["b"].is_new) == (True, False, True)
    assert again["a"].run_id == first.run_id
    assert events(execute, first.run_id).count("requested") == 1
    other = ask(database, NewRun("a", correlation_id="a@2026-11-26T02:00:00Z"), cycle_id="another")
    assert (other["a"].run_id, other["a"].is_new) == (first.run_id, False)
    assert [each.slug for each in claim(database, "worker", at_most=5)] == ["a"]


def test_a_child_waits_for_all_its_parents_of_the_cycle(database: OrchestratorDatabase, execute: Execute) -> None:
    for slug in ("p", "q"):
        add_job(execute, slug)
    add_job(execute, "child", ["p", "q"])
    made = ask(database, "child", "q", "p")
    assert made["child"].run_id > max(made["p"].run_id, made["q"].run_id)
    first, second = claim(database, "worker", at_most=5)
    succeed(database, first)
    assert claim(database, "worker") == []
    succeed(database, second)
    assert events(execute, made["child"].run_id) == ["requested", "ready"]
    assert claim_one(database).slug == "child"


def test_a_failure_skips_exactly_its_descendants(database: OrchestratorDatabase, execute: Execute) -> None:
    for slug, parents in {"a": [], "b": [], "a1": ["a"], "b1": ["b"], "ab": ["a1", "b1"], "a2": ["a1"]}.items():
        add_job(execute, slug, parents)
    made = ask(database, "a", "b", "a1", "b1", "ab", "a2")
    ask(database, "a", "a1", cycle_id="another")
    failing, going_on = claim(database, "worker", at_most=2)
    assert (failing.slug, failing.cycle_id) == ("a", "2026-11-26T02:00:00Z")
    fail(database, failing)
    rows = {slug: run_row(execute, each.run_id) for slug, each in made.items()}
    skipped = {slug for slug, row in rows.items() if row["status"] == "skipped"}
    assert skipped == {"a1", "ab", "a2"}
    assert {rows[slug]["because_run_id"] for slug in skipped} == {failing.run_id}
    succeed(database, going_on)
    assert {each.slug for each in claim(database, "worker", at_most=5)} == {"a", "b1"}


def test_a_child_alone_does_not_wait(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "p")
    add_job(execute, "child", ["p"])
    ask(database, "child")
    assert claim_one(database).slug == "child"


@pytest.mark.parametrize("ending", ["open", "success", "failed", "never"])
def test_a_child_waits_for_the_latest_run_of_a_parent_outside(
    database: OrchestratorDatabase, execute: Execute, ending: str
) -> None:
    add_job(execute, "p")
    add_job(execute, "child", ["p"])
    add_job(execute, "leaf", ["child"])
    if ending != "never":
        parent = ask(database, "p", cycle_id="earlier")["p"]
    if ending in ("success", "failed"):
        (succeed if ending == "success" else fail)(database, claim_one(database))
    made = ask(database, "child", "leaf", waits_outside=True)
    found = run_row(execute, made["child"].run_id)
    if ending == "never":
        assert (found["status"], found["reason"]) == ("skipped", "its parent p has never run")
        assert run_row(execute, made["leaf"].run_id)["because_run_id"] == made["child"].run_id
    elif ending == "failed":
        assert (found["status"], found["because_run_id"]) == ("skipped", parent.run_id)
        assert statuses(execute)["leaf"] == "skipped"
    elif ending == "success":
        assert claim_one(database).slug == "child"
    else:
        succeed(database, claim_one(database))
        assert claim_one(database).slug == "child"


def test_of_a_parents_tick_that_was_made_again_the_last_counts(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_job(execute, "p")
    add_job(execute, "child", ["p"])
    first = ask(database, "p", cycle_id="earlier")["p"]
    fail(database, claim_one(database))
    ask(database, "p", cycle_id="backfill")
    succeed(database, claim_one(database))
    # wherever its row stands in the table and its indexes
    execute("UPDATE dw_etl_runs SET parameter_fingerprint = 'moved' WHERE run_id = %s", (first.run_id,))
    made = ask(database, "child", waits_outside=True)
    assert made["child"].status is RunStatus.QUEUED
    ((latest,),) = execute(
        "SELECT parent_run_id - %s FROM dw_etl_run_dependencies WHERE run_id = %s",
        (first.run_id, made["child"].run_id),
    )
    assert latest == 1


def test_a_missed_run_is_made_as_skipped(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    add_job(execute, "b", ["a"])
    made = ask(database, NewRun("a", skipped="its tick was missed"), "b")
    assert {each.status for each in made.values()} == {RunStatus.SKIPPED}
    assert run_row(execute, made["a"].run_id)["reason"] == "its tick was missed"
    assert run_row(execute, made["b"].run_id)["reason"] == f"a (run {made['a'].run_id}) was skipped"
    assert events(execute, made["a"].run_id) == ["requested", "skipped"]
    assert events(execute, made["b"].run_id) == ["requested", "skipped"]


def test_an_unknown_job_is_told(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "bronze_events")
    with pytest.raises(UsageError, match="there is no job 'bronze_event'; did you mean 'bronze_events'"):
        ask(database, "bronze_event")


def test_jobs_that_wait_for_themselves_are_told(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "a")
    add_job(execute, "b", ["a"])
    execute("INSERT INTO dw_etl_job_dependencies SELECT child_job_id, parent_job_id FROM dw_etl_job_dependencies")
    with pytest.raises(UsageError, match=r"found (a → b → a|b → a → b)"):
        ask(database, "a", "b")

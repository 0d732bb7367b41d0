"""Many workers at once, as threads with connections of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from threading import Barrier
from typing import Any

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.asking import request_cancel, retry_from_failure
from etl.orchestrator.queue.claims import claim, finish, hand_back
from etl.orchestrator.queue.reaping import reap, settle_held
from etl.orchestrator.values import Claim, RunStatus
from etl.postgresql.connection import connect
from tests.databases import Execute
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import (
    NO_COUNTS,
    PERMANENT,
    TRANSIENT,
    active_locks,
    add_job,
    ask,
    claim_one,
    events,
    run_row,
    statuses,
    succeed,
)

OVERLAPS = """
WITH attempt AS (
    SELECT
        run.concurrency_key AS key, claimed.ts AS began,
        (SELECT min(ended.ts) FROM dw_etl_run_events AS ended
         WHERE ended.run_id = claimed.run_id AND ended.fencing_token = claimed.fencing_token
             AND ended.event_id > claimed.event_id) AS ended
    FROM dw_etl_run_events AS claimed JOIN dw_etl_runs AS run USING (run_id) WHERE claimed.event_type = 'claimed'
)
SELECT count(*) FROM (SELECT began, lag(ended) OVER (PARTITION BY key ORDER BY began) AS before FROM attempt) AS turn
WHERE before > began
"""


class Crowd:
    """Does several things at the same time, each with connections of its own."""

    def __init__(self, settings: PostgreSQLSettings, size: int, stack: ExitStack) -> None:
        self.databases = [stack.enter_context(closing(OrchestratorDatabase(settings, SCHEMA))) for _ in range(size)]
        self._pool = stack.enter_context(ThreadPoolExecutor(size))

    def together(self, *works: Callable[[OrchestratorDatabase], Any]) -> list[Any]:
        barrier = Barrier(len(works))

        def begin(work: Callable[[OrchestratorDatabase], Any], database: OrchestratorDatabase) -> Any:
            barrier.wait(timeout=60)
            return work(database)

        begun = [self._pool.submit(begin, work, own) for work, own in zip(works, self.databases, strict=False)]
        finished, _ = wait(begun, timeout=120, return_when=FIRST_EXCEPTION)
        failed = [each for each in begun if each in finished and each.exception()]
        return [each.result(timeout=0) for each in failed or begun]


@pytest.fixture
def crowd(orchestrator_settings: PostgreSQLSettings) -> Any:
    with ExitStack() as stack:
        yield Crowd(orchestrator_settings, 8, stack)


def ended(status: RunStatus, claimed: Claim) -> Callable[[OrchestratorDatabase], Any]:
    failure = PERMANENT if status is RunStatus.FAILED else None
    return lambda database: finish(database, claimed, status, NO_COUNTS, failure)


def test_no_run_twice_and_never_two_of_a_key(crowd: Crowd, database: OrchestratorDatabase, execute: Execute) -> None:
    """Some fail and are tried again at once, some are handed back; all end, each after as many attempts as counted."""
    for number in range(6):
        add_job(execute, f"job-{number}", concurrency_key=f"key-{number % 3}" if number < 5 else None, retries=50)
    for turn in range(20):
        ask(database, *(f"job-{number}" for number in range(6)), cycle_id=f"manual-{turn}")

    end = time.monotonic() + 60

    def work(own: OrchestratorDatabase) -> int:
        turns = 0
        while is_any_left(own):
            assert time.monotonic() < end, "somebody else did not end what is left"
            for claimed in claim(own, f"worker-{id(own)}", at_most=2):
                turns += 1
                if turns % 7 == 0:
                    assert hand_back(own, claimed, "told to end")
                elif turns % 5 == 0:
                    assert finish(own, claimed, RunStatus.FAILED, NO_COUNTS, TRANSIENT, 0)
                else:
                    assert finish(own, claimed, RunStatus.SUCCESS, NO_COUNTS)
        return turns

    turns = sum(crowd.together(*[work] * 8))

    assert execute("SELECT status, count(*) FROM dw_etl_runs GROUP BY status") == [("success", 120)]
    told = "SELECT count(*) FILTER (WHERE event_type = %s) FROM dw_etl_run_events"
    assert execute(told, ("claimed",)) == [(turns,)]
    assert execute(told, ("succeeded",)) == [(120,)]
    assert execute(
        "SELECT count(*) FROM (SELECT run_id, fencing_token FROM dw_etl_run_events WHERE event_type ="
        " 'claimed' GROUP BY 1, 2 HAVING count(*) > 1) AS twice"
    ) == [(0,)]
    keyed = OVERLAPS.replace("= 'claimed'\n", "= 'claimed' AND run.concurrency_key IS NOT NULL\n")
    assert execute(keyed) == [(0,)]
    assert active_locks(execute) == 0


def is_any_left(own: OrchestratorDatabase) -> bool:
    with own.transaction("look") as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM dw_etl_runs WHERE ended_at IS NULL) AS is_any_left")
        return bool(dict(cursor.fetchone() or {})["is_any_left"])


def test_parallelism_holds_however_many_claim_at_once(
    crowd: Crowd, database: OrchestratorDatabase, execute: Execute
) -> None:
    execute("INSERT INTO dw_etl_parallelism VALUES ('all', 5), ('layer:silver', 2)")
    for number in range(20):
        add_job(execute, f"job-{number}", layer="silver" if number < 10 else "bronze", priority=number % 2)
    for turn in range(3):
        ask(database, *(f"job-{number}" for number in range(20)), cycle_id=f"manual-{turn}")
        found = crowd.together(*[lambda own: claim(own, "worker", at_most=3)] * 8)
        claims = [claimed for claims in found for claimed in claims]
        assert len(claims) == 5
        assert sum(claimed.layer == "silver" for claimed in claims) == 2
        for claimed in claims:
            succeed(database, claimed)


def test_two_parents_that_end_at_once_make_their_child_ready_once(
    crowd: Crowd, database: OrchestratorDatabase, execute: Execute
) -> None:
    for slug in ("p", "q"):
        add_job(execute, slug)
    add_job(execute, "child", ["p", "q"])
    for turn in range(60):
        made = ask(database, "p", "q", "child", cycle_id=f"manual-{turn}")
        first, second = claim(database, "worker", at_most=2)
        crowd.together(ended(RunStatus.SUCCESS, first), ended(RunStatus.SUCCESS, second))
        assert events(execute, made["child"].run_id) == ["requested", "ready"], turn
        succeed(database, claim_one(database))


def test_two_parents_that_fail_at_once_skip_their_descendants_once(
    crowd: Crowd, database: OrchestratorDatabase, execute: Execute
) -> None:
    """p and q have children crosswise, so that their descendants are met in different orders."""
    for slug, parents in {
        "p": [],
        "q": [],
        "c": ["p"],
        "d": ["q"],
        "e": ["c", "q"],
        "f": ["d", "p"],
        "g": ["e", "f"],
    }.items():
        add_job(execute, slug, parents)
    for turn in range(30):
        made = ask(database, *"gfedcqp", cycle_id=f"manual-{turn}")
        first, second = claim(database, "worker", at_most=2)
        ways = (RunStatus.FAILED, RunStatus.FAILED if turn % 2 else RunStatus.SUCCESS)
        crowd.together(ended(ways[0], first), ended(ways[1], second))
        for claimed in claim(database, "worker", at_most=5):
            succeed(database, claimed)
        for slug in "cdefg":
            told = events(execute, made[slug].run_id)
            assert told.count("skipped") + told.count("succeeded") == 1, (turn, slug, told)
    assert execute("SELECT count(*) FROM dw_etl_runs WHERE ended_at IS NULL") == [(0,)]


def test_a_child_that_is_made_while_its_parent_ends_misses_nothing(
    crowd: Crowd, database: OrchestratorDatabase, execute: Execute
) -> None:
    add_job(execute, "p")
    add_job(execute, "child", ["p"])
    add_job(execute, "leaf", ["child"])
    for turn in range(40):
        ask(database, "p", cycle_id=f"parent-{turn}")
        status = RunStatus.SUCCESS if turn % 2 else RunStatus.FAILED
        crowd.together(
            ended(status, claim_one(database)),
            lambda own, cycle=f"child-{turn}": ask(own, "child", "leaf", cycle_id=cycle, waits_outside=True),
        )
        if turn % 2:
            succeed(database, claim_one(database))
            succeed(database, claim_one(database))
        expected = "success" if turn % 2 else "skipped"
        found = statuses(execute)
        assert (found["child"], found["leaf"]) == (expected, expected), turn


def test_a_run_is_made_once_however_many_ask(crowd: Crowd, database: OrchestratorDatabase, execute: Execute) -> None:
    for slug, parents in {"a": [], "b": ["a"], "c": ["a", "b"]}.items():
        add_job(execute, slug, parents)
    for turn in range(10):
        made = crowd.together(*[lambda own, cycle=f"tick-{turn}": ask(own, *"cba", cycle_id=cycle)] * 6)
        assert len({run.run_id for each in made for run in each.values()}) == 3
        assert sum(run.is_new for each in made for run in each.values()) == 3
    assert execute("SELECT count(*) FROM dw_etl_run_dependencies") == [(30,)]
    assert execute("SELECT count(*) FROM dw_etl_run_events WHERE event_type = 'requested'") == [(30,)]


def test_of_all_that_end_a_run_at_once_one_does(crowd: Crowd, database: OrchestratorDatabase, execute: Execute) -> None:
    """Its worker, two reapers, somebody who cancels and somebody who retries what failed."""
    add_job(execute, "a", retries=0)
    add_job(execute, "b", ["a"])
    add_job(execute, "held", concurrency_key="a", when_held="skip")
    for turn in range(20):
        made = ask(database, "a", "b", "held", cycle_id=f"manual-{turn}")
        execute("UPDATE dw_etl_runs SET priority = 1 WHERE run_id = %s", (made["a"].run_id,))
        claimed = claim_one(database)
        execute("UPDATE dw_etl_job_locks SET expires_at = clock_timestamp() WHERE status = 'active'")
        crowd.together(
            ended(RunStatus.SUCCESS, claimed), reap, reap, settle_held, lambda own, run=claimed: quietly(own, run)
        )
        settle_held(database)
        told = events(execute, claimed.run_id)
        assert told.count("succeeded") + told.count("failed") + told.count("cancelled") == 1, told
        assert active_locks(execute) == 0
        if statuses(execute)["a"] != "success":
            retry_from_failure(database, claimed.run_id)
        while claims := claim(database, "worker"):
            succeed(database, claims[0])
        assert execute("SELECT count(*) FROM dw_etl_runs WHERE ended_at IS NULL") == [(0,)]


def test_two_failed_parents_of_the_same_children_are_reopened_at_once(
    crowd: Crowd, database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings
) -> None:
    """Both get as far as the children before either is done: one was skipped for p, the other for q."""
    for slug, parents in {"p": [], "q": [], "c": ["p", "q"], "d": ["p", "q"]}.items():
        add_job(execute, slug, parents)
    made = ask(database, "p", "q", "d")
    first, second = sorted(claim(database, "worker", at_most=2), key=lambda claimed: claimed.slug)
    ended(RunStatus.FAILED, second)(database)
    ended(RunStatus.FAILED, first)(database)
    made |= ask(database, "c", cycle_id="later", waits_outside=True)
    assert [run_row(execute, made[slug].run_id)["because_run_id"] for slug in "cd"] == [first.run_id, second.run_id]

    with closing(connect(orchestrator_settings, cursors=None)) as holding, ThreadPoolExecutor(1) as pool:
        with holding.cursor() as cursor:
            cursor.execute(
                "SELECT FROM orchestrator.dw_etl_runs WHERE run_id = ANY (%s) FOR UPDATE",
                ([made["c"].run_id, made["d"].run_id],),
            )
        both = [lambda own, run=each.run_id: retry_from_failure(own, run) for each in (first, second)]
        reopened = pool.submit(crowd.together, *both)
        end = time.monotonic() + 60
        while execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") != [(2,)]:
            assert time.monotonic() < end
            time.sleep(0.02)
        holding.commit()
        assert [run_ids[0] for run_ids in reopened.result(timeout=60)] == [first.run_id, second.run_id]
    assert statuses(execute) == dict.fromkeys("pqcd", "queued")


def quietly(database: OrchestratorDatabase, claimed: Claim) -> None:
    """It may have ended before."""
    if is_any_left(database):
        try:
            request_cancel(database, claimed.run_id, "ann", "too late")
        except Exception as error:  # noqa: BLE001
            assert "has ended cannot be cancelled" in str(error)

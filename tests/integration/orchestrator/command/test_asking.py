"""What is asked of a whole cycle, while some of its runs change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.command.asking import cancel_runs, retry_runs
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.claims import claim
from etl.postgresql.connection import connect
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import CYCLE, add_job, ask, claim_one, fail, statuses

PATIENCE_SECONDS = 60
Asked = TypeVar("Asked")


def asked_meanwhile(
    settings: PostgreSQLSettings, execute: Execute, change: str, values: Sequence[Any], asking: Callable[[], Asked]
) -> Asked:
    """Somebody has changed a run, and commits when who asks waits for its row."""
    with ThreadPoolExecutor(1) as thread, closing(connect(settings, cursors=None)) as other:
        with other.cursor() as cursor:
            cursor.execute("SET LOCAL search_path = orchestrator")
            cursor.execute(change, values)
        asked = thread.submit(asking)
        until = time.monotonic() + PATIENCE_SECONDS
        while not execute("SELECT 1 FROM pg_locks WHERE NOT granted") and not asked.done():
            assert time.monotonic() < until
            time.sleep(0.02)
        other.commit()
        return asked.result()


def test_a_run_that_ends_by_itself_keeps_no_other_of_its_cycle_from_being_cancelled(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings
) -> None:
    add_job(execute, "ends", priority=1)
    add_job(execute, "goes_on")
    made = ask(database, "goes_on", "ends")
    ends, _ = claim(database, "worker", at_most=2)
    assert ends.slug == "ends"
    finish = "SELECT dw_etl_finish(%s, 'success', NULL, NULL, NULL)"
    cancelled = asked_meanwhile(
        orchestrator_settings, execute, finish, [ends.fencing_token], lambda: cancel_runs(database, CYCLE, "no need")
    )
    assert [each.run_id for each in cancelled] == [made["goes_on"].run_id]
    assert statuses(execute)["ends"] == "success"


def test_a_failure_that_another_goes_on_from_keeps_no_other_of_its_cycle_from_it(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings
) -> None:
    for slug in ("a", "b"):
        add_job(execute, slug)
    made = ask(database, "a", "b")
    for _ in made:
        fail(database, claim_one(database))
    reopen = "SELECT dw_etl_reopen(%s, 'somebody else')"
    opened = asked_meanwhile(
        orchestrator_settings,
        execute,
        reopen,
        [made["a"].run_id],
        lambda: retry_runs(database, CYCLE, from_failure=True),
    )
    assert [run["run_id"] for run in opened] == [made["b"].run_id]
    assert set(statuses(execute).values()) == {"queued"}

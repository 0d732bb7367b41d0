from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from structlog.testing import capture_logs

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule import ticks
from etl.orchestrator.schedule.scheduler import Scheduler, run_scheduler
from etl.orchestrator.schedule.steps import Step
from tests.databases import Execute, statements_of
from tests.integration.orchestrator.queue.queued import add_job, ask, claim_one, statuses
from tests.integration.orchestrator.schedule.scheduled import add_scheduled
from tests.patience import PATIENCE_SECONDS, until


@contextmanager
def running(settings: PostgreSQLSettings, *steps: Step, schedulers: int = 1) -> Iterator[None]:
    """So many, each with connections of its own; ended in order at the end of the block."""
    stop = threading.Event()
    with ExitStack() as stack:
        databases = [stack.enter_context(closing(OrchestratorDatabase(settings))) for _ in range(schedulers)]
        threads = [
            threading.Thread(target=run_scheduler, args=(database,), kwargs={"steps": steps, "stop": stop})
            for database in databases
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for thread in threads)


def test_of_three_schedulers_each_tick_has_one_run(
    database: OrchestratorDatabase,
    execute: Execute,
    orchestrator_settings: PostgreSQLSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ticks, "RUNS_AT_ONCE", 5)
    for number in range(8):
        add_scheduled(execute, f"job_{number}", "* * * * *", catch_up="all", catch_up_limit=100)
        add_job(execute, f"child_{number}", {f"job_{number}", "job_0"})
    execute("UPDATE dw_etl_schedules SET next_run_at = date_trunc('minute', clock_timestamp()) - interval '20 min'")
    with running(orchestrator_settings, schedulers=3):
        until(lambda: execute("SELECT min(next_run_at) > clock_timestamp() FROM dw_etl_schedules")[0][0])
        # and ticks that come while all three look
        execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp() + schedule_id * interval '0.1 s'")
        until(
            lambda: execute("SELECT min(next_run_at) > clock_timestamp() + interval '1 s' FROM dw_etl_schedules")[0][0]
        )
    ((doubled,),) = execute(
        "SELECT count(*) FROM (SELECT FROM dw_etl_runs GROUP BY job_id, scheduled_at HAVING count(*) > 1) AS twice"
    )
    assert doubled == 0
    ((fewest, most),) = execute(
        "SELECT min(runs), max(runs) FROM (SELECT count(*) AS runs FROM dw_etl_runs AS run JOIN dw_etl_jobs AS job"
        " USING (job_id) WHERE slug LIKE 'job_%%' AND run.scheduled_at = date_trunc('minute', run.scheduled_at)"
        " GROUP BY job_id) AS counted",
        (),
    )
    assert 21 <= fewest == most <= 23  # a minute may have turned meanwhile
    lacking = execute(
        "SELECT slug FROM dw_etl_jobs AS job WHERE (SELECT count(*) FROM dw_etl_runs AS run"
        " WHERE run.job_id = job.job_id AND scheduled_at <> date_trunc('minute', scheduled_at)) = 0"
    )
    assert not lacking
    assert {status for _, status in statuses(execute).items()} == {"queued"}


def test_a_tick_is_made_when_it_is_due(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings
) -> None:
    add_scheduled(execute, "job", "0 0 1 1 *")
    with running(orchestrator_settings):
        until(lambda: execute("SELECT count(*) FROM dw_etl_processes")[0][0])
        execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp() + interval '0.7 s'")
        until(lambda: statuses(execute))
    ((is_early,),) = execute("SELECT created_at < scheduled_at FROM dw_etl_runs")
    assert not is_early


def test_a_scheduler_says_that_it_lives_and_that_it_ended(
    database: OrchestratorDatabase, execute: Execute, orchestrator_settings: PostgreSQLSettings
) -> None:
    with running(orchestrator_settings):
        until(lambda: execute("SELECT 1 FROM dw_etl_processes"))
        assert execute("SELECT kind, ended_at FROM dw_etl_processes") == [("scheduler", None)]
    assert execute("SELECT ended_at IS NOT NULL FROM dw_etl_processes") == [(True,)]


def test_the_dead_are_marked_and_forgotten(database: OrchestratorDatabase, execute: Execute) -> None:
    ages = {"alive": "10 s", "dead": "2 min", "old": "2 min"}
    for name, age in ages.items():
        execute(
            "INSERT INTO dw_etl_processes (worker_id, kind, host, process_id, heartbeat_at)"
            " VALUES (%s, 'worker', 'host', 1, clock_timestamp() - %s::interval)",
            (name, age),
        )
    execute("UPDATE dw_etl_processes SET ended_at = clock_timestamp() - interval '8 days' WHERE worker_id = 'old'")
    scheduler = Scheduler(database)
    scheduler.look()
    rows = dict(execute("SELECT worker_id, ended_at = heartbeat_at FROM dw_etl_processes"))
    assert rows == {"alive": None, "dead": True, scheduler.presence.worker_id: None}


def test_lost_runs_are_taken_away_and_impatient_ones_settled(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "lost")
    add_job(execute, "impatient", concurrency_key="held", when_held="skip")
    add_job(execute, "holder", concurrency_key="held")
    ask(database, "lost", "holder")
    for _ in range(2):
        claim_one(database)
    ask(database, "impatient", cycle_id="another")
    execute(
        "UPDATE dw_etl_job_locks SET expires_at = clock_timestamp() - interval '1 s' WHERE concurrency_key = 'lost'"
    )
    Scheduler(database).look()
    assert statuses(execute) == {"lost": "queued", "holder": "running", "impatient": "skipped"}


def test_an_error_of_one_step_stops_neither_the_others_nor_the_loop(database: OrchestratorDatabase) -> None:
    taken: list[str] = []

    def broken(_: OrchestratorDatabase) -> None:
        taken.append("broken")
        raise ValueError("a step of somebody else's")

    steps = [Step("broken", broken), Step("sound", lambda _: taken.append("sound"))]
    scheduler = Scheduler(database, steps)
    with capture_logs() as logs:
        looks = 5
        for _ in range(looks):
            assert 0 <= scheduler.look() <= 1
    assert taken.count("sound") == looks
    assert 1 <= taken.count("broken") <= looks
    told = [line for line in logs if line.get("step") == "broken" and line["event"] == "scheduler's step failed"]
    assert len(told) == taken.count("broken")


def test_a_seldom_step_is_not_done_at_each_look(database: OrchestratorDatabase) -> None:
    taken: list[str] = []
    scheduler = Scheduler(database, [Step("seldom", lambda _: taken.append("seldom"), every_seconds=3600)])
    scheduler.look()
    scheduler.look()
    assert taken == ["seldom"]


@pytest.mark.slow
def test_a_server_that_goes_and_comes_is_waited_for(
    database: OrchestratorDatabase,
    execute: Execute,
    orchestrator_settings: PostgreSQLSettings,
) -> None:
    name = orchestrator_settings.database
    add_scheduled(execute, "job", "0 0 1 1 *")
    looks: list[int] = []
    elsewhere = orchestrator_settings.model_copy(update={"database": "postgres"})
    look = Step("look", lambda _: looks.append(1))
    with statements_of(elsewhere) as alter, running(orchestrator_settings, look), capture_logs() as logs:
        until(lambda: looks)
        alter(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            until(lambda: [line for line in logs if line["event"] == "scheduler's step failed"])
            execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp()")
        finally:
            alter(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        until(lambda: statuses(execute) == {"job": "queued"})
        before = len(looks)
        until(lambda: len(looks) > before)

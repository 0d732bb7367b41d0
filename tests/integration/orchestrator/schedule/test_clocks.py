from __future__ import annotations

from datetime import timedelta

import pytest

from etl.errors import UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule.clocks import ScheduleSpec, pause, replace_schedule, restart_clock, resume
from etl.orchestrator.schedule.ticks import tick
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job
from tests.integration.orchestrator.schedule.scheduled import NOW, add_scheduled, at, next_run_at, told

HOURLY = ScheduleSpec("0 * * * *")


def replace(database: OrchestratorDatabase, execute: Execute, slug: str, spec: ScheduleSpec | None) -> bool:
    ((job_id,),) = execute("SELECT job_id FROM dw_etl_jobs WHERE slug = %s", (slug,))
    with database.transaction("seed") as cursor:
        return replace_schedule(cursor, job_id, spec)


def is_within_the_next_hour(execute: Execute, slug: str) -> bool:
    ((is_so,),) = execute(
        "SELECT next_run_at > clock_timestamp() AND next_run_at <= clock_timestamp() + interval '1 h'"
        " FROM dw_etl_schedules JOIN dw_etl_jobs USING (job_id) WHERE slug = %s AND is_active = true",
        (slug,),
    )
    return bool(is_so)


def test_a_paused_schedule_does_not_tick_and_is_resumed_from_now(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "hourly", "0 * * * *", next_run_at=at("08:00"), catch_up="all")
    add_scheduled(execute, "parent", "0 * * * *", next_run_at=at("12:00"))
    execute("INSERT INTO dw_etl_job_dependencies SELECT 2, 1")
    assert pause(database, "hourly", "tester")
    assert not pause(database, "hourly", "somebody else")
    tick(database, now=NOW)
    assert told(execute) == [("parent", "12:00", "queued")]  # it has a schedule, and does not follow its parent
    ((paused_by, following),) = execute(
        "SELECT paused_by, next_run_at FROM dw_etl_schedules WHERE paused_at IS NOT NULL"
    )
    assert (paused_by, following) == ("tester", None)
    assert resume(database, "hourly")
    assert not resume(database, "hourly")
    assert is_within_the_next_hour(execute, "hourly")
    assert execute("SELECT count(*) FROM dw_etl_schedules WHERE paused_at IS NULL AND paused_by IS NULL") == [(2,)]
    tick(database)
    assert {slug for slug, _, _ in told(execute)} == {"parent"}


def test_jobs_without_a_schedule_are_told(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "alone")
    with pytest.raises(UsageError, match="a schedule of its own, found 'alone'"):
        pause(database, "alone", "tester")
    with pytest.raises(UsageError, match="no job 'alnoe'; did you mean 'alone'"):
        resume(database, "alnoe")


def test_a_changed_schedule_starts_from_the_change(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "0 3 * * *", next_run_at=at("03:00"), catch_up="all")
    assert replace(database, execute, "job", HOURLY)
    assert tick(database).made == 0
    assert told(execute) == []
    assert is_within_the_next_hour(execute, "job")
    assert execute("SELECT cron, is_active, next_run_at IS NULL FROM dw_etl_schedules ORDER BY schedule_id") == [
        ("0 3 * * *", False, True),
        ("0 * * * *", True, False),
    ]


def test_an_unchanged_schedule_stays_as_it_is(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "job")
    assert replace(database, execute, "job", HOURLY)
    execute("UPDATE dw_etl_schedules SET next_run_at = %s", (at("08:00"),))
    assert not replace(database, execute, "job", ScheduleSpec("0  * * * *", "UTC", "last", 10, 300))
    assert next_run_at(execute, "job") == at("08:00")
    assert execute("SELECT count(*) FROM dw_etl_schedules") == [(1,)]


@pytest.mark.parametrize(
    "spec",
    [
        ScheduleSpec("0 * * * *", "Europe/Berlin"),
        ScheduleSpec("0 * * * *", catch_up="all"),
        ScheduleSpec("0 * * * *", catch_up_limit=3),
        ScheduleSpec("0 * * * *", grace_seconds=60),
    ],
)
def test_any_difference_is_a_change(database: OrchestratorDatabase, execute: Execute, spec: ScheduleSpec) -> None:
    add_job(execute, "job")
    replace(database, execute, "job", HOURLY)
    assert replace(database, execute, "job", spec)
    assert not replace(database, execute, "job", spec)


def test_a_schedule_that_was_paused_stays_paused(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "job")
    replace(database, execute, "job", HOURLY)
    pause(database, "job", "tester")
    assert replace(database, execute, "job", ScheduleSpec("30 * * * *"))
    rows = execute("SELECT cron, paused_by, next_run_at FROM dw_etl_schedules WHERE is_active = true")
    assert rows == [("30 * * * *", "tester", None)]


def test_a_schedule_may_go(database: OrchestratorDatabase, execute: Execute) -> None:
    add_job(execute, "job")
    assert not replace(database, execute, "job", None)
    replace(database, execute, "job", HOURLY)
    assert replace(database, execute, "job", None)
    assert execute("SELECT is_active FROM dw_etl_schedules") == [(False,)]


def test_the_clock_of_an_enabled_job_starts_anew(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "0 * * * *", next_run_at=NOW - timedelta(days=9), catch_up="all")
    with database.transaction("enable") as cursor:
        restart_clock(cursor, "job")
    assert is_within_the_next_hour(execute, "job")


def test_this_machines_clock_makes_no_difference(
    database: OrchestratorDatabase, execute: Execute, wrong_by_an_hour: None
) -> None:
    add_job(execute, "job")
    replace(database, execute, "job", HOURLY)
    assert is_within_the_next_hour(execute, "job")
    pause(database, "job", "tester")
    resume(database, "job")
    assert is_within_the_next_hour(execute, "job")

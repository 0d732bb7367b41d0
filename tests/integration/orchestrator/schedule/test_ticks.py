from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from etl.errors import ConnectionLostError
from etl.orchestrator.database import database as database_module
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.schedule import ticks
from etl.orchestrator.schedule.ticks import BUSY_SECONDS, tick
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job, claim_one, events, fail, succeed
from tests.integration.orchestrator.schedule.scheduled import NOW, add_scheduled, at, next_run_at, told


def test_what_is_due_together_is_one_cycle_with_those_that_follow(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "bronze", "0 2 * * *", next_run_at=at("02:00"), grace_seconds=86_400)
    add_scheduled(execute, "other", "0 */2 * * *", next_run_at=at("02:00"), grace_seconds=86_400)
    add_scheduled(execute, "later", "0 3 * * *", ["bronze"], next_run_at=at("03:00"), grace_seconds=86_400)
    add_job(execute, "silver", ["bronze", "other"])
    add_job(execute, "gold", ["silver"])
    add_job(execute, "alone")
    report = tick(database, now=at("02:00"))
    assert (report.made, report.skipped) == (4, 0)
    rows = execute(
        "SELECT slug, cycle_id, trigger, correlation_id, interval_from, interval_until, ready_at IS NOT NULL,"
        " schedule_id IS NOT NULL FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) ORDER BY slug"
    )
    cycle, day = "2026-11-26T02:00:00Z", timedelta(days=1)
    two = at("02:00")
    assert rows == [
        ("bronze", cycle, "schedule", f"bronze@{cycle}", two - day, two, True, True),
        ("gold", cycle, "schedule", f"gold@{cycle}", two - day, two, False, False),
        ("other", cycle, "schedule", f"other@{cycle}", two - day / 12, two, True, True),
        ("silver", cycle, "schedule", f"silver@{cycle}", two - day, two, False, False),
    ]
    assert next_run_at(execute, "bronze") == two + day
    assert next_run_at(execute, "other") == at("04:00")
    assert next_run_at(execute, "later") == at("03:00")


def test_the_same_instant_again_makes_nothing(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "bronze", "0 2 * * *", next_run_at=at("02:00"), grace_seconds=86_400)
    assert tick(database, now=at("02:00")).made == 1
    execute("UPDATE dw_etl_schedules SET next_run_at = %s", (at("02:00"),))
    assert tick(database, now=at("02:00")).made == 0
    assert told(execute) == [("bronze", "02:00", "queued")]


@pytest.mark.parametrize(
    ("catch_up", "limit", "expected"),
    [
        ("skip", 10, ["skipped", "skipped", "skipped", "queued"]),
        ("last", 10, ["skipped", "skipped", "queued", "queued"]),
        ("all", 10, ["queued", "queued", "queued", "queued"]),
        ("all", 2, ["skipped", "queued", "queued", "queued"]),
    ],
)
def test_missed_ticks(
    database: OrchestratorDatabase, execute: Execute, catch_up: str, limit: int, expected: list[str]
) -> None:
    add_scheduled(execute, "hourly", "0 * * * *", next_run_at=at("09:00"), catch_up=catch_up, catch_up_limit=limit)
    add_job(execute, "follower", ["hourly"])
    tick(database, now=NOW)
    hourly = [status for slug, _, status in told(execute) if slug == "hourly"]
    assert hourly == expected
    followed = [time for slug, time, _ in told(execute) if slug == "follower"]
    assert followed == [time for slug, time, status in told(execute) if slug == "hourly" and status == "queued"]
    assert next_run_at(execute, "hourly") == at("13:00")
    for run_id, reason in execute("SELECT run_id, reason FROM dw_etl_runs WHERE status = 'skipped'"):
        assert reason.startswith("missed: no scheduler saw to it within 300 s; catch_up is ")
        assert events(execute, run_id) == ["requested", "skipped"]


def test_a_backlog_is_made_a_piece_at_a_time(
    database: OrchestratorDatabase, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "RUNS_AT_ONCE", 7)
    for slug in ("one", "two"):
        add_scheduled(execute, slug, "*/30 * * * *", next_run_at=at("06:00"))
    reports = [tick(database, now=NOW) for _ in range(5)]
    assert [report.made + report.skipped for report in reports] == [8, 8, 8, 2, 0]
    assert [report.made for report in reports] == [0, 0, 2, 2, 0]
    assert len(told(execute)) == 2 * 13


def test_a_parent_outside_the_cycle_decides(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "nightly", "0 2 * * *", next_run_at=at("02:00"), grace_seconds=86_400)
    add_scheduled(execute, "hourly", "0 * * * *", ["nightly"], next_run_at=at("01:00"), grace_seconds=86_400)
    for now in (at("01:00"), at("02:00"), at("03:00")):
        tick(database, now=now)
    assert told(execute) == [
        ("hourly", "01:00", "skipped"),  # its parent has never run
        ("hourly", "02:00", "queued"),
        ("nightly", "02:00", "queued"),
        ("hourly", "03:00", "queued"),
    ]
    (nightly,) = execute(
        "SELECT array_agg(DISTINCT parent_run_id) FROM dw_etl_run_dependencies"
        " WHERE run_id IN (SELECT run_id FROM dw_etl_runs WHERE status = 'queued')"
    )
    claimed = claim_one(database)
    assert (claimed.slug, [claimed.run_id]) == ("nightly", nightly[0])
    succeed(database, claimed)
    tick(database, now=at("04:00"))
    ready = execute("SELECT scheduled_at FROM dw_etl_runs WHERE status = 'queued' AND ready_at IS NOT NULL ORDER BY 1")
    assert [instant for (instant,) in ready] == [at("02:00"), at("03:00"), at("04:00")]


def test_a_failed_parent_outside_the_cycle_skips(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "nightly", "0 2 * * *", next_run_at=at("02:00"), grace_seconds=86_400)
    add_scheduled(execute, "hourly", "0 * * * *", ["nightly"], next_run_at=at("03:00"), grace_seconds=86_400)
    tick(database, now=at("02:00"))
    claimed = claim_one(database)
    fail(database, claimed)
    tick(database, now=at("03:00"))
    assert told(execute)[-1] == ("hourly", "03:00", "skipped")
    ((because,),) = execute("SELECT because_run_id FROM dw_etl_runs WHERE status = 'skipped'")
    assert because == claimed.run_id


def test_disabled_jobs_make_no_ticks_and_no_flood(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "root", "0 * * * *", next_run_at=at("08:00"), catch_up="all")
    add_scheduled(execute, "off", "0 * * * *", next_run_at=at("08:00"), catch_up="all")
    execute("UPDATE dw_etl_jobs SET is_enabled = false WHERE slug = 'off'")
    tick(database, now=NOW)
    assert {slug for slug, _, _ in told(execute)} == {"root"}
    execute("UPDATE dw_etl_jobs SET is_enabled = true WHERE slug = 'off'")
    tick(database, now=NOW)
    assert next_run_at(execute, "off") == at("13:00")
    assert {slug for slug, _, _ in told(execute)} == {"root"}


def test_a_disabled_job_between_is_skipped_with_what_depends_on_it(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "bronze", "0 12 * * *", next_run_at=at("12:00"))
    add_job(execute, "silver", ["bronze"], is_enabled=False)
    add_job(execute, "gold", ["silver"])
    add_job(execute, "sibling", ["bronze"])
    tick(database, now=NOW)
    assert told(execute) == [
        ("bronze", "12:00", "queued"),
        ("gold", "12:00", "skipped"),
        ("sibling", "12:00", "queued"),
        ("silver", "12:00", "skipped"),
    ]


def test_the_autumn_night_has_one_tick(database: OrchestratorDatabase, execute: Execute) -> None:
    begin = datetime(2026, 10, 31, 5, 30, tzinfo=UTC)
    add_scheduled(execute, "nightly", "30 1 * * *", time_zone="America/New_York", next_run_at=begin, grace_seconds=600)
    for hours in range(74):
        tick(database, now=begin + timedelta(hours=hours))
    rows = execute("SELECT cycle_id FROM dw_etl_runs WHERE status = 'queued' ORDER BY scheduled_at")
    assert [cycle_id for (cycle_id,) in rows] == [
        "2026-10-31T05:30:00Z",
        "2026-11-01T05:30:00Z",
        "2026-11-02T06:30:00Z",
        "2026-11-03T06:30:00Z",
    ]
    assert len(told(execute)) == 4


def test_the_database_says_what_time_it_is(
    database: OrchestratorDatabase, execute: Execute, wrong_by_an_hour: None
) -> None:
    ((until_next,),) = execute("SELECT extract(epoch FROM date_trunc('minute', now()) + interval '1 min' - now())")
    if until_next < 5:  # the minute must not turn between here and the tick
        threading.Event().wait(float(until_next))
    add_scheduled(execute, "minutely", "* * * * *", next_run_at=None)
    execute("UPDATE dw_etl_schedules SET next_run_at = date_trunc('minute', clock_timestamp())")
    report = tick(database)
    ((late, ahead),) = execute(
        "SELECT clock_timestamp() - scheduled_at, next_run_at - scheduled_at FROM dw_etl_runs, dw_etl_schedules"
    )
    assert report.made == 1
    assert timedelta() < late < timedelta(minutes=1)
    assert ahead == timedelta(minutes=1)
    assert report.seconds_until_next is not None and 0 < report.seconds_until_next <= 60
    assert tick(database).made == 0


def test_nothing_due_or_nothing_there(database: OrchestratorDatabase, execute: Execute) -> None:
    assert tick(database) == ticks.TickReport(seconds_until_next=None)
    add_scheduled(execute, "hourly", "0 * * * *")
    execute("UPDATE dw_etl_schedules SET next_run_at = clock_timestamp() + interval '10 s'")
    seconds = tick(database).seconds_until_next
    assert seconds is not None and 5 < seconds <= 10


def test_only_one_scheduler_at_a_time(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "hourly", "0 * * * *", next_run_at=at("12:00"), grace_seconds=1e300)
    with database.transaction("another scheduler") as cursor:
        cursor.execute(statement("lock_ticks"))
        assert tick(database, now=NOW) == ticks.TickReport(seconds_until_next=BUSY_SECONDS)
    assert tick(database, now=NOW).made == 1


def test_a_scheduler_that_is_stopped_in_between_holds_up_the_others_for_a_while_only(
    database: OrchestratorDatabase, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE_TIMEOUT_SECONDS", 0.3)
    add_scheduled(execute, "hourly", "0 * * * *", next_run_at=at("12:00"))
    with pytest.raises(ConnectionLostError), database.transaction("a stopped scheduler") as cursor:
        cursor.execute(statement("lock_ticks"))
        while not tick(database, now=NOW).made:
            time.sleep(0.05)
        cursor.execute(statement("database_time"))
    assert told(execute) == [("hourly", "12:00", "queued")]


def test_a_job_whose_run_cannot_be_made_holds_up_no_other(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "a_bronze", "0 * * * *", next_run_at=at("12:00"))
    add_scheduled(execute, "inexact", "0 * * * *", next_run_at=at("12:00"))
    add_job(execute, "a_child")
    add_job(execute, "z_parent", ["a_bronze", "inexact"])
    execute("INSERT INTO dw_etl_job_dependencies SELECT 4, 3")
    execute("""UPDATE dw_etl_jobs SET parameters = '{"number": 9007199254740993}' WHERE slug = 'inexact'""")
    with capture_logs() as logs:
        assert tick(database, now=NOW).skipped == 2
    (line,) = [line for line in logs if line["event"] == "run cannot be made"]
    assert line["job"] == "inexact" and "number" in line["error"]
    assert told(execute) == [
        ("a_bronze", "12:00", "queued"),
        ("a_child", "12:00", "skipped"),
        ("z_parent", "12:00", "skipped"),  # its parent has never run
    ]
    assert next_run_at(execute, "inexact") == at("13:00")


def test_a_schedule_that_is_none_is_paused_and_holds_up_no_other(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "broken", "0 0 31 2 *", next_run_at=at("12:00"))
    add_scheduled(execute, "hourly", "0 * * * *", next_run_at=at("12:00"))
    tick(database, now=NOW)
    assert told(execute) == [("hourly", "12:00", "queued")]
    ((paused_by,),) = execute("SELECT paused_by FROM dw_etl_schedules WHERE paused_at IS NOT NULL")
    assert paused_by.startswith("scheduler: ") and "0 0 31 2 *" in paused_by

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule import backfill as backfill_module
from etl.orchestrator.schedule.backfill import Backfilled, Reprocess, Request, backfill, instant_of
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job, claim_one, fail, succeed
from tests.integration.orchestrator.schedule.scheduled import add_scheduled

TWO_DAYS = ("2026-11-01", "2026-11-03")


def make(
    database: OrchestratorDatabase,
    *slugs: str,
    begin: str = TWO_DAYS[0],
    end: str | None = TWO_DAYS[1],
    reprocess: Reprocess = Reprocess.MISSING,
    downstream: bool = False,
    dry_run: bool = False,
) -> list[Backfilled]:
    return backfill(database, Request(slugs, begin, end, reprocess, downstream), "tester", dry_run=dry_run)


def ticks(cycles: list[Backfilled]) -> list[str]:
    return [f"{cycle.tick:%d %H:%M}" for cycle in cycles]


def test_a_cycle_a_tick_from_with_and_to_without(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "0 */12 * * *")
    cycles = make(database, "job")
    assert ticks(cycles) == ["01 00:00", "01 12:00", "02 00:00", "02 12:00"]
    rows = execute(
        "SELECT cycle_id, trigger, scheduled_at, interval_until - interval_from, requested_by, ready_at IS NOT NULL"
        " FROM dw_etl_runs ORDER BY run_id LIMIT 1"
    )
    assert rows == [
        (
            cycles[0].cycle_id,
            "backfill",
            datetime(2026, 11, 1, tzinfo=UTC),
            timedelta(hours=12),
            "tester",
            True,
        )
    ]
    assert cycles[0].cycle_id.startswith("backfill-")
    assert cycles[0].cycle_id.endswith("-2026-11-01T00:00:00Z")


def test_the_same_one_again_makes_nothing(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "0 2 * * *")
    assert len(make(database, "job")) == 2
    assert make(database, "job") == []
    succeed(database, claim_one(database))
    assert make(database, "job") == []
    fail(database, claim_one(database))
    assert ticks(make(database, "job")) == ["02 02:00"]


def test_failed_are_those_whose_latest_run_is_over_without_success(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "job", "0 */8 * * *")
    make(database, "job", end="2026-11-02")
    fail(database, claim_one(database))
    succeed(database, claim_one(database))
    assert ticks(make(database, "job", reprocess=Reprocess.FAILED)) == ["01 00:00"]
    assert make(database, "job", reprocess=Reprocess.FAILED) == []  # the latest is still to end
    assert len(make(database, "job", reprocess=Reprocess.ALL)) == 6


def test_a_dry_run_makes_nothing(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "0 2 * * *")
    add_job(execute, "child", ["job"])
    cycles = make(database, "job", downstream=True, dry_run=True)
    assert [(sorted(cycle.slugs), cycle.runs) for cycle in cycles] == [(["child", "job"], ())] * 2
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(0,)]


def test_what_depends_on_it_goes_along_and_waits_within_the_cycle(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "job", "0 2 * * *")
    add_scheduled(execute, "other", "0 3 * * *")
    add_job(execute, "child", ["job", "other"])
    add_scheduled(execute, "grandchild", "0 5 * * *", ["child"])
    (cycle,) = make(database, "job", end="2026-11-02", downstream=True)
    assert sorted(cycle.slugs) == ["child", "grandchild", "job"]
    succeed(database, claim_one(database))
    assert claim_one(database).slug == "child"


def test_a_job_without_a_schedule_goes_by_its_nearest_ancestors(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_scheduled(execute, "far", "0 1 * * *")
    add_scheduled(execute, "near", "0 2 * * *", ["far"])
    add_job(execute, "between", ["near", "far"])
    add_job(execute, "job", ["between"])
    assert ticks(make(database, "job", end="2026-11-02", dry_run=True)) == ["01 01:00"]  # far is before near by name
    execute("DELETE FROM dw_etl_job_dependencies WHERE parent_job_id = 1 AND child_job_id = 3")
    assert ticks(make(database, "job", end="2026-11-02", dry_run=True)) == ["01 02:00"]


def test_several_jobs_share_the_cycles_of_their_ticks(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "daily", "0 12 * * *")
    add_scheduled(execute, "twice", "0 */12 * * *")
    cycles = make(database, "daily", "twice", "twice", end="2026-11-02")
    assert [(f"{cycle.tick:%H}", cycle.slugs) for cycle in cycles] == [("00", ("twice",)), ("12", ("daily", "twice"))]


def test_times_without_a_zone_are_the_schedules(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "0 0 * * *", time_zone="Europe/Berlin")
    cycles = make(database, "job", begin="2026-10-25", end="2026-10-27T00:00")
    assert ticks(cycles) == ["24 22:00", "25 23:00"]
    assert ticks(make(database, "job", begin="2026-10-27T00:00:00Z", end="2026-10-28T00:00:00+01:00")) == []


def test_ticks_to_come_are_none(database: OrchestratorDatabase, execute: Execute) -> None:
    add_scheduled(execute, "job", "* * * * *")
    ((now,),) = execute("SELECT clock_timestamp()")
    begin = (now - timedelta(minutes=3)).isoformat()
    for end in (None, (now + timedelta(days=9)).isoformat()):
        assert 3 <= len(make(database, "job", begin=begin, end=end, dry_run=True)) <= 4


def test_two_at_once_make_each_cycle_once(
    database: OrchestratorDatabase,
    execute: Execute,
    orchestrator_settings: PostgreSQLSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backfill_module, "CYCLES_AT_ONCE", 3)
    add_scheduled(execute, "job", "0 * * * *")
    made: list[list[Backfilled]] = []

    def at_once() -> None:
        with closing(OrchestratorDatabase(orchestrator_settings)) as own:
            made.append(make(own, "job"))

    threads = [threading.Thread(target=at_once) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(len, made)) == 48
    assert execute("SELECT count(*), count(DISTINCT scheduled_at) FROM dw_etl_runs") == [(48, 48)]


@pytest.mark.parametrize(
    ("slug", "begin", "end", "told"),
    [
        ("alone", "2026-11-01", "2026-11-02", "found 'alone', whose ticks nobody knows"),
        ("jbo", "2026-11-01", "2026-11-02", "did you mean 'job'"),
        ("off", "2026-11-01", "2026-11-02", "found 'off', which is not"),
        ("job", "2026-11-02", "2026-11-02", "--from before --to"),
        ("job", "yesterday", "2026-11-02", "--from: expected a date or an instant"),
        ("job", "2026-11-01", "2026-13-02", "--to: "),
        ("minutely", "2026-01-01", "2026-11-01", "at most 10,000 ticks"),
    ],
)
def test_what_cannot_be_is_refused(
    database: OrchestratorDatabase, execute: Execute, slug: str, begin: str, end: str, told: str
) -> None:
    add_scheduled(execute, "job", "0 2 * * *")
    add_scheduled(execute, "off", "0 2 * * *")
    add_scheduled(execute, "minutely", "* * * * *")
    add_job(execute, "alone")
    execute("UPDATE dw_etl_jobs SET is_enabled = false WHERE slug = 'off'")
    with pytest.raises(UsageError, match=told):
        make(database, slug, begin=begin, end=end)
    assert execute("SELECT count(*) FROM dw_etl_runs") == [(0,)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-08", "2026-03-08T05:00:00+00:00"),
        ("2026-03-08T02:30", "2026-03-08T07:30:00+00:00"),  # which New York skipped
        ("2026-11-01 01:30:00", "2026-11-01T05:30:00+00:00"),  # which came twice: the first
        ("2026-11-01T01:30:00Z", "2026-11-01T01:30:00+00:00"),
        ("2026-11-01T01:30:00.5+0200", "2026-10-31T23:30:00.500000+00:00"),
    ],
)
def test_instants(text: str, expected: str) -> None:
    assert instant_of(text, "America/New_York").isoformat() == expected

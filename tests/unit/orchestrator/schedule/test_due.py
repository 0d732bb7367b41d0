from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etl.orchestrator.schedule import due
from etl.orchestrator.schedule.cron import Cron
from etl.orchestrator.schedule.due import MOST_COUNTED, MOST_TOLD, Schedule, Tick
from etl.orchestrator.values import CatchUp

NOW = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def schedule(
    *,
    since: datetime,
    cron: str = "0 * * * *",
    catch_up: CatchUp = CatchUp.LAST,
    limit: int = 10,
    grace: timedelta = timedelta(minutes=5),
) -> Schedule:
    return Schedule(1, "job", Cron(cron), catch_up, limit, grace, since)


def due_ticks(of: Schedule, now: datetime) -> list[Tick]:
    return list(due.due_ticks(of, now))


def hours(ticks: list[Tick]) -> list[tuple[int, bool]]:
    """Which hours ticked, and whether they run."""
    return [(tick.at.hour, tick.skipped is None) for tick in ticks]


def test_a_tick_within_the_grace_time_is_on_time() -> None:
    of = schedule(since=NOW.replace(minute=0, second=0), catch_up=CatchUp.SKIP)
    assert hours(due_ticks(of, NOW)) == [(12, True)]
    assert hours(due_ticks(of, NOW.replace(minute=5, second=0))) == [(12, True)]
    assert hours(due_ticks(of, NOW.replace(minute=5, second=1))) == [(12, False)]
    assert due_ticks(of, NOW.replace(hour=11)) == []


def test_of_missed_ticks_run_as_many_as_the_policy_says() -> None:
    since = NOW.replace(hour=8, minute=0, second=0)
    on_time = [(12, True)]
    for catch_up, limit, expected in (
        (CatchUp.SKIP, 10, [(8, False), (9, False), (10, False), (11, False)]),
        (CatchUp.LAST, 10, [(8, False), (9, False), (10, False), (11, True)]),
        (CatchUp.ALL, 10, [(8, True), (9, True), (10, True), (11, True)]),
        (CatchUp.ALL, 3, [(8, False), (9, True), (10, True), (11, True)]),
    ):
        of = schedule(since=since, catch_up=catch_up, limit=limit)
        assert hours(due_ticks(of, NOW)) == expected + on_time, catch_up


def test_why_a_missed_tick_does_not_run_is_said() -> None:
    (first, *_) = due_ticks(schedule(since=NOW - 3 * HOUR), NOW)
    assert first.skipped is not None
    assert first.skipped.startswith("missed: no scheduler saw to it within 300 s; catch_up is last")


def test_an_interval_goes_from_the_tick_before() -> None:
    ticks = due_ticks(schedule(since=NOW.replace(hour=8, minute=0, second=0)), NOW)
    assert [(tick.interval_from.hour, tick.at.hour) for tick in ticks] == [(7, 8), (8, 9), (9, 10), (10, 11), (11, 12)]


def test_of_very_many_missed_ticks_the_oldest_are_told_in_one() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    ticks = due_ticks(schedule(since=since, cron="* * * * *", grace=timedelta(seconds=30)), NOW)
    minutes = (NOW.replace(second=0) - since) // timedelta(minutes=1)  # the last is on time
    first = ticks[0]
    assert len(ticks) == 1 + MOST_TOLD + 1
    assert first.skipped is not None
    assert f"stands for {minutes - MOST_TOLD:,} ticks from 2026-11-20T00:00:00Z to " in first.skipped
    assert first.interval_from == since - timedelta(minutes=1)
    assert ticks[1].at - first.at == timedelta(minutes=1)
    assert [tick.skipped is None for tick in ticks[-3:]] == [False, True, True]


def test_a_limit_above_what_is_told_is_kept() -> None:
    of = schedule(since=datetime(2026, 1, 1, tzinfo=UTC), catch_up=CatchUp.ALL, limit=1_200)
    assert sum(tick.skipped is None for tick in due_ticks(of, NOW)) == 1_201


def test_ticks_of_years_are_not_counted_one_by_one() -> None:
    ticks = due_ticks(schedule(since=datetime(2016, 1, 1, tzinfo=UTC), cron="* * * * *"), NOW)
    assert f"stands for more than {MOST_COUNTED:,} ticks from 2016-01-01T00:00:00Z" in str(ticks[0].skipped)


def test_what_somebody_set_by_hand_is_a_tick() -> None:
    by_hand = NOW - timedelta(seconds=7)
    ticks = due_ticks(schedule(since=by_hand), NOW)
    assert [(tick.at, tick.skipped) for tick in ticks] == [(by_hand, None)]
    assert ticks[0].interval_from == NOW.replace(minute=0, second=0)


@given(
    st.sampled_from(list(CatchUp)),
    st.integers(1, 5),
    st.integers(0, 30),
    st.integers(0, 600),
    st.sampled_from(["0 * * * *", "*/20 * * * *", "30 1 * * *"]),
)
def test_each_tick_is_told_once(catch_up: CatchUp, limit: int, hours_ago: int, grace: int, cron: str) -> None:
    since = Cron(cron).after(NOW - hours_ago * HOUR)
    assert since is not None
    ticks = due_ticks(
        schedule(since=since, cron=cron, catch_up=catch_up, limit=limit, grace=timedelta(minutes=grace)), NOW
    )
    assert [tick.at for tick in ticks] == list(Cron(cron).between(since, NOW + timedelta(microseconds=1)))
    assert all(tick.interval_from < tick.at for tick in ticks)
    assert all(earlier.at == later.interval_from for earlier, later in pairwise(ticks))
    missed = [tick for tick in ticks if NOW - tick.at > timedelta(minutes=grace)]
    limits = {CatchUp.SKIP: 0, CatchUp.LAST: 1, CatchUp.ALL: limit}
    assert sum(tick.skipped is None for tick in missed) == min(limits[catch_up], len(missed))
    assert all(tick.skipped is None for tick in ticks[len(missed) :])

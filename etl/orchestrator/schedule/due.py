"""Which ticks of a schedule have come, and which of them run. Nothing here knows a clock or a database.

A tick that is not older than the schedule's grace time is on time and runs. Of those that were missed run none
(`skip`), the latest (`last`) or the latest so many (`all`, at most `catch_up_limit`); each of the others is a `skipped`
run that says why. Of more than MOST_TOLD missed ticks the oldest have one such run together, which says how many they
were. What the database has as the next tick is one, also where somebody put it there by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, islice, takewhile

from etl.orchestrator.schedule.cron import Cron
from etl.orchestrator.values import CatchUp

MOST_TOLD = 1_000
"""Missed ticks of a schedule that have a run of their own each, give or take those of ten minutes; more where
`catch_up_limit` says more."""

MOST_COUNTED = 10_000
"""Of ticks older than these; beyond, it is said that there were more."""

_SHORTEST = timedelta(minutes=1)
"""Between two ticks."""


@dataclass(frozen=True)
class Schedule:
    """An active one, as the database has it."""

    schedule_id: int
    slug: str
    cron: Cron
    catch_up: CatchUp
    catch_up_limit: int
    grace: timedelta
    next_run_at: datetime


@dataclass(frozen=True)
class Tick:
    """`skipped` says why it does not run."""

    schedule: Schedule
    at: datetime
    interval_from: datetime
    skipped: str | None = None


def due_ticks(schedule: Schedule, now: datetime) -> Iterator[Tick]:
    """Ascending, each found when it is asked for: whoever has enough of them pays for no more."""
    cron, begin = schedule.cron, schedule.next_run_at
    on_time_from = max(begin, now - schedule.grace)
    runs_from = _runs_from(schedule, on_time_from)
    told_from = _told_from(schedule, on_time_from)
    interval_from = cron.interval(begin)[0]
    if told_from > begin:
        yield (untold := _untold(schedule, interval_from, told_from))
        begin, interval_from = told_from, untold.at
    for at in chain([begin], takewhile(lambda tick: tick <= now, cron.ticks(begin))) if begin <= now else ():
        yield Tick(schedule, at, interval_from, None if at >= runs_from else _why(schedule))
        interval_from = at


def _runs_from(schedule: Schedule, on_time_from: datetime) -> datetime:
    limits = {CatchUp.SKIP: 0, CatchUp.LAST: 1, CatchUp.ALL: schedule.catch_up_limit}
    limit = limits[schedule.catch_up]
    last = schedule.cron.before(on_time_from)
    if not limit or last is None or last < schedule.next_run_at:
        return schedule.next_run_at if limit else on_time_from
    return max(_first_of_latest(schedule.cron, limit, _just_after(last)), schedule.next_run_at)


def _told_from(schedule: Schedule, on_time_from: datetime) -> datetime:
    """The first missed tick that has a run of its own."""
    told = max(MOST_TOLD, schedule.catch_up_limit) if schedule.catch_up is CatchUp.ALL else MOST_TOLD
    if on_time_from - schedule.next_run_at <= told * _SHORTEST:
        return schedule.next_run_at
    lately = on_time_from.replace(minute=on_time_from.minute // 10 * 10, second=0, microsecond=0)
    return max(_first_of_latest(schedule.cron, told, lately), schedule.next_run_at)


@lru_cache(maxsize=512)
def _first_of_latest(cron: Cron, at_most: int, before: datetime) -> datetime:
    """A backlog is worked off in many looks, and schedules of many jobs are the same."""
    return cron.latest(before, at_most)[0]


def _just_after(instant: datetime) -> datetime:
    return instant + timedelta(microseconds=1)


def _why(schedule: Schedule) -> str:
    policies = {
        CatchUp.SKIP: "catch_up is skip, so that no missed tick runs",
        CatchUp.LAST: "catch_up is last, and a later tick was missed, too",
        CatchUp.ALL: f"catch_up is all, at most the latest {schedule.catch_up_limit:,} missed ticks",
    }
    return f"{_missed(schedule)}; {policies[schedule.catch_up]}"


def _missed(schedule: Schedule) -> str:
    return f"missed: no scheduler saw to it within {schedule.grace.total_seconds():g} s"


def _untold(schedule: Schedule, interval_from: datetime, told_from: datetime) -> Tick:
    """One for all that are older than those that have a run each."""
    begin = schedule.next_run_at
    last = max(schedule.cron.before(told_from) or begin, begin)
    count = 1 + sum(1 for _ in islice(takewhile(lambda tick: tick <= last, schedule.cron.ticks(begin)), MOST_COUNTED))
    how_many = f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
    stands_for = f"stands for {how_many} ticks from {begin:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}"
    return Tick(schedule, last, interval_from, f"{_missed(schedule)}; {stands_for}: only later ones have runs")

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
from itertools import islice, pairwise

from etl.orchestrator.schedule.cron import Cron
from etl.orchestrator.values import CatchUp

MOST_TOLD = 1_000
"""Missed ticks of a schedule that have a run of their own each; more where `catch_up_limit` says more."""

MOST_COUNTED = 10_000
"""Of ticks older than these; beyond, it is said that there were more."""

ON_TIME_AT_ONCE = 500
"""However long the grace time is: the rest is seen to at the next look."""


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


def due_ticks(schedule: Schedule, now: datetime) -> list[Tick]:
    """Ascending; the oldest if they are very many: what is left out is due at the next look."""
    on_time_from = max(schedule.next_run_at, now - schedule.grace)
    missed = schedule.cron.latest(on_time_from, _told(schedule), schedule.next_run_at)
    on_time = list(islice(schedule.cron.between(on_time_from, _just_after(now)), ON_TIME_AT_ONCE))
    if _is_by_hand(schedule) and len(missed) < _told(schedule):
        (missed if schedule.next_run_at < now - schedule.grace else on_time).insert(0, schedule.next_run_at)
    if not (ticks := missed + on_time):
        return []
    running = {*_caught_up(schedule, missed), *on_time}
    begins = [schedule.cron.interval(ticks[0])[0], *ticks]
    why = _why(schedule)
    single = [Tick(schedule, at, begin, None if at in running else why) for begin, at in pairwise(begins)]
    return [*_untold(schedule, missed), *single]


def _told(schedule: Schedule) -> int:
    return max(MOST_TOLD, schedule.catch_up_limit) if schedule.catch_up is CatchUp.ALL else MOST_TOLD


def _is_by_hand(schedule: Schedule) -> bool:
    at = schedule.next_run_at
    return not any(schedule.cron.between(at, _just_after(at)))


def _just_after(now: datetime) -> datetime:
    return now + timedelta(microseconds=1)


def _caught_up(schedule: Schedule, missed: list[datetime]) -> list[datetime]:
    limits = {CatchUp.SKIP: 0, CatchUp.LAST: 1, CatchUp.ALL: schedule.catch_up_limit}
    return missed[max(len(missed) - limits[schedule.catch_up], 0) :]


def _why(schedule: Schedule) -> str:
    policies = {
        CatchUp.SKIP: "catch_up is skip, so that no missed tick runs",
        CatchUp.LAST: "catch_up is last, and a later tick was missed, too",
        CatchUp.ALL: f"catch_up is all, at most the latest {schedule.catch_up_limit:,} missed ticks",
    }
    return f"{_missed(schedule)}; {policies[schedule.catch_up]}"


def _missed(schedule: Schedule) -> str:
    return f"missed: no scheduler saw to it within {schedule.grace.total_seconds():g} s"


def _untold(schedule: Schedule, missed: list[datetime]) -> Iterator[Tick]:
    """One for all that are older than the missed ones that have a run each."""
    if not missed or missed[0] <= schedule.next_run_at:
        return
    older = schedule.cron.between(schedule.next_run_at, missed[0])
    count = sum(1 for _ in islice(older, MOST_COUNTED + 1))
    last = schedule.cron.before(missed[0])
    if not count or last is None:
        return
    begin, _ = schedule.cron.interval(schedule.next_run_at)
    how_many = f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
    stands_for = (
        f"stands for {how_many} ticks from {schedule.next_run_at:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}"
    )
    yield Tick(schedule, last, begin, f"{_missed(schedule)}; {stands_for}, beyond the latest {len(missed):,}")

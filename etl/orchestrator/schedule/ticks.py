"""Makes the runs of the ticks that have come.

All that is due at one instant is one cycle, made in one transaction that only one scheduler has at a time, instants in
ascending order; each schedule's next tick is written in the same transaction. What time it is, the database says. A
transaction that has made RUNS_AT_ONCE runs ends with its instant, and the next look goes on where it ended, so that a
backlog of thousands holds up nobody for long: each missed tick has its row in the end (see due.py for what runs).

A job that is disabled makes no ticks; one that would follow another into its cycle is skipped there, and so are those
that depend on it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import structlog
from psycopg2.extras import RealDictCursor

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.schedule.cron import Cron
from etl.orchestrator.schedule.due import Schedule, Tick, due_ticks
from etl.orchestrator.schedule.making import make_cycle
from etl.orchestrator.schedule.members import read_members
from etl.orchestrator.values import CatchUp, RunStatus

RUNS_AT_ONCE = 500

BUSY_SECONDS = 0.25
"""Until the next look, where another scheduler is at it."""

_LONGEST_GRACE = timedelta(days=36_525)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TickReport:
    """`seconds_until_next` is None where no schedule has a next tick; 0 where more is due already."""

    made: int = 0
    skipped: int = 0
    seconds_until_next: float | None = None


def tick(database: OrchestratorDatabase, *, now: datetime | None = None) -> TickReport:
    """One look. `now`: another instant than the database's, for trying out what would be due then."""
    (found,) = database.at_once("next_tick")
    if now is None and (found["seconds"] is None or found["seconds"] > 0):
        return TickReport(seconds_until_next=found["seconds"])
    with database.transaction("make the runs that are due") as cursor:
        cursor.execute(statement("try_lock_ticks"))
        lock = dict(cursor.fetchone() or {})
        if not lock["is_ours"]:
            return TickReport(seconds_until_next=BUSY_SECONDS)
        return _make_due(cursor, now or lock["now"])


def _make_due(cursor: RealDictCursor, now: datetime) -> TickReport:
    cursor.execute(statement("due_schedules"), {"now": now})
    schedules = list(_read(cursor, cursor.fetchall(), now))
    members = read_members(cursor)
    statuses: list[RunStatus] = []
    last: dict[int, Tick] = {}
    ticks = heapq.merge(*(due_ticks(schedule, now) for schedule in schedules), key=lambda tick: tick.at)
    for instant, group in groupby(ticks, key=lambda tick: tick.at):
        together = list(group)
        statuses += make_cycle(cursor, members, instant, together)
        last.update((tick.schedule.schedule_id, tick) for tick in together)
        if len(statuses) >= RUNS_AT_ONCE:
            break
    _advance(cursor, [(tick.schedule, tick.at) for tick in last.values()])
    cursor.execute(statement("next_tick"))
    seconds = dict(cursor.fetchone() or {})["seconds"]
    skipped = statuses.count(RunStatus.SKIPPED)
    return TickReport(len(statuses) - skipped, skipped, None if seconds is None else max(seconds, 0.0))


def _read(cursor: RealDictCursor, rows: Iterable[Mapping[str, Any]], now: datetime) -> Iterable[Schedule]:
    """Of jobs that are disabled the ticks until now are let go; a schedule that is none any more is paused."""
    for row in rows:
        try:
            schedule = schedule_of(row)
        except ValueError as fault:
            log.error("schedule is paused", job=row["slug"], reason=str(fault))
            _pause(cursor, row["schedule_id"], f"scheduler: {fault}")
            continue
        if row["is_enabled"]:
            yield schedule
        else:
            _advance(cursor, [(schedule, now)], is_tick=False)


def schedule_of(row: Mapping[str, Any]) -> Schedule:
    return Schedule(
        schedule_id=row["schedule_id"],
        slug=row["slug"],
        cron=Cron(row["cron"], row["time_zone"]),
        catch_up=CatchUp(row["catch_up"]),
        catch_up_limit=row["catch_up_limit"],
        grace=min(timedelta(seconds=min(row["grace_seconds"], 1e12)), _LONGEST_GRACE),
        next_run_at=row["next_run_at"],
    )


def _advance(cursor: RealDictCursor, seen: list[tuple[Schedule, datetime]], *, is_tick: bool = True) -> None:
    """To the first tick after what was seen to."""
    moved = []
    for schedule, until in seen:
        following = schedule.cron.after(until)
        moved.append(
            {
                "schedule_id": schedule.schedule_id,
                "next_run_at": following.isoformat() if following else None,
                "last_run_at": until.isoformat() if is_tick else None,
            }
        )
    cursor.execute(statement("advance_schedules"), {"moved": json.dumps(moved)})


def _pause(cursor: RealDictCursor, schedule_id: int, paused_by: str) -> None:
    cursor.execute(statement("pause_schedule"), {"schedule_id": schedule_id, "paused_by": paused_by})

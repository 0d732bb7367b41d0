"""When a job will be due: by its own schedule, or with the ancestors that it follows."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, groupby, islice
from typing import Any

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.schedule.cron import Cron, local
from etl.orchestrator.schedule.members import read_members


@dataclass(frozen=True)
class ComingTick:
    """`schedules_of`: the jobs whose schedules have it; `local` and `time_zone` are those of the first."""

    utc: datetime
    local: datetime
    time_zone: str
    schedules_of: tuple[str, ...]


@dataclass(frozen=True)
class Forecast:
    """`paused` are the jobs whose schedules are; their ticks are told as if they were not."""

    ticks: Sequence[ComingTick]
    paused: Sequence[str]


def forecast(database: OrchestratorDatabase, slug: str, count: int) -> Forecast:
    """The next so many ticks from now, by the database's clock."""
    with database.transaction("see when a job is due") as cursor:
        clocks = sorted(read_members(cursor).clocks_of(slug))
        rows = []
        for clock in clocks:
            cursor.execute(statement("schedule_of_slug"), {"slug": clock})
            rows.append({**dict(cursor.fetchone() or {}), "slug": clock})
    if not rows:
        raise UsageError(
            f"expected a job with a schedule, or one that follows such a job, found {slug!r}; "
            f"`{etl_as_typed()} orchestrator run start {slug}` runs it"
        )
    merged = heapq.merge(*(_coming(row) for row in rows), key=lambda tick: tick.utc)
    together = (_one(list(group)) for _, group in groupby(merged, key=lambda tick: tick.utc))
    return Forecast(list(islice(together, count)), [row["slug"] for row in rows if row["paused_at"]])


def _one(ticks: list[ComingTick]) -> ComingTick:
    """What is due at one instant is one cycle, and in it one run."""
    return replace(ticks[0], schedules_of=tuple(slug for tick in ticks for slug in tick.schedules_of))


def _coming(row: Mapping[str, Any]) -> Iterator[ComingTick]:
    cron = Cron(row["cron"], row["time_zone"])
    for tick in _from_now(cron, row["now"], row["next_run_at"]):
        yield ComingTick(tick, local(tick, cron.zone), cron.zone, (row["slug"],))


def _from_now(cron: Cron, now: datetime, next_run_at: datetime | None) -> Iterator[datetime]:
    """Somebody may have set the next by hand."""
    if next_run_at is not None and next_run_at > now:
        return chain([next_run_at], cron.ticks(next_run_at))
    return cron.ticks(now)

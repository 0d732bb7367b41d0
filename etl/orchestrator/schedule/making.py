"""The runs of one instant: of the jobs that tick, and of those that follow one that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import psycopg2
import structlog
from psycopg2.extras import RealDictCursor

from etl.errors import UsageError
from etl.orchestrator.queue.cycles import MadeRun, NewCycle, NewRun, create_runs, in_order
from etl.orchestrator.schedule.due import Tick
from etl.orchestrator.schedule.members import Members
from etl.orchestrator.values import RunStatus, Trigger

DISABLED = "its job is disabled"

_OF_ITS_JOB = (UsageError, psycopg2.DataError, psycopg2.IntegrityError)
"""What a job's own row can be the cause of, as parameters that JSON cannot hold exactly; conf/jobs has none such."""

log = structlog.get_logger(__name__)


def cycle_id_of(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def make_cycle(cursor: RealDictCursor, members: Members, instant: datetime, ticks: list[Tick]) -> list[RunStatus]:
    """Those of the runs that are new. A job whose run cannot be made is told in the log, and holds up no other."""
    cycle = NewCycle(
        cycle_id_of(instant), Trigger.SCHEDULE, instant, _runs(members, instant, ticks), waits_outside=True
    )
    try:
        with _savepoint(cursor):
            made = create_runs(cursor, cycle)
    except _OF_ITS_JOB:
        made = list(_one_by_one(cursor, members, cycle))
    return [run.status for run in made if run.is_new]


def _runs(members: Members, instant: datetime, ticks: list[Tick]) -> list[NewRun]:
    begins: dict[str, datetime] = {}
    for tick in ticks:
        for slug in members.following(tick.schedule.slug) if tick.skipped is None else ():
            begins[slug] = min(tick.interval_from, begins.get(slug, tick.interval_from))
    return [*map(_run_of, ticks), *(_follower(members, slug, begins[slug], instant) for slug in sorted(begins))]


def _run_of(tick: Tick) -> NewRun:
    return NewRun(
        tick.schedule.slug,
        schedule_id=tick.schedule.schedule_id,
        interval_from=tick.interval_from,
        interval_until=tick.at,
        skipped=tick.skipped,
    )


def _follower(members: Members, slug: str, begin: datetime, instant: datetime) -> NewRun:
    skipped = DISABLED if slug in members.disabled else None
    return NewRun(slug, interval_from=begin, interval_until=instant, skipped=skipped)


def _one_by_one(cursor: RealDictCursor, members: Members, cycle: NewCycle) -> Iterator[MadeRun]:
    for run in _parents_first(members, cycle):
        try:
            with _savepoint(cursor):
                made = create_runs(cursor, replace(cycle, runs=[run]))
            yield from made
        except _OF_ITS_JOB as error:
            log.error("run cannot be made", job=run.slug, cycle=cycle.cycle_id, error=str(error))


def _parents_first(members: Members, cycle: NewCycle) -> list[NewRun]:
    """So that each finds its parents' runs in the cycle; where jobs wait for themselves, as they come."""
    runs = {run.slug: run for run in cycle.runs}
    edges = [(parent, child) for child in runs for parent in members.parents.get(child, ()) if parent in runs]
    try:
        return [runs[slug] for slug in in_order(runs, edges)]
    except UsageError:
        return list(cycle.runs)


@contextmanager
def _savepoint(cursor: RealDictCursor) -> Iterator[None]:
    cursor.execute("SAVEPOINT cycle")
    try:
        yield
    except _OF_ITS_JOB:
        cursor.execute("ROLLBACK TO SAVEPOINT cycle")
        raise
    cursor.execute("RELEASE SAVEPOINT cycle")

"""Makes the runs of ticks that are over: of days before a job had its schedule, or whose runs are missing or failed.

One cycle a tick, and the ticks in ascending order. A job without a schedule goes by that of its nearest ancestor that
has one. CYCLES_AT_ONCE of them are made in one transaction, beside which no scheduler makes ticks and nobody another
backfill: the same one asked for twice, at once or later, makes once what is missing.
"""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from psycopg2.extras import RealDictCursor

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.queue.cycles import MadeRun, NewCycle, NewRun, create_runs
from etl.orchestrator.schedule.cron import Cron
from etl.orchestrator.schedule.making import DISABLED, cycle_id_of
from etl.orchestrator.schedule.members import Members, read_members
from etl.orchestrator.values import RunStatus, Trigger

MOST_CYCLES = 10_000
CYCLES_AT_ONCE = 50

_OVER = (RunStatus.FAILED, RunStatus.SKIPPED, RunStatus.CANCELLED)
_FORM = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?")


class Reprocess(StrEnum):
    MISSING = "missing"
    """Ticks without a run that succeeded or is still to end."""
    FAILED = "failed"
    """Ticks whose latest run failed, was skipped or cancelled."""
    ALL = "all"


@dataclass(frozen=True)
class Request:
    """`begin` with, `end` without it: dates or instants in ISO's form, without a zone in that of the job's schedule.
    Ticks that are still to come are none: without `end`, until now."""

    slugs: Sequence[str]
    begin: str
    end: str | None = None
    reprocess: Reprocess = Reprocess.MISSING
    downstream: bool = False


@dataclass(frozen=True)
class Backfilled:
    """A cycle that was made, or would be. `runs` is empty where none was."""

    cycle_id: str
    tick: datetime
    slugs: tuple[str, ...]
    runs: tuple[MadeRun, ...] = ()


@dataclass(frozen=True)
class _Plan:
    crons: dict[str, Cron]
    ticks: dict[datetime, list[str]]
    members: Members


def backfill(database: OrchestratorDatabase, request: Request, by: str, *, dry_run: bool = False) -> list[Backfilled]:
    """The cycles that it made; with `dry_run` those that it would make."""
    with database.transaction("see what is to be made again") as cursor:
        plan = _plan(cursor, request)
    number = secrets.token_hex(4)
    instants = sorted(plan.ticks)
    made: list[Backfilled] = []
    for first in range(0, len(instants), CYCLES_AT_ONCE):
        with database.transaction("backfill") as cursor:
            if not dry_run:
                cursor.execute(statement("lock_ticks"))
            for cycle in _cycles(cursor, plan, request, instants[first : first + CYCLES_AT_ONCE], number, by):
                runs = () if dry_run else tuple(create_runs(cursor, cycle))
                made.append(Backfilled(cycle.cycle_id, cycle.scheduled_at, tuple(run.slug for run in cycle.runs), runs))
    return made


def instant_of(text: str, zone: str) -> datetime:
    """ValueError where it is neither a date nor an instant."""
    written = text.strip()
    if not _FORM.fullmatch(written):
        raise ValueError(f"expected a date or an instant, as 2026-11-01 or 2026-11-01T02:00:00Z; found {text!r}")
    instant = datetime.fromisoformat(written)
    return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _plan(cursor: RealDictCursor, request: Request) -> _Plan:
    members = read_members(cursor)
    slugs = list(dict.fromkeys(request.slugs))
    crons = {slug: _cron(cursor, members, slug) for slug in slugs}
    cursor.execute(statement("database_time"))
    now = dict(cursor.fetchone() or {})["now"]
    ticks: dict[datetime, list[str]] = defaultdict(list)
    for slug, cron in crons.items():
        begin, end = _limits(request, cron, now)
        for tick in islice(cron.between(begin, end), MOST_CYCLES + 1):
            ticks[tick].append(slug)
    if len(ticks) > MOST_CYCLES:
        raise UsageError(
            f"expected at most {MOST_CYCLES:,} ticks at once, found more; say less between --from and --to"
        )
    return _Plan(crons, ticks, members)


def _cron(cursor: RealDictCursor, members: Members, slug: str) -> Cron:
    if slug not in members.jobs:
        raise UsageError(f"unknown job {slug!r}; {suggestion(slug, members.jobs, 'there are')}")
    if slug in members.disabled:
        command = f"{etl_as_typed()} orchestrator job enable {slug}"
        raise UsageError(f"expected a job that is enabled, found {slug!r}, which is not; `{command}` first")
    clock = members.clock_of(slug)
    if clock is None:
        raise UsageError(
            f"expected a job with a schedule, or with an ancestor that has one, found {slug!r}, whose ticks nobody "
            f"knows; `{etl_as_typed()} orchestrator run start {slug}` runs it once"
        )
    cursor.execute(statement("schedule_of_slug"), {"slug": clock})
    row = dict(cursor.fetchone() or {})
    return Cron(row["cron"], row["time_zone"])


def _limits(request: Request, cron: Cron, now: datetime) -> tuple[datetime, datetime]:
    begin = _option("--from", request.begin, cron.zone)
    end = now if request.end is None else _option("--to", request.end, cron.zone)
    if begin >= end:
        raise UsageError(f"expected --from before --to, found {begin:%Y-%m-%dT%H:%M:%SZ} and {end:%Y-%m-%dT%H:%M:%SZ}")
    return begin, min(end, now)


def _option(name: str, text: str, zone: str) -> datetime:
    try:
        return instant_of(text, zone)
    except (ValueError, OverflowError) as fault:
        raise UsageError(f"{name}: {fault}") from fault


def _cycles(
    cursor: RealDictCursor, plan: _Plan, request: Request, instants: list[datetime], number: str, by: str
) -> Iterator[NewCycle]:
    cursor.execute(statement("runs_of_ticks"), {"slugs": list(plan.crons), "instants": instants})
    known = {(row["slug"], row["scheduled_at"]): row for row in cursor.fetchall()}
    for instant in instants:
        slugs = [slug for slug in plan.ticks[instant] if _is_wanted(request.reprocess, known.get((slug, instant)))]
        if slugs:
            cycle_id = f"backfill-{number}-{cycle_id_of(instant)}"
            runs = _runs(plan, slugs, instant, request.downstream)
            yield NewCycle(cycle_id, Trigger.BACKFILL, instant, runs, requested_by=by)


def _is_wanted(reprocess: Reprocess, known: dict[str, object] | None) -> bool:
    if reprocess is Reprocess.ALL:
        return True
    if reprocess is Reprocess.FAILED:
        return known is not None and known["latest"] in _OVER
    return known is None or not known["is_done_or_open"]


def _runs(plan: _Plan, slugs: list[str], instant: datetime, downstream: bool) -> list[NewRun]:
    begins = {slug: plan.crons[slug].interval(instant)[0] for slug in slugs}
    for slug in slugs if downstream else ():
        for each in plan.members.descendants(slug) - set(slugs):
            begins[each] = min(begins[slug], begins.get(each, instant))
    return [
        NewRun(
            slug,
            interval_from=begin,
            interval_until=instant,
            skipped=DISABLED if slug in plan.members.disabled else None,
        )
        for slug, begin in begins.items()
    ]

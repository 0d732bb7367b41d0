"""Makes the runs of a cycle, with what each waits for; asked for twice, a run is made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any

from psycopg2.extras import RealDictCursor

from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.database.queries import statement
from etl.orchestrator.fingerprint import fingerprint
from etl.orchestrator.queue.documents import as_json
from etl.orchestrator.values import RunStatus, Trigger


@dataclass(frozen=True)
class NewRun:
    """Of one job. `parameters` are put over the job's own; with `skipped`, a reason, it is made as skipped."""

    slug: str
    parameters: Mapping[str, Any] | None = None
    schedule_id: int | None = None
    interval_from: datetime | None = None
    interval_until: datetime | None = None
    correlation_id: str | None = None
    """None: `<slug>@<cycle_id>`."""
    skipped: str | None = None


@dataclass(frozen=True)
class NewCycle:
    """Runs that belong together: each waits for its parents among them, and for those of them that stand already.

    With `waits_outside` a run waits also for the latest run of each parent that is not in the cycle.
    """

    cycle_id: str
    trigger: Trigger
    scheduled_at: datetime
    runs: Sequence[NewRun]
    requested_by: str | None = None
    waits_outside: bool = False


@dataclass(frozen=True)
class MadeRun:
    """`is_new` is False where somebody had asked for it before."""

    run_id: int
    slug: str
    correlation_id: str
    status: RunStatus
    is_new: bool


def create_runs(cursor: RealDictCursor, cycle: NewCycle) -> list[MadeRun]:
    """The cycle's runs, in the caller's transaction; those that wait for nothing are ready when it commits."""
    asked = {run.slug: run for run in cycle.runs}
    jobs = _find_jobs(cursor, list(asked))
    documents = [_document(cycle, asked[slug], jobs[slug]) for slug in _parents_first(cursor, list(asked))]
    run_ids = _insert(cursor, cycle, documents)
    if run_ids:
        _connect(cursor, cycle, run_ids)
    correlation_ids = [document["correlation_id"] for document in documents]
    made = {"run_ids": run_ids, "cycle_id": cycle.cycle_id, "slugs": list(asked), "correlation_ids": correlation_ids}
    cursor.execute(statement("made_runs"), made)
    return [MadeRun(**{**row, "status": RunStatus(row["status"])}) for row in cursor.fetchall()]


def _find_jobs(cursor: RealDictCursor, slugs: list[str]) -> dict[str, Mapping[str, Any]]:
    cursor.execute(statement("jobs_of_cycle"), {"slugs": slugs})
    found: dict[str, Mapping[str, Any]] = {row["slug"]: row for row in cursor.fetchall()}
    if unknown := [slug for slug in slugs if slug not in found]:
        cursor.execute(statement("job_slugs"))
        known = [row["slug"] for row in cursor.fetchall()]
        raise UsageError("; ".join(f"there is no job {slug!r}; {suggestion(slug, known)}" for slug in unknown))
    return found


def _parents_first(cursor: RealDictCursor, slugs: list[str]) -> list[str]:
    cursor.execute(statement("edges_of_cycle"), {"slugs": slugs})
    return in_order(slugs, ((row["parent"], row["child"]) for row in cursor.fetchall()))


def in_order(slugs: Iterable[str], edges: Iterable[tuple[str, str]]) -> list[str]:
    """Each after its parents."""
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(slugs, ()))
    for parent, child in edges:
        sorter.add(child, parent)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        path = " → ".join(error.args[1])
        raise UsageError(f"expected jobs that do not wait for themselves, found {path}; mend conf/jobs") from error


def _document(cycle: NewCycle, run: NewRun, job: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {**job["parameters"], **(run.parameters or {})}
    return {
        "job_id": job["job_id"],
        "schedule_id": run.schedule_id,
        "correlation_id": run.correlation_id or f"{run.slug}@{cycle.cycle_id}",
        "interval_from": run.interval_from.isoformat() if run.interval_from else None,
        "interval_until": run.interval_until.isoformat() if run.interval_until else None,
        "parameters": parameters,
        "fingerprint": fingerprint(parameters),
        "skipped": run.skipped,
    }


def _insert(cursor: RealDictCursor, cycle: NewCycle, documents: list[dict[str, Any]]) -> list[int]:
    values = {
        "cycle_id": cycle.cycle_id,
        "trigger": str(cycle.trigger),
        "scheduled_at": cycle.scheduled_at,
        "requested_by": cycle.requested_by,
        "runs": as_json(documents),
    }
    cursor.execute(statement("insert_runs"), values)
    return [row["run_id"] for row in cursor.fetchall()]


def _connect(cursor: RealDictCursor, cycle: NewCycle, run_ids: list[int]) -> None:
    of_them = {"run_ids": run_ids}
    cursor.execute(statement("tell_requested"), of_them)
    cursor.execute(statement("wait_within_cycle"), of_them)
    if cycle.waits_outside:
        cursor.execute(statement("wait_outside_cycle"), of_them)
        cursor.execute(statement("skip_without_parent"), of_them)
    cursor.execute(statement("tell_skipped"), of_them)
    cursor.execute(statement("settle"), of_them)

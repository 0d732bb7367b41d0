"""Pauses, resumes and replaces schedules: each starts from the change, by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extras import RealDictCursor

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.schedule.cron import Cron
from etl.orchestrator.values import CatchUp


@dataclass(frozen=True)
class ScheduleSpec:
    cron: str
    time_zone: str = "UTC"
    catch_up: CatchUp | str = CatchUp.LAST
    catch_up_limit: int = 10
    grace_seconds: float = 300.0


def pause(database: OrchestratorDatabase, slug: str, by: str) -> bool:
    """Its ticks do not happen, until it is resumed; runs that stand go on. False: it was paused already."""
    with database.transaction("pause a schedule") as cursor:
        schedule = _schedule_of_job(cursor, slug)
        if schedule["paused_at"] is not None:
            return False
        cursor.execute(statement("pause_schedule"), {"schedule_id": schedule["schedule_id"], "paused_by": by})
        return True


def resume(database: OrchestratorDatabase, slug: str) -> bool:
    """From its first tick after now: none of those meanwhile. False: it was not paused."""
    with database.transaction("resume a schedule") as cursor:
        schedule = _schedule_of_job(cursor, slug)
        if schedule["paused_at"] is None:
            return False
        _start(cursor, schedule)
        return True


def enable_job(database: OrchestratorDatabase, slug: str, is_enabled: bool) -> bool:
    """Its schedule then starts from now. False: it was so already."""
    with database.transaction("enable a job" if is_enabled else "disable a job") as cursor:
        cursor.execute(statement("enable_job"), {"slug": slug, "is_enabled": is_enabled})
        is_changed = cursor.fetchone() is not None
        if is_changed and is_enabled:
            restart_clock(cursor, slug)
    return is_changed


def restart_clock(cursor: RealDictCursor, slug: str) -> None:
    """For a job that is enabled again: ticks until now are let go. Without a schedule, or paused, it stays as it is."""
    schedule = _active(cursor, _job_id(cursor, slug))
    if schedule is not None and schedule["paused_at"] is None:
        _start(cursor, schedule)


def replace_schedule(cursor: RealDictCursor, job_id: int, spec: ScheduleSpec | None) -> bool:
    """The job's schedule is this one from now on, or none; False where it was so before, and nothing changed.

    The one before stays as an inactive row. What was paused stays paused.
    """
    before = _active(cursor, job_id)
    if _is_same(before, spec):
        return False
    if before is not None:
        cursor.execute(statement("end_schedule"), {"schedule_id": before["schedule_id"]})
    if spec is not None:
        _insert(cursor, job_id, spec, before or {})
    return True


def _insert(cursor: RealDictCursor, job_id: int, spec: ScheduleSpec, before: Mapping[str, Any]) -> None:
    paused_at = before.get("paused_at")
    cursor.execute(statement("database_time"))
    now = dict(cursor.fetchone() or {})["now"]
    following = Cron(spec.cron, spec.time_zone).after(now)
    row = {
        **asdict(spec),
        "catch_up": str(spec.catch_up),
        "job_id": job_id,
        "next_run_at": None if paused_at else following,
        "paused_at": paused_at,
        "paused_by": before.get("paused_by"),
    }
    cursor.execute(statement("insert_schedule"), row)


def _is_same(stored: Mapping[str, Any] | None, spec: ScheduleSpec | None) -> bool:
    if stored is None or spec is None:
        return stored is None and spec is None
    asked = {**asdict(spec), "cron": " ".join(spec.cron.split()), "catch_up": str(spec.catch_up)}
    return all(stored[name] == value for name, value in asked.items())


def _start(cursor: RealDictCursor, schedule: Mapping[str, Any]) -> None:
    following: datetime | None = Cron(schedule["cron"], schedule["time_zone"]).after(schedule["now"])
    values = {"schedule_id": schedule["schedule_id"], "next_run_at": following}
    cursor.execute(statement("start_schedule"), values)


def _schedule_of_job(cursor: RealDictCursor, slug: str) -> Mapping[str, Any]:
    schedule = _active(cursor, _job_id(cursor, slug))
    if schedule is None:
        raise UsageError(
            f"expected a job with a schedule of its own, found {slug!r}, which has none; "
            f"`{etl_as_typed()} orchestrator schedule list` shows those that have one"
        )
    return schedule


def _job_id(cursor: RealDictCursor, slug: str) -> int:
    cursor.execute(statement("job_of_slug"), {"slug": slug})
    if row := cursor.fetchone():
        return int(row["job_id"])
    cursor.execute(statement("slugs_of_jobs"))
    slugs = [row["slug"] for row in cursor.fetchall()]
    raise UsageError(f"there is no job {slug!r}; {suggestion(slug, slugs, 'jobs')}")


def _active(cursor: RealDictCursor, job_id: int) -> Mapping[str, Any] | None:
    cursor.execute(statement("active_schedule"), {"job_id": job_id})
    row: Mapping[str, Any] | None = cursor.fetchone()
    return row

"""Jobs with schedules, and what became of their ticks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job

NOW = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


def at(text: str) -> datetime:
    """An instant of that day, in UTC."""
    return datetime.fromisoformat(f"2026-11-26T{text}+00:00")


def add_scheduled(execute: Execute, slug: str, cron: str, parents: Sequence[str] = (), **columns: Any) -> None:
    add_job(execute, slug, parents)
    values = {"cron": cron, **columns}
    names, holes = ", ".join(values), ", ".join(["%s"] * len(values))
    execute(
        f"INSERT INTO dw_etl_schedules (job_id, {names}) SELECT job_id, {holes} FROM dw_etl_jobs WHERE slug = %s",
        [*values.values(), slug],
    )


def told(execute: Execute) -> list[tuple[str, str, str]]:
    """Job, time of its tick and status of all runs, in their order."""
    rows = execute(
        "SELECT slug, to_char(scheduled_at AT TIME ZONE 'UTC', 'HH24:MI'), status"
        " FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) ORDER BY scheduled_at, slug"
    )
    return [(slug, time, status) for slug, time, status in rows]


def next_run_at(execute: Execute, slug: str) -> datetime | None:
    rows: Iterable[tuple[datetime | None]] = execute(
        "SELECT next_run_at FROM dw_etl_schedules JOIN dw_etl_jobs USING (job_id) WHERE slug = %s AND is_active = true",
        (slug,),
    )
    ((following,),) = rows
    return following

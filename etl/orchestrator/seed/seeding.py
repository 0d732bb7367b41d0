"""Writes conf/jobs into the tables. As often as one likes; nothing that ran is deleted.

The files win, with two exceptions: a job that somebody disabled stays so until its file says something else than it
did, and a paused schedule stays paused. A job that no file has any more is disabled, its schedule ends, nothing
depends on it, and its queued runs, which would wait for ever, are cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from etl.config.orchestrator.jobs import JobsConfiguration
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.schedule.clocks import ScheduleSpec, replace_schedule, restart_clock
from etl.orchestrator.seed.differences import (
    OF_TABLES_OF_THEIR_OWN,
    Difference,
    Standing,
    all_differences,
    gone,
    row_wanted,
)

_JSON = ("command", "parameters", "parameters_schema")


def seed(database: OrchestratorDatabase, wanted: JobsConfiguration) -> list[Difference]:
    """What was changed; all in one transaction. Seeds that begin at once wait for one another."""
    with database.transaction("write the jobs") as cursor:
        cursor.execute(statement("lock_seed"))
        standing, scopes = _standing(cursor)
        found = all_differences(wanted, standing, scopes)
        _write_jobs(cursor, wanted, standing)
        retired = {slug: standing[slug]["job_id"] for slug in gone(wanted, standing)}
        for slug, job_id in retired.items():
            _retire(cursor, slug, job_id)
        _write_parallelism(cursor, wanted.parallelism, scopes)
        if retired:
            cursor.execute(statement("cancel_queued_runs"), {"job_ids": list(retired.values())})
    return found


def differences(database: OrchestratorDatabase, wanted: JobsConfiguration, *, is_new: bool = False) -> list[Difference]:
    """What `seed` would change; `is_new`: there are no tables yet."""
    if is_new:
        return all_differences(wanted, {}, {})
    with database.transaction("read the jobs") as cursor:
        return all_differences(wanted, *_standing(cursor))


def _standing(cursor: Any) -> tuple[Standing, dict[str, int]]:
    cursor.execute(statement("seeded_jobs"))
    jobs = {row["slug"]: dict(row) for row in cursor.fetchall()}
    cursor.execute(statement("seeded_parallelism"))
    return jobs, {row["scope"]: row["maximum"] for row in cursor.fetchall()}


def _write_jobs(cursor: Any, wanted: JobsConfiguration, standing: Standing) -> None:
    """All jobs before the first of their parents is looked for."""
    rows = {slug: row_wanted(job, standing.get(slug)) for slug, job in wanted.jobs.items()}
    ids = {slug: _write_job(cursor, row, standing.get(slug)) for slug, row in rows.items()}
    for slug, row in rows.items():
        before = standing.get(slug) or dict.fromkeys(OF_TABLES_OF_THEIR_OWN)
        if (before["tags"] or []) != row["tags"]:
            cursor.execute(statement("set_tags"), {"job_id": ids[slug], "tags": row["tags"]})
        if (before["parents"] or []) != row["parents"]:
            cursor.execute(statement("set_parents"), {"job_id": ids[slug], "parents": row["parents"]})
        if before["schedule"] != row["schedule"]:
            replace_schedule(cursor, ids[slug], _spec(row["schedule"]))
        if row["is_enabled"] and before.get("is_enabled") is False:
            restart_clock(cursor, slug)


def _write_job(cursor: Any, row: Mapping[str, Any], before: Mapping[str, Any] | None) -> int:
    values = {name: value for name, value in row.items() if name not in OF_TABLES_OF_THEIR_OWN}
    bound = {name: orjson.dumps(value).decode() if name in _JSON else value for name, value in values.items()}
    if before is None:
        cursor.execute(statement("insert_job"), bound)
        return int(cursor.fetchone()["job_id"])
    if any(before[name] != value for name, value in values.items()):
        cursor.execute(statement("update_job"), bound)
    return int(before["job_id"])


def _retire(cursor: Any, slug: str, job_id: int) -> None:
    cursor.execute(statement("retire_job"), {"slug": slug})
    cursor.execute(statement("leave_graph"), {"job_id": job_id})
    replace_schedule(cursor, job_id, None)


def _spec(schedule: Mapping[str, Any] | None) -> ScheduleSpec | None:
    return ScheduleSpec(**schedule) if schedule else None


def _write_parallelism(cursor: Any, wanted: Mapping[str, int], standing: Mapping[str, int]) -> None:
    for scope, maximum in wanted.items():
        if standing.get(scope) != maximum:
            cursor.execute(statement("set_parallelism"), {"scope": scope, "maximum": maximum})
    for scope in standing.keys() - wanted.keys():
        cursor.execute(statement("remove_parallelism"), {"scope": scope})

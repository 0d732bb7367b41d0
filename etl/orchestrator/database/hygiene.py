"""What there is two of where there may be one: listed, resolved and told, row by row. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement


@dataclass(frozen=True)
class Rule:
    """`find` lists rows by `key`, with the one of their kind that stays as `latest`; `resolve` is given both."""

    find: str
    resolve: str
    key: str
    tell: Callable[[dict[str, Any]], str]


def _schedule(row: dict[str, Any]) -> str:
    return (
        f"schedule {row['schedule_id']} of job {row['job_id']} ({row['cron']} {row['time_zone']}) is no longer active:"
        f" {row['latest']} is later"
    )


def _lock(row: dict[str, Any]) -> str:
    return (
        f"lock {row['fencing_token']} of {row['worker_id']} on {row['concurrency_key']} (run {row['run_id']}) has"
        f" expired: {row['latest']} has the live or latest lease"
    )


def _run(row: dict[str, Any]) -> str:
    what = "was cancelled" if row["status"] == "queued" else f"({row['status']}) is in a cycle of its own"
    return f"run {row['run_id']} of job {row['job_id']} {what}: cycle {row['cycle_id']} has run {row['latest']}"


def _alert(row: dict[str, Any]) -> str:
    return (
        f"alert {row['alert_id']} ({row['kind']} of run {row['run_id']} to {row['channel']}) is not sent:"
        f" {row['latest']} tells it"
    )


RULES = {
    "dw_etl_schedules_active_key": Rule("two_active_schedules", "keep_latest_schedule", "schedule_id", _schedule),
    "dw_etl_job_locks_active_key": Rule("two_active_locks", "keep_latest_lock", "fencing_token", _lock),
    "dw_etl_runs_cycle_key": Rule("two_runs_of_a_cycle", "keep_one_run_of_a_cycle", "run_id", _run),
    "dw_etl_alerts_once_a_run_key": Rule("two_alerts_of_a_run", "keep_first_alert", "alert_id", _alert),
}
"""By the index that is built afterwards."""

_LONGEST_SECONDS = 3600.0


def listed(database: OrchestratorDatabase, index: str) -> list[str]:
    """What `resolved` would change."""
    return [RULES[index].tell(row) for row in _found(database, RULES[index])] if index in RULES else []


def resolved(database: OrchestratorDatabase, index: str) -> list[str]:
    """What it changed, in one transaction."""
    if index not in RULES:
        return []
    rule = RULES[index]
    with database.transaction(f"resolve what breaks {index}", statement_timeout_seconds=_LONGEST_SECONDS) as cursor:
        cursor.execute(statement(rule.find))
        rows = [dict(row) for row in cursor.fetchall()]
        if rows:
            values = {"ids": [row[rule.key] for row in rows], "latest": [row["latest"] for row in rows]}
            cursor.execute(statement(rule.resolve), values)
    return [rule.tell(row) for row in rows]


def _found(database: OrchestratorDatabase, rule: Rule) -> list[dict[str, Any]]:
    with database.transaction(rule.find, statement_timeout_seconds=_LONGEST_SECONDS) as cursor:
        cursor.execute(statement(rule.find))
        return [dict(row) for row in cursor.fetchall()]

"""Jobs, cycles and what became of their runs, for the tests of the queue."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg2.extras import Json

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.claims import claim, finish
from etl.orchestrator.queue.cycles import MadeRun, NewCycle, NewRun, create_runs
from etl.orchestrator.values import Claim, Counts, ErrorType, Failure, RunStatus, Trigger
from tests.databases import Execute

TICK = datetime(2026, 11, 26, 2, tzinfo=UTC)
CYCLE = "2026-11-26T02:00:00Z"
NO_COUNTS = Counts()
TRANSIENT = Failure(ErrorType.SQLSTATE, "40001", "could not serialize access", True)
PERMANENT = Failure(ErrorType.EXIT_CODE, "exit 2", "no such option", False, 2)


def add_job(execute: Execute, slug: str, parents: Collection[str] = (), **columns: Any) -> None:
    """Its key is its slug, unless `concurrency_key` says something else."""
    values = {"slug": slug, "layer": "bronze", "kind": "command", "command": Json({"argv": ["true"]})}
    values |= {"concurrency_key": slug, **columns}
    names, holes = ", ".join(values), ", ".join(["%s"] * len(values))
    execute(f"INSERT INTO dw_etl_jobs ({names}) VALUES ({holes})", list(values.values()))
    for parent in parents:
        execute(
            "INSERT INTO dw_etl_job_dependencies SELECT p.job_id, c.job_id FROM dw_etl_jobs p, dw_etl_jobs c"
            " WHERE p.slug = %s AND c.slug = %s",
            (parent, slug),
        )


def ask(
    database: OrchestratorDatabase, *runs: str | NewRun, cycle_id: str = CYCLE, waits_outside: bool = False
) -> dict[str, MadeRun]:
    asked = [run if isinstance(run, NewRun) else NewRun(run) for run in runs]
    with database.transaction("ask for runs") as cursor:
        cycle = NewCycle(cycle_id, Trigger.MANUAL, TICK, asked, "tester", waits_outside)
        return {made.slug: made for made in create_runs(cursor, cycle)}


def claim_one(database: OrchestratorDatabase, worker_id: str = "worker") -> Claim:
    (claimed,) = claim(database, worker_id)
    return claimed


def succeed(database: OrchestratorDatabase, claimed: Claim) -> None:
    assert finish(database, claimed, RunStatus.SUCCESS, NO_COUNTS)


def fail(database: OrchestratorDatabase, claimed: Claim) -> None:
    assert finish(database, claimed, RunStatus.FAILED, NO_COUNTS, PERMANENT)


def statuses(execute: Execute) -> dict[str, str]:
    """The last of each job's runs."""
    return dict(execute("SELECT slug, status FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) ORDER BY run_id"))


def run_row(execute: Execute, run_id: int) -> Mapping[str, Any]:
    ((row,),) = execute("SELECT to_jsonb(run) FROM dw_etl_runs AS run WHERE run_id = %s", (run_id,))
    return dict(row)


def events(execute: Execute, run_id: int) -> list[str]:
    rows = execute("SELECT event_type FROM dw_etl_run_events WHERE run_id = %s ORDER BY event_id", (run_id,))
    return [event_type for (event_type,) in rows]


def event(execute: Execute, run_id: int, event_type: str) -> Mapping[str, Any]:
    """The last of its kind."""
    ((row,),) = execute(
        "SELECT to_jsonb(told) FROM dw_etl_run_events AS told WHERE run_id = %s AND event_type = %s"
        " ORDER BY event_id DESC LIMIT 1",
        (run_id, event_type),
    )
    return dict(row)


def active_locks(execute: Execute) -> int:
    ((count,),) = execute("SELECT count(*) FROM dw_etl_job_locks WHERE status = 'active'")
    return int(count)

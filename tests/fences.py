"""Attempts of an orchestrator in a test's own database, for the tools that are to ask their fence."""

from __future__ import annotations

from contextlib import closing
from itertools import count

from etl.config.settings import PostgreSQLSettings
from etl.fencing import Fence
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from tests.databases import Execute

SCHEMA = "orchestrator"
_NUMBERS = count(1)


def install_orchestrator(settings: PostgreSQLSettings) -> None:
    with closing(OrchestratorDatabase(settings, SCHEMA)) as database:
        install(database)


def new_attempt(execute: Execute) -> Fence:
    """Of a job and run of its own: under way, with a lease that lasts."""
    slug = f"job-{next(_NUMBERS)}"
    ((job_id,),) = execute(
        f"INSERT INTO {SCHEMA}.dw_etl_jobs (slug, layer, kind, command) VALUES (%s, 'bronze', 'command', '{{}}')"
        " RETURNING job_id",
        [slug],
    )
    ((run_id,),) = execute(
        f"INSERT INTO {SCHEMA}.dw_etl_runs (job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint)"
        " VALUES (%s, 'manual-1', 'manual', now(), '') RETURNING run_id",
        [job_id],
    )
    ((token,),) = execute(
        f"INSERT INTO {SCHEMA}.dw_etl_job_locks (job_id, run_id, worker_id, attempt, expires_at)"
        " VALUES (%s, %s, 'worker', 1, now() + interval '1 hour') RETURNING fencing_token",
        [job_id, run_id],
    )
    return Fence(SCHEMA, run_id, token)


def give_up(execute: Execute, fence: Fence) -> bool:
    """As the orchestrator does with a lease that ran out; False where somebody holds on to the attempt."""
    taken = execute(
        f"WITH lost AS (SELECT fencing_token FROM {SCHEMA}.dw_etl_job_locks WHERE fencing_token = %s"
        " FOR UPDATE SKIP LOCKED)"
        f" UPDATE {SCHEMA}.dw_etl_job_locks AS lock SET status = 'expired', released_at = clock_timestamp() FROM lost"
        " WHERE lock.fencing_token = lost.fencing_token RETURNING 1",
        [fence.token],
    )
    return bool(taken)


def renew(execute: Execute, fence: Fence) -> bool:
    """As an attempt's heartbeat does; does not wait."""
    renewed = execute(
        "SET lock_timeout = '1s';"
        f" UPDATE {SCHEMA}.dw_etl_job_locks SET expires_at = clock_timestamp() + interval '1 hour'"
        " WHERE fencing_token = %s AND status = 'active' RETURNING 1",
        [fence.token],
    )
    return bool(renewed)

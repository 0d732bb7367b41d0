"""However many runs wait, a claim looks at a few: counted by the server in entries of indexes, not in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg2.extras import RealDictCursor

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import add_job, ask

BEHIND = 5_000
AT_MOST = 500
"""Rows and entries of indexes that are looked at, of three jobs' runs and 5,000 that wait."""

LOOKED_AT = """
SELECT sum(pg_stat_get_xact_tuples_returned(each.oid))::integer AS entries
FROM pg_class AS each
WHERE each.relnamespace = 'orchestrator'::regnamespace AND each.relname LIKE 'dw_etl_runs%%'
    AND each.relkind IN ('r', 'i')
"""
FILL = """
INSERT INTO dw_etl_runs (
    job_id, cycle_id, trigger, scheduled_at, parameter_fingerprint, concurrency_key, ready_at, priority
)
SELECT job_id, 'behind-' || turn, 'manual', now(), '', %(key)s, now() + %(seconds)s * interval '1 second', 9
FROM generate_series(1, %(behind)s) AS turn, dw_etl_jobs WHERE slug = 'busy'
"""


@contextmanager
def few_looked_at(cursor: RealDictCursor) -> Iterator[None]:
    cursor.execute(LOOKED_AT)
    before = dict(cursor.fetchone() or {})["entries"]
    yield
    cursor.execute(LOOKED_AT)
    assert dict(cursor.fetchone() or {})["entries"] - before < AT_MOST


@pytest.mark.parametrize("why", ["held", "disabled", "delayed", "delayed without a key"])
def test_what_waits_costs_nothing(database: OrchestratorDatabase, execute: Execute, why: str) -> None:
    key = None if "without" in why else "busy"
    add_job(execute, "busy", concurrency_key=key, is_enabled=why != "disabled")
    for slug in ("a", "b"):
        add_job(execute, slug)
    add_job(execute, "c", concurrency_key=None)
    execute(FILL, {"key": key, "behind": BEHIND, "seconds": 3600 if "delayed" in why else -3600})
    if why == "held":
        execute(
            "INSERT INTO dw_etl_job_locks (job_id, run_id, concurrency_key, worker_id, attempt, expires_at)"
            " SELECT job_id, run_id, 'busy', 'somebody', 1, now() + interval '1 day' FROM dw_etl_runs LIMIT 1"
        )
    ask(database, "a", "b", "c")
    with database.transaction("claim") as cursor:
        for expected in (["a", "b"], ["c"], []):
            with few_looked_at(cursor):
                cursor.execute(statement("claim"), {"worker_id": "worker", "at_most": 2, "lease_seconds": 30})
                assert [row["slug"] for row in cursor.fetchall()] == expected

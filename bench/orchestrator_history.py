"""Years of runs of 72 jobs, written by the server itself: what the state of a busy orchestrator is asked of."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

JOBS = 72

FILL_JOBS = """
INSERT INTO dw_etl_jobs (slug, title, layer, kind, command, parameters, concurrency_key)
SELECT
    format('%%s_job_%%s', layer, lpad(number::text, 2, '0')), 'Job ' || number, layer, 'command',
    '{"argv": ["true"]}', jsonb_build_object('number', number), format('%%s_job_%%s', layer, number)
FROM generate_series(1, 72) AS number,
    LATERAL (SELECT CASE WHEN number <= 24 THEN 'bronze' WHEN number <= 52 THEN 'silver' ELSE 'gold' END AS layer) AS l;
INSERT INTO dw_etl_job_dependencies (parent_job_id, child_job_id)
SELECT DISTINCT parent.job_id, child.job_id
FROM dw_etl_jobs AS child
CROSS JOIN generate_series(1, 3) AS turn
JOIN dw_etl_jobs AS parent ON parent.job_id = (child.job_id * 7 + turn * 5) %% greatest(child.job_id - 24, 1) + 1
WHERE child.layer <> 'bronze' AND parent.job_id < child.job_id;
INSERT INTO dw_etl_schedules (job_id, cron, next_run_at)
SELECT job_id, '*/5 * * * *', date_trunc('hour', now()) + interval '1 hour' FROM dw_etl_jobs WHERE layer = 'bronze';
"""

FILL_RUNS = """
INSERT INTO dw_etl_runs (
    job_id, correlation_id, cycle_id, trigger, status, scheduled_at, parameters, parameter_fingerprint, concurrency_key,
    ready_at, attempts, maximum_attempts, fencing_token, worker_id, created_at, started_at, ended_at, reason,
    records_read, records_written, exit_code, error_class, error_type, error_message, is_transient_error
)
SELECT
    job_id, format('%%s-%%s', job_id, tick), to_char(due, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    CASE WHEN tick %% 50 = 0 THEN 'manual' ELSE 'schedule' END,
    status, due, parameters, md5(parameters::text), format('key-%%s', job_id), due,
    CASE WHEN status = 'skipped' THEN 0 ELSE 1 + (tick %% 31 = 0)::integer END, 3,
    CASE WHEN status <> 'skipped' THEN tick * 72 + job_id END,
    CASE WHEN status <> 'skipped' THEN 'worker-' || tick %% 4 END,
    due, CASE WHEN status <> 'skipped' THEN due + lag END,
    CASE WHEN status <> 'running' THEN due + lag + interval '90 seconds' END,
    CASE WHEN status = 'skipped' THEN 'its parent failed' END,
    tick, tick, (status = 'failed')::integer, CASE WHEN status = 'failed' THEN 'exit 1' END,
    CASE WHEN status = 'failed' THEN 'exit_code' END, CASE WHEN status = 'failed' THEN 'it ended with 1' END,
    CASE WHEN status = 'failed' THEN false END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS tick
CROSS JOIN generate_series(1, 72) AS job_id
CROSS JOIN LATERAL (
    SELECT
        -- the newest tick is an hour ago, the oldest years
        date_trunc('hour', now()) - (%(newest)s::bigint - tick + 12) * interval '5 minutes' AS due,
        (job_id %% 17 + 1) * interval '1 second' AS lag,
        CASE
            WHEN tick = %(newest)s AND job_id %% 9 = 0 THEN 'running'
            WHEN (tick * 31 + job_id * 7) %% 100 < 2 THEN 'failed'
            WHEN (tick * 31 + job_id * 7) %% 100 < 5 THEN 'skipped'
            WHEN (tick * 31 + job_id * 7) %% 1000 = 50 THEN 'cancelled'
            ELSE 'success'
        END AS status,
        -- nine in ten with the job's own, each tenth with others
        CASE WHEN tick %% 10 = 0 THEN jsonb_build_object('day', tick) ELSE jsonb_build_object('number', job_id) END
            AS parameters
) AS made;
"""


def write_log(file: Path, rows: int) -> Path:
    """A log of as many runs of the same jobs, as another system may have kept it: no ids, parameters that change."""
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            ("slug", "status", "scheduled_at", "started_at", "ended_at", "parameters", "records_read", "error_class")
        )
        for number in range(rows):
            job, due = number % JOBS + 1, begin + timedelta(minutes=5 * (number // JOBS))
            is_failed = number % 40 == 0
            times = [due + timedelta(seconds=seconds) for seconds in (0, job, 90 + job)]
            writer.writerow(
                (
                    f"{_layer(job)}_job_{job:02}",
                    "failed" if is_failed else "success",
                    *(time.isoformat() for time in times),
                    json.dumps({"number": job, "day": f"{due:%Y-%m-%d}"}),
                    number,
                    "exit 1" if is_failed else "",
                )
            )
    return file


def _layer(job: int) -> str:
    return "bronze" if job <= 24 else "silver" if job <= 52 else "gold"

-- Runs that are asked for together.

-- name: jobs_of_cycle
SELECT job_id, slug, parameters FROM dw_etl_jobs WHERE slug = ANY (%(slugs)s);

-- name: job_slugs
SELECT slug FROM dw_etl_jobs;

-- name: edges_of_cycle
SELECT parent.slug AS parent, child.slug AS child
FROM dw_etl_job_dependencies AS edge
    JOIN dw_etl_jobs AS parent ON parent.job_id = edge.parent_job_id
    JOIN dw_etl_jobs AS child ON child.job_id = edge.child_job_id
WHERE child.slug = ANY (%(slugs)s) AND parent.slug = ANY (%(slugs)s);

-- In the order given, parents first: a run's number is higher than those of the runs it waits for. What stands already
-- (of this cycle, or by its correlation id) stays as it is.
-- name: insert_runs
INSERT INTO dw_etl_runs (
    job_id, schedule_id, correlation_id, cycle_id, trigger, scheduled_at, interval_from, interval_until, parameters,
    parameter_fingerprint, priority, concurrency_key, when_held, maximum_attempts, requested_by,
    status, reason, ended_at
)
SELECT
    job.job_id, asked.schedule_id, asked.correlation_id, %(cycle_id)s, %(trigger)s, %(scheduled_at)s,
    asked.interval_from, asked.interval_until, asked.parameters, asked.fingerprint, job.priority, job.concurrency_key,
    job.when_held, 1 + job.retries, %(requested_by)s,
    CASE WHEN asked.skipped IS NULL THEN 'queued' ELSE 'skipped' END, asked.skipped,
    CASE WHEN asked.skipped IS NOT NULL THEN clock_timestamp() END
FROM ROWS FROM (jsonb_to_recordset(%(runs)s::jsonb) AS (
    job_id bigint, schedule_id bigint, correlation_id text, interval_from timestamptz, interval_until timestamptz,
    parameters jsonb, fingerprint text, skipped text
)) WITH ORDINALITY AS asked (
    job_id, schedule_id, correlation_id, interval_from, interval_until, parameters, fingerprint, skipped, place
) JOIN dw_etl_jobs AS job USING (job_id)
ORDER BY asked.place
ON CONFLICT DO NOTHING
RETURNING run_id;

-- name: tell_requested
INSERT INTO dw_etl_run_events (run_id, event_type, details)
SELECT
    run_id, 'requested',
    jsonb_strip_nulls(jsonb_build_object('trigger', trigger, 'cycle_id', cycle_id, 'by', requested_by))
FROM dw_etl_runs WHERE run_id = ANY (%(run_ids)s) ORDER BY run_id;

-- name: tell_skipped
INSERT INTO dw_etl_run_events (run_id, event_type, details)
SELECT run_id, 'skipped', jsonb_build_object('reason', reason)
FROM dw_etl_runs WHERE run_id = ANY (%(run_ids)s) AND status = 'skipped' ORDER BY run_id;

-- name: wait_within_cycle
INSERT INTO dw_etl_run_dependencies (run_id, parent_run_id)
SELECT run.run_id, parent.run_id
FROM dw_etl_runs AS run
    JOIN dw_etl_job_dependencies AS edge ON edge.child_job_id = run.job_id
    JOIN dw_etl_runs AS parent
        ON parent.job_id = edge.parent_job_id AND parent.cycle_id = run.cycle_id AND parent.trigger <> 'import'
WHERE run.run_id = ANY (%(run_ids)s);

-- For a parent that is not in the cycle: its latest run, whatever became of it; of one tick, which may have been made
-- again, the last that was asked for.
-- name: wait_outside_cycle
INSERT INTO dw_etl_run_dependencies (run_id, parent_run_id)
SELECT run.run_id, latest.run_id
FROM dw_etl_runs AS run
    JOIN dw_etl_job_dependencies AS edge ON edge.child_job_id = run.job_id
    CROSS JOIN LATERAL (
        SELECT parent.run_id FROM dw_etl_runs AS parent WHERE parent.job_id = edge.parent_job_id
        ORDER BY parent.scheduled_at DESC, parent.run_id DESC LIMIT 1
    ) AS latest
WHERE run.run_id = ANY (%(run_ids)s) AND NOT EXISTS (
    SELECT FROM dw_etl_runs AS within
    WHERE within.job_id = edge.parent_job_id AND within.cycle_id = run.cycle_id AND within.trigger <> 'import'
);

-- name: skip_without_parent
WITH orphan AS (
    SELECT run.run_id, min(parent.slug) AS parent
    FROM dw_etl_runs AS run
        JOIN dw_etl_job_dependencies AS edge ON edge.child_job_id = run.job_id
        JOIN dw_etl_jobs AS parent ON parent.job_id = edge.parent_job_id
    WHERE run.run_id = ANY (%(run_ids)s) AND run.status = 'queued'
        AND NOT EXISTS (SELECT FROM dw_etl_runs AS any_run WHERE any_run.job_id = edge.parent_job_id)
    GROUP BY run.run_id
)
UPDATE dw_etl_runs AS run
SET status = 'skipped', ended_at = clock_timestamp(), reason = format('its parent %%s has never run', orphan.parent)
FROM orphan WHERE run.run_id = orphan.run_id;

-- name: settle
SELECT dw_etl_settle(%(run_ids)s);

-- name: made_runs
SELECT run.run_id, job.slug, run.correlation_id, run.status, run.run_id = ANY (%(run_ids)s) AS is_new
FROM dw_etl_runs AS run JOIN dw_etl_jobs AS job USING (job_id)
WHERE run.cycle_id = %(cycle_id)s AND run.trigger <> 'import' AND job.slug = ANY (%(slugs)s)
    OR run.correlation_id = ANY (%(correlation_ids)s)
ORDER BY run.run_id;

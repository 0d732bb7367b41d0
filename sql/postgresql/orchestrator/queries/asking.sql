-- What people ask of runs.

-- name: request_cancel
SELECT dw_etl_cancel(%(run_id)s, %(by)s, %(reason)s) AS was;

-- name: reopen
SELECT dw_etl_reopen(%(run_id)s, %(by)s) AS run_id;

-- name: asked_run
SELECT run.run_id, job.slug, run.status, run.trigger, run.reason, run.because_run_id
FROM dw_etl_runs AS run JOIN dw_etl_jobs AS job USING (job_id) WHERE run.run_id = %(run_id)s;

-- Waits for a job that is just publishing.
-- name: hold_lock
SELECT
    held.fencing_token, held.run_id, job.slug, held.worker_id, held.attempt, run.maximum_attempts,
    job.backoff_seconds, job.backoff_limit_seconds
FROM dw_etl_job_locks AS held JOIN dw_etl_runs AS run USING (run_id) JOIN dw_etl_jobs AS job ON job.job_id = held.job_id
WHERE held.status = 'active' AND (held.concurrency_key = %(key)s OR held.fencing_token = %(token)s)
ORDER BY held.concurrency_key = %(key)s DESC NULLS LAST LIMIT 1 FOR UPDATE OF held;

-- name: held_keys
SELECT coalesce(concurrency_key, fencing_token::text) AS key FROM dw_etl_job_locks WHERE status = 'active'
ORDER BY fencing_token;

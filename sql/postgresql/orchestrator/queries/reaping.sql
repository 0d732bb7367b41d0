-- Attempts that ended without their worker, and runs that will not wait for a key.

-- One whose lease ran out, by this server's clock. A job that is just publishing holds its row: it comes later.
-- name: expired_attempt
SELECT
    held.fencing_token, held.run_id, job.slug, held.worker_id, held.attempt, run.maximum_attempts,
    job.backoff_seconds, job.backoff_limit_seconds,
    extract(epoch FROM clock_timestamp() - held.renewed_at)::double precision AS silent_seconds
FROM dw_etl_job_locks AS held JOIN dw_etl_runs AS run USING (run_id) JOIN dw_etl_jobs AS job ON job.job_id = held.job_id
WHERE held.status = 'active' AND held.expires_at < clock_timestamp()
LIMIT 1 FOR UPDATE OF held SKIP LOCKED;

-- name: take_away
SELECT dw_etl_take_away(
    %(token)s, %(lock_becomes)s, %(event_type)s, %(said)s::jsonb, %(failure)s::jsonb,
    %(retry_in_seconds)s::double precision
) AS status;

-- name: settle_held
SELECT dw_etl_settle_held() AS run_id;

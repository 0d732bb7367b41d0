-- Schedulers and workers: who lives, and what is left to do for those who end when nothing is.

-- name: beat_process
INSERT INTO dw_etl_processes (worker_id, kind, host, process_id, slots)
VALUES (%(worker_id)s, %(kind)s, %(host)s, %(process_id)s, %(slots)s)
ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = clock_timestamp(), ended_at = NULL;

-- name: end_process
UPDATE dw_etl_processes SET heartbeat_at = clock_timestamp(), ended_at = clock_timestamp()
WHERE worker_id = %(worker_id)s;

-- Runs that wait for others wait for these; those of disabled jobs start nothing.
-- name: work_left
SELECT
    EXISTS (SELECT FROM dw_etl_runs WHERE status = 'running')
    OR EXISTS (
        SELECT FROM dw_etl_runs AS run JOIN dw_etl_jobs AS job USING (job_id)
        WHERE run.status = 'queued' AND run.ready_at IS NOT NULL AND job.is_enabled
    )
    OR EXISTS (
        SELECT FROM dw_etl_schedules AS schedule JOIN dw_etl_jobs AS job USING (job_id)
        WHERE schedule.is_active AND job.is_enabled AND schedule.next_run_at <= clock_timestamp()
    )
    -- a channel that refused one is waited for by whoever comes next
    OR EXISTS (
        SELECT FROM dw_etl_alerts
        WHERE status = 'pending' AND last_error IS NULL AND created_at > clock_timestamp() - interval '1 minute'
    ) AS is_any;

-- name: failed_since
SELECT count(*) AS failed FROM dw_etl_runs WHERE status = 'failed' AND ended_at >= %(since)s;

-- name: now
SELECT clock_timestamp() AS now;

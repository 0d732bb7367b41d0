-- What the alerts ask of the runs before.

-- name: usual_pace
-- The median records a second of the job's last runs that read as many, more or less; how many there are.
SELECT
    count(*) AS runs,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY rows_attempted / seconds) AS rows_per_second
FROM (
    SELECT rows_attempted, extract(epoch FROM finished_at - started_at)::double precision AS seconds
    FROM etl_runs
    WHERE etl_job_id = %(job_id)s AND status = 'success' AND id <> %(run_id)s AND resumed_at IS NULL
    AND finished_at > started_at AND rows_attempted BETWEEN %(rows)s / 4 AND %(rows)s::bigint * 4
    ORDER BY run_number DESC
    LIMIT %(last)s
) AS past;

-- name: last_successes
-- When each job last had a run that was a success.
SELECT etl_job_id, target_table, max(finished_at) AS last_loaded_at, clock_timestamp() AS now
FROM etl_runs
WHERE status = 'success'
GROUP BY etl_job_id, target_table;

-- name: first_failure
SELECT error_code, error_message FROM etl_run_batches
WHERE etl_run_id = %(run_id)s AND status = 'failed'
ORDER BY batch_index
LIMIT 1;

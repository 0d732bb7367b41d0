-- What stands: each by an index, whatever the number of runs. Lists are bounded, and go on behind a row
-- (`before_at`, `before_run_id`; NULL: from the newest).

-- name: latest_success_per_parent
-- Of the job `slug`: a row for each of its parents; without a success its run is NULL.
SELECT
    parents.job_id, parents.slug, latest.run_id, latest.correlation_id, latest.cycle_id, latest.scheduled_at,
    latest.started_at, latest.ended_at, latest.records_written
FROM dw_etl_jobs AS child
JOIN dw_etl_job_dependencies AS edges ON edges.child_job_id = child.job_id
JOIN dw_etl_jobs AS parents ON parents.job_id = edges.parent_job_id
LEFT JOIN LATERAL (
    SELECT run_id, correlation_id, cycle_id, scheduled_at, started_at, ended_at, records_written
    FROM dw_etl_runs
    WHERE job_id = parents.job_id AND status = 'success'
    ORDER BY ended_at DESC
    LIMIT 1
) AS latest ON true
WHERE child.slug = %(slug)s
ORDER BY parents.slug;

-- name: recent_failures
SELECT
    runs.run_id, jobs.slug, jobs.layer, runs.cycle_id, runs.trigger, runs.scheduled_at, runs.started_at,
    runs.ended_at, runs.attempts, runs.exit_code, runs.error_class, runs.error_type, runs.error_message,
    runs.is_transient_error, runs.reason
FROM (
    SELECT * FROM dw_etl_runs
    WHERE status = 'failed'
        AND scheduled_at <= coalesce(%(before_at)s::timestamptz, 'infinity')
        AND (scheduled_at, run_id) < (
            coalesce(%(before_at)s::timestamptz, 'infinity'), coalesce(%(before_run_id)s::bigint, 9223372036854775807)
        )
    ORDER BY scheduled_at DESC, run_id DESC
    LIMIT %(limit)s
) AS runs
JOIN dw_etl_jobs AS jobs USING (job_id)
ORDER BY runs.scheduled_at DESC, runs.run_id DESC;

-- name: job_history
-- Of the job `slug`, the newest first.
SELECT
    run_id, cycle_id, trigger, status, scheduled_at, ready_at, started_at, ended_at, attempts, maximum_attempts,
    worker_id, records_read, records_written, exit_code, error_class, error_type, error_message, is_transient_error,
    reason, because_run_id
FROM dw_etl_runs
WHERE job_id = (SELECT job_id FROM dw_etl_jobs WHERE slug = %(slug)s)
    AND scheduled_at <= coalesce(%(before_at)s::timestamptz, 'infinity')
    AND (scheduled_at, run_id) < (
        coalesce(%(before_at)s::timestamptz, 'infinity'), coalesce(%(before_run_id)s::bigint, 9223372036854775807)
    )
ORDER BY scheduled_at DESC, run_id DESC
LIMIT %(limit)s;

-- name: runs_by_fingerprint
-- Of the job `slug` with these parameters, the newest first; `status` NULL: whatever became of them.
SELECT
    run_id, correlation_id, cycle_id, trigger, status, scheduled_at, started_at, ended_at, parameters,
    records_read, records_written
FROM dw_etl_runs
WHERE parameter_fingerprint = %(fingerprint)s
    AND job_id = (SELECT job_id FROM dw_etl_jobs WHERE slug = %(slug)s)
    AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY scheduled_at DESC, run_id DESC
LIMIT %(limit)s;

-- name: state_of_jobs
-- Each job with its latest run, its latest success, what is open (waiting ones counted up to 1000) and its next tick.
SELECT
    jobs.job_id, jobs.slug, jobs.title, jobs.layer, jobs.is_enabled, schedules.cron, schedules.time_zone,
    schedules.next_run_at, schedules.paused_at, latest.run_id, latest.cycle_id, latest.status, latest.scheduled_at,
    latest.started_at, latest.ended_at, latest.error_class, latest.reason, success.ended_at AS succeeded_at,
    coalesce(running.number, 0) AS running,
    (
        SELECT count(*) FROM (
            SELECT FROM dw_etl_runs WHERE job_id = jobs.job_id AND status = 'queued' LIMIT 1000
        ) AS counted
    ) AS queued
FROM dw_etl_jobs AS jobs
LEFT JOIN dw_etl_schedules AS schedules ON schedules.job_id = jobs.job_id AND schedules.is_active = true
LEFT JOIN (
    SELECT job_id, count(*) AS number FROM dw_etl_runs WHERE status = 'running' GROUP BY job_id
) AS running ON running.job_id = jobs.job_id
LEFT JOIN LATERAL (
    SELECT * FROM dw_etl_runs WHERE job_id = jobs.job_id ORDER BY scheduled_at DESC, run_id DESC LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT ended_at FROM dw_etl_runs
    WHERE job_id = jobs.job_id AND status = 'success'
    ORDER BY ended_at DESC
    LIMIT 1
) AS success ON true
ORDER BY jobs.layer, jobs.slug;

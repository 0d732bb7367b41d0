-- What the commands show.

-- name: is_installed
SELECT to_regclass('dw_etl_runs') IS NOT NULL AND to_regclass('dw_etl_run_output') IS NOT NULL AS is_installed;

-- name: jobs_shown
SELECT
    job.*,
    coalesce((SELECT array_agg(tag ORDER BY tag) FROM dw_etl_job_tags WHERE job_id = job.job_id), '{}') AS tags,
    coalesce(
        (
            SELECT array_agg(parent.slug ORDER BY parent.slug)
            FROM dw_etl_job_dependencies AS dependency
            JOIN dw_etl_jobs AS parent ON parent.job_id = dependency.parent_job_id
            WHERE dependency.child_job_id = job.job_id
        ),
        '{}'
    ) AS parents,
    schedule.cron,
    schedule.time_zone,
    schedule.catch_up,
    schedule.next_run_at,
    schedule.paused_at,
    schedule.paused_by,
    latest.run_id AS last_run_id,
    latest.status AS last_status,
    latest.cycle_id AS last_cycle_id,
    latest.started_at AS last_started_at,
    latest.ended_at AS last_ended_at
FROM dw_etl_jobs AS job
LEFT JOIN dw_etl_schedules AS schedule ON schedule.job_id = job.job_id AND schedule.is_active = true
LEFT JOIN LATERAL (
    SELECT * FROM dw_etl_runs WHERE job_id = job.job_id ORDER BY scheduled_at DESC, run_id DESC LIMIT 1
) AS latest ON true
WHERE %(slug)s::text IS NULL OR job.slug = %(slug)s
ORDER BY job.layer, job.slug;

-- Schedules and their ticks.

-- One scheduler at a time makes runs of ticks; who does not get it looks again soon.
-- name: try_lock_ticks
SELECT pg_try_advisory_xact_lock(hashtext('dw_etl_ticks'), hashtext(current_schema())) AS is_ours,
    clock_timestamp() AS now;

-- name: lock_ticks
SELECT pg_advisory_xact_lock(hashtext('dw_etl_ticks'), hashtext(current_schema()));

-- name: database_time
SELECT clock_timestamp() AS now;

-- name: next_tick
SELECT extract(epoch FROM min(next_run_at) - clock_timestamp())::float8 AS seconds
FROM dw_etl_schedules WHERE is_active = true AND paused_at IS NULL;

-- name: due_schedules
SELECT
    schedule.schedule_id, job.slug, schedule.cron, schedule.time_zone, schedule.catch_up, schedule.catch_up_limit,
    schedule.grace_seconds, schedule.next_run_at, job.is_enabled
FROM dw_etl_schedules AS schedule JOIN dw_etl_jobs AS job USING (job_id)
WHERE schedule.is_active = true AND schedule.paused_at IS NULL AND schedule.next_run_at <= %(now)s
ORDER BY schedule.schedule_id
FOR UPDATE OF schedule;

-- name: jobs_that_run
SELECT
    slug, is_enabled,
    EXISTS (SELECT FROM dw_etl_schedules WHERE job_id = job.job_id AND is_active = true) AS is_scheduled
FROM dw_etl_jobs AS job;

-- name: edges_of_jobs
SELECT parent.slug AS parent, child.slug AS child
FROM dw_etl_job_dependencies AS edge
    JOIN dw_etl_jobs AS parent ON parent.job_id = edge.parent_job_id
    JOIN dw_etl_jobs AS child ON child.job_id = edge.child_job_id;

-- name: advance_schedules
UPDATE dw_etl_schedules AS schedule
SET next_run_at = moved.next_run_at, last_run_at = coalesce(moved.last_run_at, schedule.last_run_at),
    updated_at = clock_timestamp()
FROM jsonb_to_recordset(%(moved)s::jsonb) AS moved (
    schedule_id bigint, next_run_at timestamptz, last_run_at timestamptz
)
WHERE schedule.schedule_id = moved.schedule_id;

-- Schedules as people see and change them.

-- name: schedules_shown
SELECT
    job.slug, job.is_enabled, schedule.schedule_id, schedule.cron, schedule.time_zone, schedule.catch_up,
    schedule.catch_up_limit, schedule.grace_seconds, schedule.next_run_at, schedule.last_run_at, schedule.paused_at,
    schedule.paused_by
FROM dw_etl_schedules AS schedule JOIN dw_etl_jobs AS job USING (job_id)
WHERE schedule.is_active = true
ORDER BY job.slug;

-- name: active_schedule
SELECT
    schedule_id, cron, time_zone, catch_up, catch_up_limit, grace_seconds, next_run_at, paused_at, paused_by,
    clock_timestamp() AS now
FROM dw_etl_schedules WHERE job_id = %(job_id)s AND is_active = true FOR UPDATE;

-- name: schedule_of_slug
SELECT schedule.*, clock_timestamp() AS now
FROM dw_etl_schedules AS schedule JOIN dw_etl_jobs AS job USING (job_id)
WHERE job.slug = %(slug)s AND schedule.is_active = true;

-- name: job_of_slug
SELECT job_id, is_enabled FROM dw_etl_jobs WHERE slug = %(slug)s;

-- name: slugs_of_jobs
SELECT slug FROM dw_etl_jobs ORDER BY slug;

-- name: pause_schedule
UPDATE dw_etl_schedules
SET paused_at = clock_timestamp(), paused_by = %(paused_by)s, next_run_at = NULL, updated_at = clock_timestamp()
WHERE schedule_id = %(schedule_id)s;

-- name: start_schedule
UPDATE dw_etl_schedules
SET paused_at = NULL, paused_by = NULL, next_run_at = %(next_run_at)s, updated_at = clock_timestamp()
WHERE schedule_id = %(schedule_id)s;

-- name: end_schedule
UPDATE dw_etl_schedules SET is_active = false, next_run_at = NULL, updated_at = clock_timestamp()
WHERE schedule_id = %(schedule_id)s;

-- name: insert_schedule
INSERT INTO dw_etl_schedules (
    job_id, cron, time_zone, catch_up, catch_up_limit, grace_seconds, next_run_at, paused_at, paused_by
) VALUES (
    %(job_id)s, %(cron)s, %(time_zone)s, %(catch_up)s, %(catch_up_limit)s, %(grace_seconds)s, %(next_run_at)s,
    %(paused_at)s, %(paused_by)s
);

-- Processes that are not heard of any more, and those that are long gone. Whoever comes back writes so himself.
-- name: tidy_processes
WITH forgotten AS (
    DELETE FROM dw_etl_processes WHERE ended_at < clock_timestamp() - make_interval(secs => %(kept_seconds)s)
)
UPDATE dw_etl_processes SET ended_at = heartbeat_at
WHERE ended_at IS NULL AND heartbeat_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
RETURNING worker_id, kind;

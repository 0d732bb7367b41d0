-- Jobs, and all that belongs to them, from conf/jobs.

-- name: lock_seed
-- Whoever disables a job meanwhile is waited for, or waits.
SELECT pg_advisory_xact_lock(hashtext('dw_etl_seed'), hashtext(current_schema()));
SELECT FROM dw_etl_jobs ORDER BY job_id FOR NO KEY UPDATE;

-- name: seeded_jobs
SELECT
    jobs.*,
    ARRAY(SELECT tag FROM dw_etl_job_tags AS tags WHERE tags.job_id = jobs.job_id ORDER BY tag) AS tags,
    ARRAY(
        SELECT parents.slug
        FROM dw_etl_job_dependencies AS edges
        JOIN dw_etl_jobs AS parents ON parents.job_id = edges.parent_job_id
        WHERE edges.child_job_id = jobs.job_id
        ORDER BY parents.slug
    ) AS parents,
    (
        SELECT jsonb_build_object(
            'cron', cron, 'time_zone', time_zone, 'catch_up', catch_up, 'catch_up_limit', catch_up_limit,
            'grace_seconds', grace_seconds
        )
        FROM dw_etl_schedules AS schedules
        WHERE schedules.job_id = jobs.job_id AND is_active = true
        ORDER BY created_at DESC, schedule_id DESC
        LIMIT 1
    ) AS schedule,
    coalesce(queued.runs, 0) AS queued_runs
FROM dw_etl_jobs AS jobs
LEFT JOIN (
    SELECT job_id, count(*) AS runs FROM dw_etl_runs WHERE status = 'queued' GROUP BY job_id
) AS queued ON queued.job_id = jobs.job_id
ORDER BY jobs.slug;

-- name: seeded_parallelism
SELECT scope, maximum FROM dw_etl_parallelism ORDER BY scope;

-- name: insert_job
INSERT INTO dw_etl_jobs (
    slug, title, layer, kind, command, parameters, parameters_schema, priority, concurrency_key, when_held, retries,
    backoff_seconds, backoff_limit_seconds, retry_for_seconds, timeout_seconds, grace_seconds, late_after_seconds,
    stuck_after_seconds, is_enabled, is_enabled_by_file, source_file
) VALUES (
    %(slug)s, %(title)s, %(layer)s, %(kind)s, %(command)s, %(parameters)s, %(parameters_schema)s, %(priority)s,
    %(concurrency_key)s, %(when_held)s, %(retries)s, %(backoff_seconds)s, %(backoff_limit_seconds)s,
    %(retry_for_seconds)s, %(timeout_seconds)s, %(grace_seconds)s, %(late_after_seconds)s, %(stuck_after_seconds)s,
    %(is_enabled)s, %(is_enabled_by_file)s, %(source_file)s
)
RETURNING job_id;

-- name: update_job
UPDATE dw_etl_jobs SET
    title = %(title)s, layer = %(layer)s, kind = %(kind)s, command = %(command)s, parameters = %(parameters)s,
    parameters_schema = %(parameters_schema)s, priority = %(priority)s, concurrency_key = %(concurrency_key)s,
    when_held = %(when_held)s, retries = %(retries)s, backoff_seconds = %(backoff_seconds)s,
    backoff_limit_seconds = %(backoff_limit_seconds)s, retry_for_seconds = %(retry_for_seconds)s,
    timeout_seconds = %(timeout_seconds)s, grace_seconds = %(grace_seconds)s,
    late_after_seconds = %(late_after_seconds)s, stuck_after_seconds = %(stuck_after_seconds)s,
    is_enabled = %(is_enabled)s, is_enabled_by_file = %(is_enabled_by_file)s, source_file = %(source_file)s,
    updated_at = clock_timestamp()
WHERE slug = %(slug)s;

-- name: retire_job
-- Its runs stay, and are read; it makes no more of them.
UPDATE dw_etl_jobs SET
    is_enabled = false, is_enabled_by_file = NULL, source_file = NULL, updated_at = clock_timestamp()
WHERE slug = %(slug)s;

-- name: cancel_queued_runs
-- After all else that is locked: whoever makes runs locks schedules first, then runs.
SELECT dw_etl_lock_around(ARRAY(
    SELECT run_id FROM dw_etl_runs WHERE job_id = ANY (%(job_ids)s::bigint[]) AND status = 'queued'
));
SELECT dw_etl_cancel(waiting.run_id, 'migrate', 'its job is in no file any more')
FROM (
    SELECT run_id FROM dw_etl_runs WHERE job_id = ANY (%(job_ids)s::bigint[]) AND status = 'queued' ORDER BY run_id
) AS waiting;

-- name: set_tags
WITH gone AS (
    DELETE FROM dw_etl_job_tags WHERE job_id = %(job_id)s AND tag <> ALL(%(tags)s::text[])
)
INSERT INTO dw_etl_job_tags (job_id, tag) SELECT %(job_id)s, unnest(%(tags)s::text[])
ON CONFLICT DO NOTHING;

-- name: set_parents
WITH gone AS (
    DELETE FROM dw_etl_job_dependencies WHERE child_job_id = %(job_id)s AND parent_job_id NOT IN (
        SELECT job_id FROM dw_etl_jobs WHERE slug = ANY(%(parents)s::text[])
    )
)
INSERT INTO dw_etl_job_dependencies (parent_job_id, child_job_id)
SELECT job_id, %(job_id)s FROM dw_etl_jobs WHERE slug = ANY(%(parents)s::text[])
ON CONFLICT DO NOTHING;

-- name: set_parallelism
INSERT INTO dw_etl_parallelism (scope, maximum) VALUES (%(scope)s, %(maximum)s)
ON CONFLICT (scope) DO UPDATE SET maximum = excluded.maximum;

-- name: remove_parallelism
DELETE FROM dw_etl_parallelism WHERE scope = %(scope)s;

-- name: leave_graph
DELETE FROM dw_etl_job_dependencies WHERE parent_job_id = %(job_id)s OR child_job_id = %(job_id)s;

-- What the commands show.

-- name: is_installed
SELECT to_regclass('dw_etl_runs') IS NOT NULL AND to_regclass('dw_etl_run_output') IS NOT NULL AS is_installed;

-- name: slugs
SELECT slug FROM dw_etl_jobs ORDER BY slug;

-- name: job_shown
SELECT
    jobs.*, clock_timestamp() AS seen_at,
    schedules.schedule_id, schedules.cron, schedules.time_zone, schedules.catch_up, schedules.catch_up_limit,
    schedules.next_run_at, schedules.last_run_at, schedules.paused_at, schedules.paused_by
FROM dw_etl_jobs AS jobs
LEFT JOIN dw_etl_schedules AS schedules ON schedules.job_id = jobs.job_id AND schedules.is_active = true
WHERE jobs.slug = %(slug)s;

-- name: job_ties
-- Each job's tags, and on which it depends.
SELECT
    jobs.slug, jobs.layer, jobs.is_enabled,
    coalesce((SELECT array_agg(tag ORDER BY tag) FROM dw_etl_job_tags WHERE job_id = jobs.job_id), '{}') AS tags,
    coalesce(
        (
            SELECT array_agg(parents.slug ORDER BY parents.slug)
            FROM dw_etl_job_dependencies AS edges
            JOIN dw_etl_jobs AS parents ON parents.job_id = edges.parent_job_id
            WHERE edges.child_job_id = jobs.job_id
        ),
        '{}'
    ) AS parents
FROM dw_etl_jobs AS jobs
ORDER BY jobs.slug;

-- name: enable_job
UPDATE dw_etl_jobs SET is_enabled = %(is_enabled)s, updated_at = clock_timestamp()
WHERE slug = %(slug)s AND is_enabled <> %(is_enabled)s
RETURNING slug;

-- name: runs_by_status
-- The newest of these statuses: each status by its own index, whatever the number of runs. An age is counted from now()
-- and not from clock_timestamp(), which no index can be asked with.
SELECT runs.*, jobs.slug, jobs.layer
FROM unnest(%(statuses)s::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT * FROM dw_etl_runs
    WHERE status = wanted.status
        AND scheduled_at >= coalesce(%(since)s::timestamptz, now() - make_interval(secs => %(age)s), '-infinity')
        AND scheduled_at <= coalesce(%(before_at)s::timestamptz, 'infinity')
        AND (scheduled_at, run_id)
            < (coalesce(%(before_at)s::timestamptz, 'infinity'), coalesce(%(before_run_id)s, 9223372036854775807))
    ORDER BY scheduled_at DESC, run_id DESC
    LIMIT %(limit)s
) AS runs
JOIN dw_etl_jobs AS jobs ON jobs.job_id = runs.job_id
ORDER BY runs.scheduled_at DESC, runs.run_id DESC
LIMIT %(limit)s;

-- name: runs_of_jobs
-- The same of one job, or of a layer's.
SELECT runs.*, jobs.slug, jobs.layer
FROM dw_etl_jobs AS jobs
CROSS JOIN LATERAL (
    SELECT * FROM dw_etl_runs
    WHERE job_id = jobs.job_id
        AND status = ANY (%(statuses)s::text[])
        AND scheduled_at >= coalesce(%(since)s::timestamptz, now() - make_interval(secs => %(age)s), '-infinity')
        AND scheduled_at <= coalesce(%(before_at)s::timestamptz, 'infinity')
        AND (scheduled_at, run_id)
            < (coalesce(%(before_at)s::timestamptz, 'infinity'), coalesce(%(before_run_id)s, 9223372036854775807))
    ORDER BY scheduled_at DESC, run_id DESC
    LIMIT %(limit)s
) AS runs
WHERE (%(slug)s::text IS NULL OR jobs.slug = %(slug)s) AND (%(layer)s::text IS NULL OR jobs.layer = %(layer)s)
ORDER BY runs.scheduled_at DESC, runs.run_id DESC
LIMIT %(limit)s;

-- name: runs_of_cycle
SELECT runs.*, jobs.slug, jobs.layer
FROM dw_etl_runs AS runs
JOIN dw_etl_jobs AS jobs ON jobs.job_id = runs.job_id
WHERE runs.cycle_id = ANY (%(cycle_ids)s::text[])
    AND runs.trigger <> 'import'
    AND runs.status = ANY (%(statuses)s::text[])
    AND runs.scheduled_at >= coalesce(%(since)s::timestamptz, now() - make_interval(secs => %(age)s), '-infinity')
    AND (%(slug)s::text IS NULL OR jobs.slug = %(slug)s)
    AND (%(layer)s::text IS NULL OR jobs.layer = %(layer)s)
    AND (runs.scheduled_at, runs.run_id)
        < (coalesce(%(before_at)s::timestamptz, 'infinity'), coalesce(%(before_run_id)s, 9223372036854775807))
ORDER BY runs.scheduled_at DESC, runs.run_id DESC
LIMIT %(limit)s;

-- name: run_shown
-- By its number, or by its correlation id.
SELECT runs.*, jobs.slug, jobs.title, jobs.layer, jobs.kind, jobs.is_enabled, clock_timestamp() AS seen_at
FROM dw_etl_runs AS runs
JOIN dw_etl_jobs AS jobs ON jobs.job_id = runs.job_id
WHERE runs.run_id = %(run_id)s::bigint OR runs.correlation_id = %(correlation_id)s;

-- name: open_runs_of_job
SELECT run_id FROM dw_etl_runs
WHERE job_id = %(job_id)s AND status IN ('queued', 'running')
ORDER BY scheduled_at, run_id
LIMIT 100;

-- name: latest_run_of_job
SELECT * FROM dw_etl_runs WHERE job_id = %(job_id)s ORDER BY scheduled_at DESC, run_id DESC LIMIT 1;

-- name: events_of_run
SELECT * FROM dw_etl_run_events WHERE run_id = %(run_id)s ORDER BY event_id;

-- name: tables_of_run
SELECT * FROM dw_etl_run_tables WHERE run_id = %(run_id)s
ORDER BY fencing_token, ledger, ledger_run_id, table_name, destination;

-- name: alerts_of_run
SELECT alert_id, kind, channel, status, created_at, attempts, sent_at, last_error
FROM dw_etl_alerts WHERE run_id = %(run_id)s ORDER BY alert_id;

-- name: parents_of_run
SELECT parents.*, jobs.slug
FROM dw_etl_run_dependencies AS waits
JOIN dw_etl_runs AS parents ON parents.run_id = waits.parent_run_id
JOIN dw_etl_jobs AS jobs ON jobs.job_id = parents.job_id
WHERE waits.run_id = %(run_id)s
ORDER BY jobs.slug;

-- name: children_of_run
SELECT children.*, jobs.slug
FROM dw_etl_run_dependencies AS waits
JOIN dw_etl_runs AS children ON children.run_id = waits.run_id
JOIN dw_etl_jobs AS jobs ON jobs.job_id = children.job_id
WHERE waits.parent_run_id = %(run_id)s
ORDER BY jobs.slug;

-- name: output_of_run
SELECT attempt, piece, stream, ts, text FROM dw_etl_run_output
WHERE run_id = %(run_id)s AND attempt = %(attempt)s AND piece > %(after)s
ORDER BY piece;

-- name: attempts_with_output
SELECT DISTINCT attempt FROM dw_etl_run_output WHERE run_id = %(run_id)s ORDER BY attempt;

-- name: holder_of_key
SELECT locks.*, jobs.slug, clock_timestamp() AS seen_at
FROM dw_etl_job_locks AS locks
JOIN dw_etl_jobs AS jobs ON jobs.job_id = locks.job_id
WHERE locks.status = 'active' AND locks.concurrency_key = %(concurrency_key)s;

-- name: active_locks
SELECT locks.*, jobs.slug, runs.cycle_id, clock_timestamp() AS seen_at
FROM dw_etl_job_locks AS locks
JOIN dw_etl_jobs AS jobs ON jobs.job_id = locks.job_id
JOIN dw_etl_runs AS runs ON runs.run_id = locks.run_id
WHERE locks.status = 'active'
ORDER BY locks.concurrency_key, locks.fencing_token;

-- name: runs_ahead
-- Of its key, that are claimed before it: counted up to 1000.
SELECT count(*) AS ahead FROM (
    SELECT FROM dw_etl_runs
    WHERE status = 'queued' AND ready_at <= clock_timestamp() AND concurrency_key = %(concurrency_key)s
        AND (-priority, ready_at, run_id) < (-%(priority)s, %(ready_at)s, %(run_id)s)
    LIMIT 1000
) AS found;

-- name: limits_of_job
SELECT
    limits.scope,
    limits.maximum,
    (
        SELECT count(*)
        FROM dw_etl_job_locks AS locks
        JOIN dw_etl_jobs AS jobs ON jobs.job_id = locks.job_id
        WHERE locks.status = 'active'
            AND (
                limits.scope = 'all'
                OR limits.scope = 'layer:' || jobs.layer
                OR EXISTS (
                    SELECT FROM dw_etl_job_tags AS tags
                    WHERE tags.job_id = jobs.job_id AND limits.scope = 'tag:' || tags.tag
                )
            )
    ) AS running
FROM dw_etl_parallelism AS limits
JOIN dw_etl_jobs AS job ON job.job_id = %(job_id)s
WHERE limits.scope = 'all'
    OR limits.scope = 'layer:' || job.layer
    OR EXISTS (
        SELECT FROM dw_etl_job_tags AS tags
        WHERE tags.job_id = job.job_id AND limits.scope = 'tag:' || tags.tag
    )
ORDER BY limits.scope;

-- name: processes_alive
SELECT
    kinds.kind,
    count(processes.worker_id) AS alive,
    coalesce(sum(processes.slots), 0) AS slots,
    (SELECT max(heartbeat_at) FROM dw_etl_processes WHERE kind = kinds.kind) AS last_heard_at,
    (SELECT count(*) FROM dw_etl_job_locks WHERE status = 'active') AS running
FROM (VALUES ('scheduler'), ('worker')) AS kinds (kind)
LEFT JOIN dw_etl_processes AS processes
    ON processes.kind = kinds.kind AND processes.ended_at IS NULL
    AND processes.heartbeat_at > clock_timestamp() - make_interval(secs => %(silent_seconds)s)
GROUP BY kinds.kind;

-- name: latest_cycle
-- The newest with something open; without one the newest of all.
(
    SELECT cycle_id, 0 AS rank, scheduled_at, run_id FROM dw_etl_runs WHERE status = 'running'
    ORDER BY scheduled_at DESC, run_id DESC LIMIT 1
)
UNION ALL
(
    SELECT cycle_id, 1, scheduled_at, run_id FROM dw_etl_runs WHERE status = 'queued'
    ORDER BY scheduled_at DESC, run_id DESC LIMIT 1
)
UNION ALL
(SELECT cycle_id, 2, scheduled_at, run_id FROM dw_etl_runs WHERE trigger <> 'import' ORDER BY run_id DESC LIMIT 1)
ORDER BY rank
LIMIT 1;

-- name: cycles_like
-- The newest cycles, for who has mistyped one.
SELECT DISTINCT cycle_id FROM (
    SELECT cycle_id FROM dw_etl_runs WHERE trigger <> 'import' ORDER BY run_id DESC LIMIT 2000
) AS recent;

-- name: cycles_of_backfill
-- Those whose ids begin so, one after another by the index.
WITH RECURSIVE found AS (
    (
        SELECT cycle_id FROM dw_etl_runs WHERE trigger <> 'import' AND cycle_id >= %(prefix)s
        ORDER BY cycle_id LIMIT 1
    )
    UNION ALL
    SELECT following.cycle_id FROM found CROSS JOIN LATERAL (
        SELECT cycle_id FROM dw_etl_runs WHERE trigger <> 'import' AND cycle_id > found.cycle_id
        ORDER BY cycle_id LIMIT 1
    ) AS following
    WHERE starts_with(found.cycle_id, %(prefix)s)
)
SELECT cycle_id FROM found WHERE starts_with(cycle_id, %(prefix)s);

-- name: cycle_watched
SELECT
    runs.run_id, jobs.slug, jobs.layer, runs.trigger, runs.status, runs.attempts, runs.maximum_attempts,
    runs.worker_id, runs.scheduled_at, runs.created_at, runs.ready_at, runs.started_at, runs.ended_at,
    runs.records_written, runs.error_class, runs.error_message, runs.reason, runs.because_run_id,
    runs.cancel_requested_at, jobs.is_enabled,
    clock_timestamp() AS seen_at,
    CASE WHEN runs.status = 'queued' THEN
        (
            SELECT array_agg(waited.slug ORDER BY parents.status = 'running' DESC, waited.slug)
            FROM dw_etl_run_dependencies AS waits
            JOIN dw_etl_runs AS parents ON parents.run_id = waits.parent_run_id AND parents.status <> 'success'
            JOIN dw_etl_jobs AS waited ON waited.job_id = parents.job_id
            WHERE waits.run_id = runs.run_id
        )
    END AS waits_for,
    CASE WHEN runs.status = 'queued' AND runs.ready_at IS NOT NULL THEN
        (
            SELECT run_id FROM dw_etl_job_locks
            WHERE status = 'active' AND concurrency_key = runs.concurrency_key
        )
    END AS held_by
FROM dw_etl_runs AS runs
JOIN dw_etl_jobs AS jobs ON jobs.job_id = runs.job_id
WHERE runs.cycle_id = ANY (%(cycle_ids)s::text[]) AND runs.trigger <> 'import'
ORDER BY runs.run_id;

-- name: lock_correlation
SELECT pg_advisory_xact_lock(hashtext('dw_etl_correlation'), hashtext(%(correlation_id)s));

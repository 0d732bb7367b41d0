-- Alerts: who is told of what, and what is to be told; what becomes of it is the outbox's (sql/postgresql/alerts).

-- name: write_alert_rules
SELECT pg_advisory_xact_lock(hashtext('dw_etl_alert_rules'), hashtext(current_schema()));
DELETE FROM dw_etl_alert_rules WHERE channel <> ALL (%(left)s::text[]);
INSERT INTO dw_etl_alert_rules (channel, kinds, layers, tags, jobs, dedupe_seconds)
SELECT channel, kinds, layers, tags, jobs, dedupe_seconds
FROM jsonb_to_recordset(%(rules)s::jsonb) AS rule (
    channel text, kinds text[], layers text[], tags text[], jobs text[], dedupe_seconds double precision
);

-- name: alert_rules_of_nothing
-- What rules name and no job has.
SELECT rule.channel, named.what, named.name
FROM dw_etl_alert_rules AS rule
CROSS JOIN LATERAL (
    SELECT 'layer' AS what, name FROM unnest(rule.layers) AS name
    WHERE NOT EXISTS (SELECT FROM dw_etl_jobs WHERE layer = name)
    UNION ALL
    SELECT 'tag', name FROM unnest(rule.tags) AS name WHERE NOT EXISTS (SELECT FROM dw_etl_job_tags WHERE tag = name)
    UNION ALL
    SELECT 'job', name FROM unnest(rule.jobs) AS name WHERE NOT EXISTS (SELECT FROM dw_etl_jobs WHERE slug = name)
) AS named
ORDER BY rule.channel, named.what, named.name;

-- name: tell_of_overdue
-- Late is a scheduled run that has not started so long after its tick; stuck an attempt that goes on for so long. Of a
-- job one late run at a time: behind one there may be a hundred thousand.
WITH overdue AS (
    SELECT
        'late' AS kind, run.run_id, target.slug, target.channel, target.dedupe_seconds,
        jsonb_build_object('limit_seconds', job.late_after_seconds, 'is_ready', run.ready_at IS NOT NULL) AS facts
    FROM dw_etl_jobs AS job
    CROSS JOIN LATERAL dw_etl_alert_targets(job.job_id, 'late') AS target
    CROSS JOIN LATERAL (
        SELECT waiting.run_id, waiting.ready_at FROM dw_etl_runs AS waiting
        WHERE waiting.job_id = job.job_id AND waiting.status = 'queued' AND waiting.ended_at IS NULL
        AND waiting.trigger = 'schedule' AND waiting.started_at IS NULL
        AND waiting.scheduled_at < clock_timestamp() - job.late_after_seconds * interval '1 second'
        AND NOT EXISTS (
            SELECT FROM dw_etl_alerts AS told
            WHERE told.run_id = waiting.run_id AND told.kind = 'late' AND told.channel = target.channel
        )
        LIMIT 1
    ) AS run
    WHERE job.late_after_seconds IS NOT NULL AND job.is_enabled
    UNION ALL
    SELECT
        'stuck', run.run_id, target.slug, target.channel, target.dedupe_seconds,
        jsonb_build_object(
            'limit_seconds', job.stuck_after_seconds, 'attempt', held.attempt,
            'maximum_attempts', run.maximum_attempts, 'worker_id', held.worker_id, 'started_at', held.acquired_at
        )
    FROM dw_etl_job_locks AS held
    JOIN dw_etl_runs AS run ON run.run_id = held.run_id AND run.fencing_token = held.fencing_token
    JOIN dw_etl_jobs AS job ON job.job_id = run.job_id
    CROSS JOIN LATERAL dw_etl_alert_targets(job.job_id, 'stuck') AS target
    WHERE held.status = 'active' AND run.status = 'running'
    AND held.acquired_at < clock_timestamp() - job.stuck_after_seconds * interval '1 second'
    AND NOT EXISTS (
        SELECT FROM dw_etl_alerts AS told
        WHERE told.run_id = run.run_id AND told.kind = 'stuck' AND told.channel = target.channel
    )
)
INSERT INTO dw_etl_alerts (run_id, kind, channel, dedupe_key, dedupe_seconds, facts)
SELECT run_id, kind, channel, kind || ':' || slug, dedupe_seconds, facts
FROM overdue
ORDER BY run_id, kind, channel
ON CONFLICT DO NOTHING
RETURNING alert_id;

-- name: alert_surroundings
-- What an alert says of its run beside the facts; `skipped`: the jobs that did not run because of it.
WITH RECURSIVE below AS (
    SELECT run_id FROM dw_etl_run_dependencies WHERE parent_run_id = %(run_id)s
    UNION
    SELECT dependency.run_id FROM dw_etl_run_dependencies AS dependency
    JOIN below ON dependency.parent_run_id = below.run_id
)
SELECT
    job.slug, job.title, job.layer, run.cycle_id, run.trigger, run.scheduled_at,
    array(
        SELECT skipped_job.slug
        FROM below
        JOIN dw_etl_runs AS skipped ON skipped.run_id = below.run_id
        JOIN dw_etl_jobs AS skipped_job ON skipped_job.job_id = skipped.job_id
        WHERE skipped.status = 'skipped' AND skipped.because_run_id = %(run_id)s
        ORDER BY skipped_job.slug
    ) AS skipped
FROM dw_etl_runs AS run
JOIN dw_etl_jobs AS job ON job.job_id = run.job_id
WHERE run.run_id = %(run_id)s;

-- name: alerts_shown
SELECT
    alert.alert_id, alert.run_id, job.slug, alert.kind, alert.channel, alert.status, alert.attempts,
    alert.created_at, alert.sent_at, alert.subject, alert.body, alert.last_error,
    CASE WHEN alert.status = 'pending' THEN alert.next_attempt_at END AS next_attempt_at
FROM dw_etl_alerts AS alert
JOIN dw_etl_runs AS run ON run.run_id = alert.run_id
JOIN dw_etl_jobs AS job ON job.job_id = run.job_id
WHERE (%(channel)s::text IS NULL OR alert.channel = %(channel)s)
AND (%(status)s::text IS NULL OR alert.status = %(status)s)
AND (%(run_id)s::bigint IS NULL OR alert.run_id = %(run_id)s)
ORDER BY alert.alert_id DESC
LIMIT %(limit)s;

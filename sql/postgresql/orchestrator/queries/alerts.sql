-- Alerts: who is told of what, what is to be told, and what became of it.

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

-- name: give_up_old_alerts
UPDATE dw_etl_alerts
SET status = 'given_up', last_error = coalesce(last_error, 'no scheduler has a channel of this name')
WHERE status = 'pending' AND created_at < clock_timestamp() - %(seconds)s * interval '1 second'
AND next_attempt_at <= clock_timestamp()
RETURNING alert_id, channel, run_id, last_error;

-- name: claim_alert
-- The oldest that is due, for whoever asks first; nobody else gets it before the lease has ended. Where the channel was
-- told the same of the job a short time ago, it is suppressed instead: unless the job had recovered in between. A
-- recovery waits for the failures before it: the last that is told of a job is how it stands.
SELECT pg_advisory_xact_lock(hashtext('dw_etl_alerts'), hashtext(current_schema() || '/' || %(channel)s));
WITH due AS (
    SELECT alert_id, dedupe_key, dedupe_seconds, created_at, attempts
    FROM dw_etl_alerts AS next
    WHERE channel = %(channel)s AND status = 'pending' AND next_attempt_at <= clock_timestamp()
    AND NOT (kind = 'recovered' AND EXISTS (
        SELECT FROM dw_etl_alerts AS failure
        WHERE failure.dedupe_key = 'failure:' || split_part(next.dedupe_key, ':', 2)
        AND failure.channel = %(channel)s AND failure.alert_id < next.alert_id AND failure.status = 'pending'
    ))
    ORDER BY alert_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), judged AS (
    SELECT
        due.alert_id, coalesce(told.alert_id, 0) AS told_id,
        due.attempts = 0 AND told.alert_id IS NOT NULL
        AND told.created_at > due.created_at - due.dedupe_seconds * interval '1 second'
        AND NOT EXISTS (
            SELECT FROM dw_etl_alerts AS recovered
            WHERE recovered.dedupe_key = 'recovered:' || split_part(due.dedupe_key, ':', 2)
            AND recovered.channel = %(channel)s
            AND recovered.alert_id BETWEEN told.alert_id AND due.alert_id
        ) AS is_repeated
    FROM due
    LEFT JOIN LATERAL (
        SELECT before.alert_id, before.created_at FROM dw_etl_alerts AS before
        WHERE before.dedupe_key = due.dedupe_key AND before.channel = %(channel)s
        AND before.alert_id < due.alert_id AND before.status IN ('pending', 'sent')
        ORDER BY before.alert_id DESC
        LIMIT 1
    ) AS told ON true
)
UPDATE dw_etl_alerts AS alert
SET
    status = CASE WHEN judged.is_repeated THEN 'suppressed' ELSE 'pending' END,
    attempts = alert.attempts + CASE WHEN judged.is_repeated THEN 0 ELSE 1 END,
    next_attempt_at = clock_timestamp() + %(lease_seconds)s * interval '1 second'
FROM judged
WHERE alert.alert_id = judged.alert_id
RETURNING
    alert.alert_id, alert.run_id, alert.kind, alert.channel, alert.status, alert.attempts, alert.subject, alert.body,
    alert.created_at, extract(epoch FROM clock_timestamp() - alert.created_at)::double precision AS age_seconds,
    alert.facts || jsonb_build_object('suppressed', CASE WHEN judged.is_repeated THEN 0 ELSE (
        SELECT count(*) FROM dw_etl_alerts AS kept
        WHERE kept.dedupe_key = alert.dedupe_key AND kept.channel = %(channel)s AND kept.status = 'suppressed'
        AND kept.alert_id > judged.told_id AND kept.alert_id < alert.alert_id
    ) END) AS facts;

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

-- name: word_alert
UPDATE dw_etl_alerts SET subject = %(subject)s, body = %(body)s WHERE alert_id = %(alert_id)s;

-- name: alert_sent
UPDATE dw_etl_alerts SET status = 'sent', sent_at = clock_timestamp(), last_error = NULL
WHERE alert_id = %(alert_id)s AND status = 'pending';

-- name: alert_not_sent
UPDATE dw_etl_alerts
SET
    last_error = %(error)s,
    status = CASE WHEN %(wait_seconds)s::double precision IS NULL THEN 'given_up' ELSE 'pending' END,
    next_attempt_at = clock_timestamp() + coalesce(%(wait_seconds)s, 0) * interval '1 second'
WHERE alert_id = %(alert_id)s AND status = 'pending';

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

-- What the main job, the staging loader and the uploader write into their outboxes. (The orchestrator's alerts are
-- written by the transactions that end its runs.)

-- name: outbox_exists
SELECT to_regclass('{alerts}') IS NOT NULL AS is_there;

-- name: write_alerts
-- What a run found, and what is well again: where the channel was told, or is to be, and nothing was found of it now.
SELECT pg_advisory_xact_lock(hashtext('{alerts}'), hashtext(current_schema()));
INSERT INTO {alerts} (run_id, kind, channel, table_name, destination, dedupe_key, dedupe_seconds, facts)
SELECT
    %(run_id)s::text, found.kind, found.channel, found.table_name, found.destination, 'failure:' || found.cause,
    found.dedupe_seconds, found.facts
FROM jsonb_to_recordset(%(found)s::jsonb) AS found (
    kind text, channel text, table_name text, destination text, cause text, dedupe_seconds double precision,
    facts jsonb
)
UNION ALL
SELECT
    %(run_id)s::text, 'recovered', fine.channel, fine.table_name, fine.destination, 'recovered:' || fine.cause, 0,
    told.facts || jsonb_build_object('was', told.kind, 'run_id', told.run_id, 'told_at', told.created_at)
FROM jsonb_to_recordset(%(fine)s::jsonb) AS fine (channel text, table_name text, destination text, cause text)
CROSS JOIN LATERAL (
    SELECT alert_id, kind, run_id, created_at, facts FROM {alerts} AS before
    WHERE before.dedupe_key = 'failure:' || fine.cause AND before.channel = fine.channel
    AND before.status IN ('pending', 'sent')
    ORDER BY alert_id DESC
    LIMIT 1
) AS told
WHERE NOT EXISTS (
    SELECT FROM {alerts} AS recovered
    WHERE recovered.dedupe_key = 'recovered:' || fine.cause AND recovered.channel = fine.channel
    AND recovered.alert_id > told.alert_id
);

-- name: pending_channels
SELECT DISTINCT channel FROM {alerts} WHERE status = 'pending' AND next_attempt_at <= clock_timestamp();

-- name: list_alerts
SELECT
    alert_id, run_id, kind, table_name, destination, channel, status, attempts, created_at, sent_at, subject, body,
    last_error, CASE WHEN status = 'pending' THEN next_attempt_at END AS next_attempt_at
FROM {alerts}
WHERE (%(channel)s::text IS NULL OR channel = %(channel)s)
AND (%(status)s::text IS NULL OR status = %(status)s)
AND (%(run_id)s::text IS NULL OR run_id = %(run_id)s)
ORDER BY alert_id DESC
LIMIT %(limit)s;

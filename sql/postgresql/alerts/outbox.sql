-- The outbox of every tool that tells people of something: what is to be told, and what became of it. {alerts} is the
-- tool's table; {message} is what those have in common that go out as one message.

-- name: claim_alerts
-- The oldest that is due, and all that go with it, for whoever asks first; nobody else gets them before the lease has
-- ended. Where the channel was told the same of the cause a short time ago, one is suppressed instead: unless the cause
-- was gone in between. A recovery waits for the failures before it: the last that is told of a cause is how it stands.
SELECT pg_advisory_xact_lock(hashtext('{alerts}'), hashtext(concat(current_schema(), '/', %(channel)s::text)));
WITH ready AS NOT MATERIALIZED (
    SELECT alert_id, dedupe_key, dedupe_seconds, created_at, attempts, {message} AS message
    FROM {alerts} AS next
    WHERE channel = %(channel)s AND status = 'pending' AND next_attempt_at <= clock_timestamp()
    AND NOT (kind = 'recovered' AND EXISTS (
        SELECT FROM {alerts} AS failure
        WHERE failure.dedupe_key = 'failure:' || substr(next.dedupe_key, strpos(next.dedupe_key, ':') + 1)
        AND failure.channel = %(channel)s AND failure.alert_id < next.alert_id AND failure.status = 'pending'
    ))
), due AS (
    SELECT * FROM ready WHERE message = (SELECT message FROM ready ORDER BY alert_id LIMIT 1)
), judged AS (
    SELECT
        due.alert_id, coalesce(told.alert_id, 0) AS told_id,
        due.attempts = 0 AND told.alert_id IS NOT NULL
        AND told.created_at > due.created_at - due.dedupe_seconds * interval '1 second'
        AND NOT EXISTS (
            SELECT FROM {alerts} AS recovered
            WHERE recovered.dedupe_key
                = 'recovered:' || substr(due.dedupe_key, strpos(due.dedupe_key, ':') + 1)
            AND recovered.channel = %(channel)s
            AND recovered.alert_id BETWEEN told.alert_id AND due.alert_id
        ) AS is_repeated
    FROM due
    LEFT JOIN LATERAL (
        SELECT before.alert_id, before.created_at FROM {alerts} AS before
        WHERE before.dedupe_key = due.dedupe_key AND before.channel = %(channel)s
        AND before.alert_id < due.alert_id AND before.status IN ('pending', 'sent')
        ORDER BY before.alert_id DESC
        LIMIT 1
    ) AS told ON true
)
UPDATE {alerts} AS alert
SET
    status = CASE WHEN judged.is_repeated THEN 'suppressed' ELSE 'pending' END,
    attempts = alert.attempts + CASE WHEN judged.is_repeated THEN 0 ELSE 1 END,
    next_attempt_at = clock_timestamp() + %(lease_seconds)s::double precision * interval '1 second'
FROM judged
WHERE alert.alert_id = judged.alert_id
RETURNING
    alert.alert_id, alert.run_id, alert.kind, alert.channel, alert.status, alert.attempts, alert.subject, alert.body,
    alert.created_at, extract(epoch FROM clock_timestamp() - alert.created_at)::double precision AS age_seconds,
    alert.facts || jsonb_build_object('suppressed', CASE WHEN judged.is_repeated THEN 0 ELSE (
        SELECT count(*) FROM {alerts} AS kept
        WHERE kept.dedupe_key = alert.dedupe_key AND kept.channel = %(channel)s AND kept.status = 'suppressed'
        AND kept.alert_id > judged.told_id AND kept.alert_id < alert.alert_id
    ) END) AS facts;

-- name: word_alerts
UPDATE {alerts} SET subject = %(subject)s, body = %(body)s WHERE alert_id = ANY (%(alert_ids)s::bigint[]);

-- name: alerts_sent
UPDATE {alerts} SET status = 'sent', sent_at = clock_timestamp(), last_error = NULL
WHERE alert_id = ANY (%(alert_ids)s::bigint[]) AND status = 'pending';

-- name: alerts_not_sent
-- Without a wait they are given up.
UPDATE {alerts}
SET
    last_error = %(error)s,
    status = CASE WHEN %(wait_seconds)s::double precision IS NULL THEN 'given_up' ELSE 'pending' END,
    next_attempt_at
        = clock_timestamp() + coalesce(%(wait_seconds)s::double precision, 0) * interval '1 second'
WHERE alert_id = ANY (%(alert_ids)s::bigint[]) AND status = 'pending';

-- name: give_up_old_alerts
UPDATE {alerts}
SET status = 'given_up', last_error = coalesce(last_error, 'nobody who told alerts had a channel of this name')
WHERE status = 'pending' AND created_at < clock_timestamp() - %(seconds)s::double precision * interval '1 second'
AND next_attempt_at <= clock_timestamp()
RETURNING alert_id, channel, run_id, last_error;

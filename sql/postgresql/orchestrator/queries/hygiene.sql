-- What would break the constraints that allow one at a time: listed, and resolved. Each gives what it changed.

-- name: two_active_schedules
SELECT schedule_id, job_id, cron, time_zone, created_at, latest
FROM (
    SELECT *, first_value(schedule_id) OVER (PARTITION BY job_id ORDER BY created_at DESC, schedule_id DESC) AS latest
    FROM dw_etl_schedules
    WHERE is_active
) AS active
WHERE schedule_id <> latest
ORDER BY job_id, schedule_id;

-- name: keep_latest_schedule
UPDATE dw_etl_schedules SET is_active = false, updated_at = clock_timestamp()
WHERE schedule_id = ANY(%(ids)s) AND is_active;

-- name: two_active_locks
-- the lease that is alive, and of those the latest, stays
SELECT fencing_token, concurrency_key, run_id, worker_id, expires_at, latest
FROM (
    SELECT *, first_value(fencing_token) OVER (
        PARTITION BY concurrency_key
        ORDER BY expires_at > clock_timestamp() DESC, expires_at DESC, fencing_token DESC
    ) AS latest
    FROM dw_etl_job_locks
    WHERE status = 'active' AND concurrency_key IS NOT NULL
) AS active
WHERE fencing_token <> latest
ORDER BY concurrency_key, fencing_token;

-- name: keep_latest_lock
-- The worker of a lock that ends here is fenced off, after what it is just publishing; its run is queued again.
WITH held AS MATERIALIZED (
    SELECT fencing_token FROM dw_etl_job_locks
    WHERE fencing_token = ANY(%(ids)s) AND status = 'active'
    ORDER BY fencing_token
    FOR UPDATE
), ended AS (
    UPDATE dw_etl_job_locks AS locks SET status = 'expired', released_at = clock_timestamp()
    FROM held
    WHERE locks.fencing_token = held.fencing_token
    RETURNING locks.fencing_token, run_id, worker_id, attempt
), queued AS (
    UPDATE dw_etl_runs AS runs
    SET status = 'queued', ready_at = clock_timestamp(), fencing_token = NULL, worker_id = NULL,
        maximum_attempts = greatest(maximum_attempts, attempts + 1)
    FROM ended
    WHERE runs.run_id = ended.run_id AND runs.fencing_token = ended.fencing_token AND runs.status = 'running'
    RETURNING runs.run_id
)
INSERT INTO dw_etl_run_events (run_id, event_type, attempt, worker_id, fencing_token, details)
SELECT ended.run_id, 'lost', ended.attempt, ended.worker_id, ended.fencing_token,
    jsonb_build_object(
        'reason', 'two locks of one concurrency key were active', 'is_queued_again', queued.run_id IS NOT NULL
    )
FROM ended LEFT JOIN queued USING (run_id);

-- name: two_runs_of_a_cycle
-- the one under way stays, else the one that succeeded, is queued, or came first
SELECT run_id, job_id, cycle_id, status, latest
FROM (
    SELECT *, first_value(run_id) OVER (
        PARTITION BY cycle_id, job_id
        ORDER BY array_position(ARRAY['running', 'success', 'queued'], status) NULLS LAST, run_id
    ) AS latest
    FROM dw_etl_runs
    WHERE trigger <> 'import'
) AS runs
WHERE run_id <> latest
ORDER BY cycle_id, job_id, run_id;

-- name: keep_one_run_of_a_cycle
-- The others stay as history, in a cycle of their own; one that has not begun does not begin, and whoever waits for it
-- waits for the one that stays.
WITH moved AS (
    UPDATE dw_etl_runs AS runs
    SET cycle_id = format('%%s#%%s', runs.cycle_id, runs.run_id),
        status = CASE runs.status WHEN 'queued' THEN 'cancelled' ELSE runs.status END,
        ended_at = CASE runs.status WHEN 'queued' THEN clock_timestamp() ELSE runs.ended_at END,
        cancelled_by = CASE runs.status WHEN 'queued' THEN 'migrate' ELSE runs.cancelled_by END,
        reason = CASE runs.status
            WHEN 'queued' THEN format('run %%s is of the same job and cycle', pairs.latest) ELSE runs.reason
        END
    FROM unnest(%(ids)s::bigint[], %(latest)s::bigint[]) AS pairs (run_id, latest)
    WHERE runs.run_id = pairs.run_id
    RETURNING runs.run_id, pairs.latest, runs.status, runs.cancelled_by
), waiting AS (
    INSERT INTO dw_etl_run_dependencies (run_id, parent_run_id)
    SELECT dependencies.run_id, moved.latest
    FROM dw_etl_run_dependencies AS dependencies
    JOIN moved ON moved.run_id = dependencies.parent_run_id
    WHERE moved.cancelled_by = 'migrate' AND dependencies.run_id <> moved.latest
    ON CONFLICT DO NOTHING
), freed AS (
    DELETE FROM dw_etl_run_dependencies AS dependencies USING moved
    WHERE dependencies.parent_run_id = moved.run_id AND moved.cancelled_by = 'migrate'
)
INSERT INTO dw_etl_run_events (run_id, event_type, details)
SELECT run_id, 'cancelled', jsonb_build_object('by', 'migrate', 'reason', format('run %%s is of the same job and cycle', latest))
FROM moved WHERE cancelled_by = 'migrate' AND status = 'cancelled';

-- name: two_alerts_of_a_run
-- the first stays
SELECT alert_id, run_id, kind, channel, latest
FROM (
    SELECT *, first_value(alert_id) OVER (PARTITION BY run_id, kind, channel ORDER BY alert_id) AS latest
    FROM dw_etl_alerts
    WHERE kind IN ('late', 'stuck')
) AS alerts
WHERE alert_id <> latest
ORDER BY alert_id;

-- name: keep_first_alert
-- The others stay as history, of a channel that nothing is sent to.
UPDATE dw_etl_alerts
SET channel = format('%%s#%%s', channel, alert_id), status = CASE status WHEN 'sent' THEN 'sent' ELSE 'suppressed' END
WHERE alert_id = ANY(%(ids)s);

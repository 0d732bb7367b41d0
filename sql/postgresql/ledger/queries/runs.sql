-- name: start_run
-- The identifier comes from the caller, so that a start whose answer was lost can be repeated.
INSERT INTO etl.runs (run_id, destinations, tables, options, resumed_from, idempotency_key, fencing_token)
VALUES (%(run_id)s, %(destinations)s, %(tables)s, %(options)s, %(resumed_from)s, %(idempotency_key)s, %(fencing_token)s)
ON CONFLICT (run_id) DO UPDATE SET heartbeat_at = clock_timestamp()
RETURNING *;

-- name: heartbeat
-- Renews the run and its leases together; no row: the run has been declared dead (or is finished).
WITH beat AS (
    UPDATE etl.runs SET heartbeat_at = clock_timestamp()
    WHERE run_id = %(run_id)s AND status = 'running'
    RETURNING run_id
), renewed AS (
    UPDATE etl.leases SET expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM beat WHERE leases.run_id = beat.run_id
)
SELECT run_id FROM beat;

-- name: finish_run
-- A run that was declared dead in the meantime stays failed. What it still held is free.
WITH finished AS (
    UPDATE etl.runs SET status = %(status)s, finished_at = clock_timestamp(), heartbeat_at = clock_timestamp()
    WHERE run_id = %(run_id)s AND status = 'running'
    RETURNING run_id
), freed AS (
    DELETE FROM etl.leases USING finished WHERE leases.run_id = finished.run_id
)
SELECT run_id FROM finished;

-- name: run
-- One run.
SELECT * FROM etl.runs WHERE run_id = %(run_id)s;

-- name: run_of_key
-- The latest of those that were asked for by this name; each continues the one before.
SELECT * FROM etl.runs WHERE idempotency_key = %(idempotency_key)s ORDER BY run_number DESC LIMIT 1;

-- name: runs
-- The latest first.
SELECT * FROM etl.runs ORDER BY run_number DESC LIMIT %(limit)s;

-- name: live_runs
-- The database's clock decides, never a client's.
SELECT run_id FROM etl.runs
WHERE status = 'running' AND heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s);

-- name: mark_dead_runs
-- Runs whose heartbeat stopped: they, their running loads and upkeep have failed, their leases are free.
WITH dead AS (
    UPDATE etl.runs SET status = 'failed', finished_at = clock_timestamp(), failure = 'interrupted'
    WHERE status = 'running' AND heartbeat_at <= clock_timestamp() - make_interval(secs => %(grace_seconds)s)
    RETURNING run_id
), interrupted AS (
    UPDATE etl.loads
    SET status = 'failed', finished_at = clock_timestamp(), error_class = 'Interrupted',
        error_message = 'the run ended without finishing this load'
    FROM dead WHERE loads.run_id = dead.run_id AND loads.status = 'running'
), broken_off AS (
    UPDATE etl.maintenance
    SET status = 'failed', finished_at = clock_timestamp(), error_class = 'Interrupted',
        error_message = 'the run ended without finishing this upkeep'
    FROM dead WHERE maintenance.run_id = dead.run_id AND maintenance.status = 'running'
), freed AS (
    DELETE FROM etl.leases USING dead WHERE leases.run_id = dead.run_id
)
SELECT run_id FROM dead ORDER BY run_id;

-- name: freeze_table
-- Frozen once: a second call with the same run leaves what stands.
INSERT INTO etl.run_tables (run_id, table_name, lower_mark, upper_mark, fingerprint, row_count)
VALUES (%(run_id)s, %(table_name)s, %(lower)s, %(upper)s, %(fingerprint)s, %(rows)s)
ON CONFLICT (run_id, table_name) DO NOTHING;

-- name: frozen_tables
-- What a resumed run reads, and no further.
SELECT table_name, lower_mark AS lower, upper_mark AS upper, fingerprint, row_count AS rows
FROM etl.run_tables WHERE run_id = %(run_id)s ORDER BY table_name;

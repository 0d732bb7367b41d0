-- name: plan_load
-- What the run means to do; what it never got to stays pending.
INSERT INTO etl.loads (run_id, table_name, destination, status)
VALUES (%(run_id)s, %(table_name)s, %(destination)s, 'pending')
ON CONFLICT (run_id, table_name, destination) DO NOTHING;

-- name: interrupt_dead_loads
-- A running load of another run is dead where that run is, or where this run holds the lease.
UPDATE etl.loads
SET status = 'failed', finished_at = clock_timestamp(), error_class = 'Interrupted',
    error_message = 'the run ended without finishing this load'
FROM etl.runs
WHERE loads.table_name = %(table_name)s AND loads.destination = %(destination)s AND loads.status = 'running'
  AND loads.run_id <> %(run_id)s AND runs.run_id = loads.run_id
  AND (runs.status <> 'running'
       OR runs.heartbeat_at <= clock_timestamp() - make_interval(secs => %(grace_seconds)s)
       OR EXISTS (SELECT FROM etl.leases
                  WHERE leases.table_name = %(table_name)s AND leases.destination = %(destination)s
                    AND leases.run_id = %(run_id)s AND leases.expires_at > clock_timestamp()));

-- name: begin_load
-- From pending, or again after a failure of the same run; a published load is never begun again, and a run that has
-- been declared dead begins nothing.
INSERT INTO etl.loads AS loads (
    run_id, table_name, destination, status, target, mode, configuration, rows_read, rows_rejected, rows_deduplicated,
    rows_filtered, next_watermark, next_fingerprint, next_tail, config_hash, files_read, files_skipped, notes,
    next_columns, rows_trimmed, next_snapshot, started_at
)
SELECT
    run_id, %(table_name)s, %(destination)s, 'running', %(target)s, %(mode)s, %(configuration)s, %(rows_read)s,
    %(rows_rejected)s, %(rows_deduplicated)s, %(rows_filtered)s, %(next_watermark)s, %(next_fingerprint)s,
    %(next_tail)s, %(config_hash)s, %(files_read)s, %(files_skipped)s, %(notes)s, %(next_columns)s,
    %(rows_trimmed)s, %(next_snapshot)s, clock_timestamp()
FROM etl.runs WHERE run_id = %(run_id)s AND status = 'running'
ON CONFLICT (run_id, table_name, destination) DO UPDATE SET
    status = 'running', target = excluded.target, mode = excluded.mode, configuration = excluded.configuration,
    rows_read = excluded.rows_read, rows_rejected = excluded.rows_rejected,
    rows_deduplicated = excluded.rows_deduplicated, rows_filtered = excluded.rows_filtered,
    next_watermark = excluded.next_watermark, next_fingerprint = excluded.next_fingerprint, next_tail = excluded.next_tail,
    config_hash = excluded.config_hash, files_read = excluded.files_read, files_skipped = excluded.files_skipped,
    notes = excluded.notes, next_columns = excluded.next_columns, rows_trimmed = excluded.rows_trimmed, next_snapshot = excluded.next_snapshot,
    started_at = excluded.started_at, finished_at = NULL,
    error_class = NULL, error_message = NULL, stack_trace = NULL
WHERE loads.status IN ('pending', 'running', 'failed')
RETURNING run_id;

-- name: running_load
-- Who stands in the way of begin_load.
SELECT run_id, started_at FROM etl.loads
WHERE table_name = %(table_name)s AND destination = %(destination)s AND status = 'running';

-- name: complete_load
-- Status, counts and watermark in one statement, so that they stand or fall with the caller's transaction.
-- Nothing happens (no row) unless the load was begun, its counts add up, and no other run has taken its lease; the
-- lease is locked until the commit, so that nobody takes it in between. A watermark never falls back to an older run's,
-- and a load that was skipped as a whole moves none: the destination holds no row more than before. Where rows that
-- should have gone were kept, no fingerprint proves the target: the next run reads the table again. Those that a part
-- of the source called deleted come no other time: then the mark stays, too, and that part is read again.
WITH lease AS (
    SELECT run_id, expires_at FROM etl.leases
    WHERE table_name = %(table_name)s AND destination = %(destination)s
    FOR SHARE
), completed AS (
    UPDATE etl.loads
    SET status = %(status)s, target = %(target)s, rows_inserted = %(rows_inserted)s, rows_updated = %(rows_updated)s,
        rows_unchanged = %(rows_unchanged)s, rows_skipped = rows_filtered + %(rows_skipped)s,
        rows_rejected = rows_rejected + %(rows_rejected)s, rows_deleted = %(rows_deleted)s,
        bytes_written = %(bytes_written)s, seconds = %(seconds)s, skipped_reason = nullif(%(skipped_reason)s, ''),
        next_fingerprint = CASE WHEN %(rows_kept)s = 0 THEN next_fingerprint END, notes = notes || %(notes)s::text[],
        finished_at = clock_timestamp()
    WHERE run_id = %(run_id)s AND table_name = %(table_name)s AND destination = %(destination)s AND status = 'running'
      AND rows_read = %(rows_accounted)s + rows_filtered + rows_rejected + rows_deduplicated
      AND NOT EXISTS (SELECT FROM lease WHERE lease.run_id <> %(run_id)s AND lease.expires_at > clock_timestamp())
    RETURNING *
), held AS (
    SELECT coalesce(configuration ->> 'vanished_rows', 'keep') = 'keep' AND %(rows_kept)s > 0 AS mark FROM completed
), moved AS (
    INSERT INTO etl.watermarks AS watermarks (
        table_name, destination, mark, fingerprint, tail, config_hash, target, run_id, updated_at, columns, snapshot
    )
    SELECT table_name, destination, CASE WHEN NOT held.mark THEN next_watermark END, next_fingerprint,
           CASE WHEN NOT held.mark THEN next_tail END, config_hash, target, run_id, finished_at, next_columns,
           CASE WHEN NOT held.mark THEN next_snapshot END
    FROM completed, held
    WHERE status <> 'skipped' AND (next_watermark IS NOT NULL OR next_fingerprint IS NOT NULL OR %(rows_kept)s > 0)
    ON CONFLICT (table_name, destination) DO UPDATE SET
        mark = CASE WHEN (SELECT held.mark FROM held) THEN watermarks.mark ELSE excluded.mark END,
        snapshot = CASE WHEN (SELECT held.mark FROM held) THEN watermarks.snapshot ELSE excluded.snapshot END,
        fingerprint = excluded.fingerprint, tail = excluded.tail,
        config_hash = excluded.config_hash, target = excluded.target, run_id = excluded.run_id,
        updated_at = excluded.updated_at, columns = coalesce(excluded.columns, watermarks.columns)
    WHERE (SELECT run_number FROM etl.runs WHERE runs.run_id = watermarks.run_id)
       <= (SELECT run_number FROM etl.runs WHERE runs.run_id = excluded.run_id)
)
SELECT run_id FROM completed;

-- name: lease_holder
-- For the message when complete_load refuses.
SELECT run_id FROM etl.leases
WHERE table_name = %(table_name)s AND destination = %(destination)s AND expires_at > clock_timestamp();

-- name: fail_load
-- A load may fail before it was begun. What was published stays published, unless validation found it wrong.
INSERT INTO etl.loads AS loads (
    run_id, table_name, destination, status, error_class, error_message, stack_trace, started_at, finished_at
)
VALUES (
    %(run_id)s, %(table_name)s, %(destination)s, 'failed', %(error_class)s, %(error_message)s, %(stack_trace)s,
    clock_timestamp(), clock_timestamp()
)
ON CONFLICT (run_id, table_name, destination) DO UPDATE SET
    status = 'failed', error_class = excluded.error_class, error_message = excluded.error_message,
    stack_trace = excluded.stack_trace, started_at = coalesce(loads.started_at, excluded.started_at),
    finished_at = excluded.finished_at,
    seconds = extract(epoch FROM excluded.finished_at - coalesce(loads.started_at, excluded.started_at))
WHERE loads.status IN ('pending', 'running', 'failed') OR %(is_published_wrong)s
RETURNING run_id;

-- name: forget_watermark
-- What stands in the store is not what was loaded: the next run reads the table from its beginning.
DELETE FROM etl.watermarks
WHERE table_name = %(table_name)s AND destination = %(destination)s AND run_id = %(run_id)s;

-- name: loads
-- One run's loads.
SELECT * FROM etl.loads WHERE run_id = %(run_id)s ORDER BY table_name, destination;

-- name: load
-- One load.
SELECT * FROM etl.loads
WHERE run_id = %(run_id)s AND table_name = %(table_name)s AND destination = %(destination)s;

-- name: watermarks
-- All of them: a run needs them at once.
SELECT * FROM etl.watermarks ORDER BY table_name, destination;

-- name: watermark
-- One of them.
SELECT * FROM etl.watermarks WHERE table_name = %(table_name)s AND destination = %(destination)s;

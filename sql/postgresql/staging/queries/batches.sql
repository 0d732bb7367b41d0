-- Batches and rejects of a run.

-- name: register_batches
-- Several at once. A Spark task that runs again registers its batches again.
INSERT INTO etl_run_batches (etl_run_id, batch_index, source_position, first_ordinal)
SELECT %(run_id)s, batch_index, source_position, first_ordinal
FROM jsonb_to_recordset(%(batches)s::jsonb) AS batch (batch_index integer, source_position jsonb, first_ordinal bigint)
ON CONFLICT (etl_run_id, batch_index) DO NOTHING;

-- name: mark_running
-- By the heartbeat, for those that take long enough to be seen. Waits for one that is being stored, and leaves it.
UPDATE etl_run_batches SET status = 'running', started_at = coalesce(started_at, clock_timestamp())
WHERE etl_run_id = %(run_id)s AND batch_index = ANY (%(batch_indexes)s) AND status IN ('pending', 'retried', 'failed');

-- name: complete_batch
-- In the transaction that stores the rows. Answers nothing where the batch is stored already: the answer to an earlier
-- COMMIT was lost, and the transaction must be given up.
UPDATE etl_run_batches SET status = 'succeeded', committed_at = clock_timestamp(), attempts = attempts + 1,
    error_code = NULL, error_message = NULL,
    started_at = coalesce(started_at, clock_timestamp() - make_interval(secs => %(duration_ms)s / 1000)),
    rows_attempted = %(rows_attempted)s, rows_inserted = %(rows_inserted)s,
    rows_updated = %(rows_updated)s, rows_unchanged = %(rows_unchanged)s, rows_deduplicated = %(rows_deduplicated)s,
    rows_rejected = %(rows_rejected)s, rows_invalid = %(rows_invalid)s,
    required_field_errors = %(required_field_errors)s, shape_errors = %(shape_errors)s,
    duration_ms = %(duration_ms)s, logs_fragment = right(logs_fragment || %(logs)s, 8192)
WHERE etl_run_id = %(run_id)s AND batch_index = %(batch_index)s AND status <> 'succeeded'
RETURNING batch_index;

-- name: retry_batch
UPDATE etl_run_batches SET status = 'retried', attempts = attempts + 1,
    started_at = coalesce(started_at, clock_timestamp()), error_code = %(error_code)s, error_message = %(error_message)s,
    retry_timeline = retry_timeline || %(entry)s::jsonb, logs_fragment = right(logs_fragment || %(logs)s, 8192)
WHERE etl_run_id = %(run_id)s AND batch_index = %(batch_index)s AND status <> 'succeeded';

-- name: fail_batch
UPDATE etl_run_batches SET status = 'failed', attempts = attempts + 1,
    started_at = coalesce(started_at, clock_timestamp()), error_code = %(error_code)s, error_message = %(error_message)s,
    rows_attempted = %(rows_attempted)s, duration_ms = %(duration_ms)s,
    logs_fragment = right(logs_fragment || %(logs)s, 8192)
WHERE etl_run_id = %(run_id)s AND batch_index = %(batch_index)s AND status <> 'succeeded';

-- name: open_batches
SELECT batch_index, source_position, status FROM etl_run_batches
WHERE etl_run_id = %(run_id)s AND status <> 'succeeded'
ORDER BY batch_index;

-- name: last_batch
SELECT batch_index, source_position FROM etl_run_batches WHERE etl_run_id = %(run_id)s
ORDER BY batch_index DESC LIMIT 1;

-- name: batches_of_run
SELECT * FROM etl_run_batches WHERE etl_run_id = %(run_id)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY batch_index LIMIT %(limit)s;

-- name: add_rejects
INSERT INTO etl_run_rejects (etl_run_id, ordinal, batch_index, source_position, reason, message, record)
SELECT %(run_id)s, ordinal, %(batch_index)s, position, reason, message, record
FROM jsonb_to_recordset(%(rejects)s::jsonb)
    AS reject (ordinal bigint, position jsonb, reason text, message text, record text)
ON CONFLICT (etl_run_id, ordinal) DO NOTHING;

-- name: rejects_of_run
-- A page at a time.
SELECT ordinal, batch_index, source_position, reason, message, record FROM etl_run_rejects
WHERE etl_run_id = %(run_id)s AND ordinal > %(after)s ORDER BY ordinal LIMIT %(limit)s;

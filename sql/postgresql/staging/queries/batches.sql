-- Batches and rejects of a run.

-- name: register_batches
-- Several at once. A Spark task that runs again registers its batches again.
INSERT INTO etl_run_batches (etl_run_id, batch_index, source_position, first_ordinal)
SELECT %(run_id)s, batch_index, source_position, first_ordinal
FROM jsonb_to_recordset(%(batches)s::jsonb) AS batch (batch_index integer, source_position jsonb, first_ordinal bigint)
ON CONFLICT (etl_run_id, batch_index) DO UPDATE SET status = 'pending' WHERE etl_run_batches.status = 'failed';

-- name: reopen_batches
-- Of a run that goes on; without `batch_indexes` all that failed.
UPDATE etl_run_batches SET status = 'pending'
WHERE etl_run_id = %(run_id)s AND status = 'failed'
    AND (%(batch_indexes)s::integer[] IS NULL OR batch_index = ANY (%(batch_indexes)s));

-- name: close_batches
-- Of a run that ends: what is not stored has failed. The error of an earlier attempt says more.
UPDATE etl_run_batches SET status = 'failed', error_code = coalesce(error_code, 'not_stored'),
    error_message = coalesce(error_message, 'not stored when the run ended' || coalesce(': ' || %(failure)s::text, '')),
    error_is_permanent = coalesce(error_is_permanent, false)
WHERE etl_run_id = %(run_id)s AND status NOT IN ('succeeded', 'failed');

-- name: mark_running
-- By the heartbeat, for those that take long enough to be seen. Waits for one that is being stored, and leaves it; one
-- that has failed meanwhile stays failed, as all do when the run has ended.
WITH run AS MATERIALIZED (
    SELECT id FROM etl_runs WHERE id = %(run_id)s AND finished_at IS NULL FOR SHARE
)
UPDATE etl_run_batches SET status = 'running', started_at = coalesce(started_at, clock_timestamp())
FROM run
WHERE etl_run_id = run.id AND batch_index = ANY (%(batch_indexes)s) AND status IN ('pending', 'retried');

-- name: complete_batch
-- In the transaction that stores the rows. Answers nothing where the batch is stored already: the answer to an earlier
-- COMMIT was lost, and the transaction must be given up.
UPDATE etl_run_batches SET status = 'succeeded', committed_at = clock_timestamp(), attempts = attempts + 1,
    error_code = NULL, error_message = NULL, error_stack = NULL, error_is_permanent = NULL,
    started_at = coalesce(started_at, clock_timestamp() - make_interval(secs => %(duration_ms)s / 1000)),
    rows_attempted = %(rows_attempted)s, rows_inserted = %(rows_inserted)s,
    rows_updated = %(rows_updated)s, rows_unchanged = %(rows_unchanged)s, rows_deduplicated = %(rows_deduplicated)s,
    rows_rejected = %(rows_rejected)s, rows_invalid = %(rows_invalid)s,
    required_field_errors = %(required_field_errors)s, shape_errors = %(shape_errors)s,
    duration_ms = %(duration_ms)s, examples = %(examples)s::jsonb,
    logs_fragment = etl_staging_appended(
        logs_fragment, jsonb_set(%(log)s::jsonb, '{attempt}', to_jsonb(attempts + 1))
    )
WHERE etl_run_id = %(run_id)s AND batch_index = %(batch_index)s AND status <> 'succeeded'
RETURNING batch_index;

-- name: retry_batch
-- Perhaps long after it happened, when the ledger is back: the batch may have been stored or have failed by then. Told
-- twice it stands once.
UPDATE etl_run_batches SET attempts = attempts + 1,
    status = CASE WHEN status IN ('succeeded', 'failed') THEN status ELSE 'retried' END,
    error_code = CASE WHEN status IN ('succeeded', 'failed') THEN error_code ELSE %(error_code)s END,
    error_message = CASE WHEN status IN ('succeeded', 'failed') THEN error_message ELSE %(error_message)s END,
    error_stack = CASE WHEN status IN ('succeeded', 'failed') THEN error_stack ELSE %(error_stack)s END,
    error_is_permanent = CASE WHEN status IN ('succeeded', 'failed') THEN error_is_permanent
        ELSE %(error_is_permanent)s END,
    started_at = coalesce(started_at, clock_timestamp()),
    retry_timeline = retry_timeline || %(entry)s::jsonb,
    logs_fragment = etl_staging_appended(logs_fragment, %(log)s::jsonb)
WHERE etl_run_id = %(run_id)s AND batch_index = %(batch_index)s
    AND NOT retry_timeline @> jsonb_build_array(%(entry)s::jsonb);

-- name: fail_batch
-- Told twice it counts once: the entry in its log has its time. The first to tell knows the attempt.
UPDATE etl_run_batches SET status = 'failed', attempts = attempts + 1,
    started_at = coalesce(started_at, clock_timestamp()), error_code = %(error_code)s, error_message = %(error_message)s,
    error_stack = %(error_stack)s, error_is_permanent = %(error_is_permanent)s,
    rows_attempted = %(rows_attempted)s, duration_ms = %(duration_ms)s,
    logs_fragment = etl_staging_appended(
        logs_fragment, jsonb_set(%(log)s::jsonb, '{attempt}', to_jsonb(attempts + 1))
    )
WHERE etl_run_id = %(run_id)s AND batch_index = %(batch_index)s AND status <> 'succeeded'
    AND NOT logs_fragment @> jsonb_build_array(%(log)s::jsonb);

-- name: open_batches
SELECT batch_index, source_position, coalesce(error_is_permanent, false) AS is_permanent FROM etl_run_batches
WHERE etl_run_id = %(run_id)s AND status <> 'succeeded'
ORDER BY batch_index;

-- name: last_batch
SELECT batch_index, source_position, false AS is_permanent FROM etl_run_batches WHERE etl_run_id = %(run_id)s
ORDER BY batch_index DESC LIMIT 1;

-- name: batches_of_run
-- A page at a time.
SELECT * FROM etl_run_batches WHERE etl_run_id = %(run_id)s AND batch_index > %(after)s
    AND (NOT %(only_open)s OR status <> 'succeeded')
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

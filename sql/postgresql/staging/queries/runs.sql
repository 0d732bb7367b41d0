-- Jobs and runs of the staging loader. The schema comes from search_path.

-- name: register_job
-- A job is made known by its first run; its table may change with its configuration.
INSERT INTO etl_jobs (id, target_table, description) VALUES (%(job_id)s, %(target_table)s, %(description)s)
ON CONFLICT (id) DO UPDATE SET target_table = excluded.target_table, description = excluded.description,
    updated_at = clock_timestamp()
WHERE (etl_jobs.target_table, etl_jobs.description) IS DISTINCT FROM (excluded.target_table, excluded.description);

-- name: lock_job
-- Two loads of a job that start at once see one another; ends with the transaction.
SELECT pg_advisory_xact_lock(hashtext('etl_jobs'), hashtext(%(job_id)s));

-- name: live_runs
-- Those under way first; of what is queued, which has neither process nor heartbeat, who asked for it and when.
SELECT id, status = 'pending' AS is_queued, host, process_id, requested_by,
    coalesce(resumed_at, started_at, created_at) AS since,
    extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision AS silent_seconds
FROM etl_runs
WHERE etl_job_id = %(job_id)s AND (status = 'running' OR (status = 'pending' AND %(with_queued)s))
ORDER BY status DESC, run_number;

-- name: start_run
INSERT INTO etl_runs (id, etl_job_id, status, phase, target_table, batch_size, workers, parameters, host, process_id,
    started_at, fencing_token)
VALUES (%(run_id)s, %(job_id)s, 'running', 'validating', %(target_table)s, %(batch_size)s, %(workers)s,
    %(parameters)s, %(host)s, %(process_id)s, clock_timestamp(), %(fencing_token)s)
ON CONFLICT (id) DO NOTHING
RETURNING run_number;

-- name: start_queued_run
-- Its number is a new one: what it reads now is newer than what other runs of the job have read while it waited.
UPDATE etl_runs SET run_number = DEFAULT, status = 'running', phase = 'validating', target_table = %(target_table)s,
    batch_size = %(batch_size)s, workers = %(workers)s, parameters = %(parameters)s, host = %(host)s,
    process_id = %(process_id)s, heartbeat_at = clock_timestamp(), started_at = clock_timestamp(),
    fencing_token = %(fencing_token)s
WHERE id = %(run_id)s AND status = 'pending'
RETURNING run_number;

-- name: resume_run
-- A retry is the same run again: its number and its ordinals stay.
UPDATE etl_runs SET status = 'running', phase = 'validating', finished_at = NULL, failure = NULL,
    cancelled_at = NULL, cancelled_by = NULL, host = %(host)s, process_id = %(process_id)s,
    heartbeat_at = clock_timestamp(), started_at = coalesce(started_at, clock_timestamp()),
    resumed_at = clock_timestamp(), fencing_token = %(fencing_token)s
WHERE id = %(run_id)s AND status NOT IN ('pending', 'running')
RETURNING run_number;

-- name: get_run
-- `silent_seconds`: of a run under way, the age of its last heartbeat.
SELECT etl_runs.*, CASE WHEN status = 'running'
    THEN extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision END AS silent_seconds
FROM etl_runs WHERE id = %(run_id)s;

-- name: recent_runs
SELECT etl_runs.*, CASE WHEN status = 'running'
    THEN extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision END AS silent_seconds
FROM etl_runs WHERE %(job_id)s::text IS NULL OR etl_job_id = %(job_id)s
ORDER BY run_number DESC LIMIT %(limit)s;

-- name: newer_run
-- What was loaded since by the same job: a retry of older records must not undo it.
SELECT newer.id FROM etl_runs AS newer JOIN etl_runs AS old ON old.etl_job_id = newer.etl_job_id
WHERE old.id = %(run_id)s AND newer.run_number > old.run_number AND newer.batches_succeeded > 0
ORDER BY newer.run_number DESC LIMIT 1;

-- name: set_phase
UPDATE etl_runs SET phase = %(phase)s, heartbeat_at = clock_timestamp() WHERE id = %(run_id)s;

-- name: end_input
UPDATE etl_runs SET input_ended_at = clock_timestamp() WHERE id = %(run_id)s;

-- name: sum_up
-- Sums up the run's batches; says that it is alive while it is, and hears whether it has been cancelled, or has ended for
-- this process: it may have been given up for dead, and another may have taken it over since. One that was given up may
-- have stored something after all.
UPDATE etl_runs AS run SET
    heartbeat_at = CASE WHEN run.finished_at IS NULL AND (run.host, run.process_id) = (%(host)s, %(process_id)s)
        THEN clock_timestamp() ELSE run.heartbeat_at END,
    status = CASE WHEN run.status = 'failed' AND total.succeeded > 0 THEN 'partial' ELSE run.status END,
    batches = total.batches,
    batches_succeeded = total.succeeded, batches_failed = total.failed, rows_attempted = total.rows_attempted,
    rows_inserted = total.rows_inserted, rows_updated = total.rows_updated, rows_unchanged = total.rows_unchanged,
    rows_deduplicated = total.rows_deduplicated, rows_rejected = total.rows_rejected,
    rows_validated = total.rows_attempted, rows_invalid = total.rows_invalid,
    required_field_errors = total.required_field_errors, shape_errors = total.shape_errors, retries = total.retries
FROM (
    SELECT count(*) AS batches, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
        count(*) FILTER (WHERE status = 'failed') AS failed, coalesce(sum(rows_attempted), 0) AS rows_attempted,
        coalesce(sum(rows_inserted), 0) AS rows_inserted, coalesce(sum(rows_updated), 0) AS rows_updated,
        coalesce(sum(rows_unchanged), 0) AS rows_unchanged, coalesce(sum(rows_deduplicated), 0) AS rows_deduplicated,
        coalesce(sum(rows_rejected), 0) AS rows_rejected, coalesce(sum(rows_invalid), 0) AS rows_invalid,
        coalesce(sum(required_field_errors), 0) AS required_field_errors,
        coalesce(sum(shape_errors), 0) AS shape_errors,
        coalesce(sum(jsonb_array_length(retry_timeline)), 0) AS retries
    FROM etl_run_batches WHERE etl_run_id = %(run_id)s
) AS total
WHERE run.id = %(run_id)s
RETURNING run.finished_at IS NOT NULL OR (run.host, run.process_id) IS DISTINCT FROM (%(host)s, %(process_id)s)
    AS has_ended, run.cancelled_at IS NOT NULL AS is_cancelled;

-- name: lock_run
-- Before it ends: whoever would open one of its batches waits, and finds it ended. Only its own process ends it so.
SELECT id, cancelled_by FROM etl_runs
WHERE id = %(run_id)s AND finished_at IS NULL AND (host, process_id) = (%(host)s, %(process_id)s)
FOR NO KEY UPDATE;

-- name: finish_run
-- After the last `sum_up`; none of its batches is open then. Where nothing but rejects was stored, nothing was. A run
-- that had stored all before it heard of its cancellation is none that was cancelled.
UPDATE etl_runs SET finished_at = clock_timestamp(), phase = 'committing', status = ended.status,
    failure = CASE WHEN ended.status = 'canceled' THEN coalesce(%(failure)s, 'cancelled by ' || cancelled_by)
        ELSE %(failure)s END
FROM (
    SELECT id, CASE
        WHEN cancelled_at IS NOT NULL AND (batches_succeeded < batches OR input_ended_at IS NULL) THEN 'canceled'
        WHEN batches_succeeded = batches AND input_ended_at IS NOT NULL AND %(failure)s::text IS NULL THEN 'success'
        WHEN batches_succeeded > 0
            AND (rows_rejected = 0 OR rows_inserted + rows_updated + rows_unchanged + rows_deduplicated > 0)
        THEN 'partial' ELSE 'failed' END AS status
    FROM etl_runs WHERE id = %(run_id)s
) AS ended
WHERE etl_runs.id = ended.id AND finished_at IS NULL
RETURNING etl_runs.status;

-- name: may_end_runs
-- A standby, and one who may only read, can look on.
SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'
    AND has_table_privilege('etl_runs', 'UPDATE') AND has_table_privilege('etl_run_batches', 'UPDATE') AS may_end_runs;

-- name: cancel_run
-- Its process hears it with the next heartbeat; of one that is queued, whoever cancels it ends it.
UPDATE etl_runs SET cancelled_at = clock_timestamp(), cancelled_by = %(cancelled_by)s
WHERE id = %(run_id)s AND status IN ('pending', 'running') AND cancelled_at IS NULL
RETURNING status;

-- name: cancel_waits
-- Statements of a run's batches that wait for a lock, which somebody may hold for long; found by the comment that they
-- begin with, so that it is the same behind a pooler.
SELECT pg_cancel_backend(pid) AS is_cancelled FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND wait_event_type = 'Lock'
    AND starts_with(query, %(comment)s);

-- name: dead_runs
-- By the database's clock: a process that has not been heard of for so long has died. One that is just being ended is
-- somebody else's to end. What is queued has no process.
SELECT id, format('process %%s on %%s was last heard of at %%s', process_id, host, heartbeat_at) AS last_heard
FROM etl_runs
WHERE status = 'running' AND heartbeat_at < clock_timestamp() - make_interval(secs => %(grace_seconds)s)
    AND (%(run_id)s::text IS NULL OR id = %(run_id)s)
ORDER BY run_number
FOR NO KEY UPDATE SKIP LOCKED;

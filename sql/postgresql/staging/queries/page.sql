-- What the Data Loader page shows. Each answer is read in one REPEATABLE READ transaction: one snapshot, which is the id
-- of what was seen.

-- name: page_snapshot
-- `incarnation`: of this database between two crashes. A crash that the server itself gets over leaves its start as it
-- was, but resets its statistics; what was committed without waiting for the disk may be forgotten in either.
-- On a standby a snapshot does not say which transactions are open, and one that names many is no id: then all above xmin
-- count as unseen.
SELECT
    to_hex(
        hashtextextended(
            concat_ws(
                ' ', extract(epoch FROM pg_postmaster_start_time()), extract(epoch FROM statistics.stats_reset),
                (SELECT oid FROM pg_database WHERE datname = current_database())
            ), 0
        )
    ) AS incarnation,
    CASE WHEN pg_is_in_recovery() OR length(snapshot::text) > 200
        THEN concat(pg_snapshot_xmin(snapshot), ':', pg_snapshot_xmin(snapshot), ':')
        ELSE snapshot::text
    END AS snapshot
FROM pg_current_snapshot() AS snapshot, pg_stat_bgwriter AS statistics;

-- name: page_runs
-- One, or a job's, the latest first; each with the request that waits for it, the last one that was taken (what was
-- refused as it was asked for was told there and then), and the last success before it.
SELECT run.*, clock_timestamp() AS read_at,
    request.id AS request_id, request.requested_at AS request_requested_at, request.requested_by AS request_requested_by,
    coalesce((request.parameters ->> 'force')::boolean, false) AS request_is_forced,
    request.begin_after > clock_timestamp() AS request_is_set_back, request.setback AS request_setback,
    to_jsonb(last_request) AS last_request, success.id AS success_id, success.parameters AS success_parameters
FROM etl_runs AS run
LEFT JOIN etl_run_requests AS request
    ON request.etl_run_id = run.id AND request.status IN ('queued', 'claimed') AND request.action IN ('load', 'retry')
LEFT JOIN LATERAL (
    SELECT id, action, status, requested_by, refusal,
        coalesce(finished_at, started_at, claimed_at, requested_at) AS at
    FROM etl_run_requests
    WHERE etl_run_id = run.id AND action IN ('load', 'retry') AND refusal_code IS NULL
    ORDER BY etl_run_requests.id DESC LIMIT 1
) AS last_request ON true
LEFT JOIN LATERAL (
    SELECT id, parameters FROM etl_runs
    WHERE etl_job_id = run.etl_job_id AND status = 'success' AND run_number < run.run_number
    ORDER BY run_number DESC LIMIT 1
) AS success ON true
WHERE (%(run_id)s::text IS NULL OR run.id = %(run_id)s) AND (%(job_id)s::text IS NULL OR run.etl_job_id = %(job_id)s)
    AND (%(before)s::bigint IS NULL OR run.run_number < %(before)s)
ORDER BY run.run_number DESC LIMIT %(limit)s;

-- name: page_run_exists
SELECT EXISTS (SELECT FROM etl_runs WHERE id = %(run_id)s) AS is_known;

-- name: page_batch_figures
-- Of all batches of a run. `rows_since`: stored since it was taken up, for its rate; what is left counts when it has ended.
SELECT avg(duration_ms) FILTER (WHERE status = 'succeeded') AS duration_ms_avg,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE status = 'succeeded') AS duration_ms_p95,
    max(committed_at) AS loaded_at,
    coalesce(sum(rows_inserted + rows_updated + rows_unchanged) FILTER (WHERE committed_at >= %(since)s), 0) AS rows_since,
    count(*) FILTER (WHERE status = 'failed') AS left_batches,
    coalesce(sum((source_position ->> 'records')::bigint) FILTER (WHERE status = 'failed'), 0) AS left_rows,
    count(*) FILTER (WHERE status = 'failed' AND error_is_permanent) AS permanent_batches,
    coalesce(sum((source_position ->> 'records')::bigint) FILTER (WHERE status = 'failed' AND error_is_permanent), 0)
        AS permanent_rows
FROM etl_run_batches WHERE etl_run_id = %(run_id)s;

-- name: page_examples
-- The first of the run, in the order of its input.
SELECT batch_index, example
FROM (
    SELECT batch_index, examples FROM etl_run_batches
    WHERE etl_run_id = %(run_id)s AND examples <> '[]' ORDER BY batch_index LIMIT 10
) AS batch, jsonb_array_elements(examples) WITH ORDINALITY AS found (example, place)
ORDER BY batch_index, place LIMIT 10;

-- name: page_queueing
-- How many requests were made before this one, and who could take it up.
SELECT
    (SELECT count(*) FROM etl_run_requests WHERE id < %(request_id)s AND status IN ('queued', 'claimed')) AS ahead,
    (
        SELECT count(*) FROM etl_workers
        WHERE stopped_at IS NULL AND heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s)
    ) AS workers;

-- name: page_stirred
-- Of the runs that are watched, those that have changed since each was looked at. What is changed by a transaction that
-- is yet to come was restored from another server.
SELECT watched.run_id
FROM unnest(%(run_ids)s::text[], %(revisions)s::bigint[], %(snapshots)s::text[]) AS watched (run_id, revision, snapshot)
WHERE (SELECT revision FROM etl_runs WHERE id = watched.run_id) IS DISTINCT FROM watched.revision OR EXISTS (
    SELECT FROM etl_run_batches AS batch
    WHERE batch.etl_run_id = watched.run_id AND batch.changed_xid < pg_snapshot_xmax(pg_current_snapshot())
        AND batch.changed_xid >= pg_snapshot_xmin(watched.snapshot::pg_snapshot)
        AND NOT pg_visible_in_snapshot(batch.changed_xid, watched.snapshot::pg_snapshot)
);

-- name: page_batches
-- In lines as the page's table has them: a page of all, of some, or of those that have changed since a snapshot. Last,
-- for whoever has seen `snapshot`, whether the line is new to him.
SELECT batch_index, revision, status, attempts, coalesce((source_position ->> 'records')::bigint, 0), rows_attempted,
    rows_inserted, rows_updated, rows_unchanged, rows_rejected, rows_invalid, duration_ms,
    jsonb_array_length(retry_timeline), started_at, committed_at,
    error_code, left(error_message, 1000), CASE WHEN error_code IS NOT NULL THEN coalesce(error_is_permanent, false) END,
    changed_xid < pg_snapshot_xmax(pg_current_snapshot())
        AND NOT pg_visible_in_snapshot(changed_xid, %(snapshot)s::pg_snapshot)
FROM etl_run_batches
WHERE etl_run_id = %(run_id)s AND batch_index > %(after)s
    AND (
        %(since)s::pg_snapshot IS NULL
        OR changed_xid < pg_snapshot_xmax(pg_current_snapshot())
        AND changed_xid >= pg_snapshot_xmin(%(since)s::pg_snapshot)
        AND NOT pg_visible_in_snapshot(changed_xid, %(since)s::pg_snapshot)
    )
    AND (%(statuses)s::text[] IS NULL OR status = ANY (%(statuses)s))
    AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(' ', error_code, error_message)), lower(%(text)s)) > 0)
ORDER BY batch_index LIMIT %(limit)s;

-- name: page_batch_details
-- What the expanded line shows besides.
SELECT error_message, source_position, first_ordinal, logs_fragment, error_stack, retry_timeline, examples
FROM etl_run_batches WHERE etl_run_id = %(run_id)s AND batch_index = %(index)s;

-- name: page_last_runs
-- Of each of these jobs the latest.
SELECT run.*, success.parameters AS success_parameters
FROM unnest(%(job_ids)s::text[]) AS job (id)
CROSS JOIN LATERAL (
    SELECT etl_runs.*, clock_timestamp() AS read_at,
        (
            SELECT request.id FROM etl_run_requests AS request
            WHERE request.etl_run_id = etl_runs.id AND request.status IN ('queued', 'claimed')
                AND request.action IN ('load', 'retry')
        ) AS request_id
    FROM etl_runs WHERE etl_job_id = job.id ORDER BY run_number DESC LIMIT 1
) AS run
LEFT JOIN LATERAL (
    SELECT parameters FROM etl_runs
    WHERE etl_job_id = job.id AND status = 'success' AND run_number < run.run_number
    ORDER BY run_number DESC LIMIT 1
) AS success ON true;

-- name: page_known_jobs
-- All that have ever run: some thousands at most, in one small table.
SELECT id, description, target_table FROM etl_jobs;

-- name: page_known_jobs_by_last_run
-- With the number of the latest run of each, found in an index, however many runs there are.
SELECT id, description, target_table, (SELECT max(run_number) FROM etl_runs WHERE etl_job_id = etl_jobs.id)
FROM etl_jobs;

-- name: page_known_job
SELECT id, description, target_table FROM etl_jobs WHERE id = %(job_id)s;

-- name: page_live_run
-- Under way, or waiting for its beginning or for its retry.
SELECT id FROM etl_runs WHERE etl_job_id = %(job_id)s AND status IN ('pending', 'running')
UNION ALL
SELECT etl_run_id FROM etl_run_requests
WHERE etl_job_id = %(job_id)s AND status IN ('queued', 'claimed') AND action IN ('load', 'retry')
LIMIT 1;

-- name: page_workers
-- Those of the last day, the latest heard of first.
SELECT host, process_id, started_at, heartbeat_at, loads, maximum_loads,
    stopped_at IS NULL AND heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s) AS is_alive
FROM etl_workers WHERE heartbeat_at > clock_timestamp() - interval '1 day'
ORDER BY heartbeat_at DESC LIMIT 100;

-- name: page_run_log
-- What was asked of the run, and by whom.
SELECT action, status, parameters, requested_by, requested_from, requested_at, claimed_at, started_at, finished_at,
    exit_code, refusal, output_tail
FROM etl_run_requests WHERE etl_run_id = %(run_id)s ORDER BY id;

-- name: page_batch_logs
-- A page at a time.
SELECT batch_index, logs_fragment FROM etl_run_batches
WHERE etl_run_id = %(run_id)s AND batch_index > %(after)s ORDER BY batch_index LIMIT %(limit)s;

-- name: page_table
-- Whether it stands and marks what is invalid.
SELECT count(*) = 4 AS has_invalid FROM pg_attribute
WHERE attrelid = to_regclass(quote_ident(%(table)s)) AND NOT attisdropped
    AND attname IN ('source_id', 'data', 'validation_errors', 'is_valid');

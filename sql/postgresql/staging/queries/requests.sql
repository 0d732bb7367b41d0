-- What is asked for: the queue of loads and retries, and the processes that begin them. Locks are taken in the order
-- key, job, request, run.

-- name: lock_request_key
-- Two requests with one key that come at once see one another; ends with the transaction.
SELECT pg_advisory_xact_lock(hashtext('etl_run_requests'), hashtext(%(key)s));

-- name: request_of_key
SELECT id, etl_run_id, request_hash, refusal_code, refusal FROM etl_run_requests WHERE idempotency_key = %(key)s;

-- name: get_request
SELECT id, etl_run_id, etl_job_id, action, parameters, status, requested_by FROM etl_run_requests
WHERE id = %(request_id)s;

-- name: add_request
-- One that is refused at once is kept, too: who asked for what.
INSERT INTO etl_run_requests (etl_run_id, etl_job_id, action, parameters, idempotency_key, request_hash, requested_by,
    requested_from, status, finished_at, refusal_code, refusal)
VALUES (%(run_id)s, %(job_id)s, %(action)s, %(parameters)s, %(key)s, %(request_hash)s, %(requested_by)s,
    %(requested_from)s, %(status)s, CASE WHEN %(status)s IN ('done', 'refused') THEN clock_timestamp() END,
    %(refusal_code)s, %(refusal)s)
RETURNING id;

-- name: queue_run
-- Nothing has begun: a worker's load begins it.
INSERT INTO etl_runs (id, etl_job_id, target_table, batch_size, workers, parameters, requested_by)
VALUES (%(run_id)s, %(job_id)s, %(target_table)s, %(batch_size)s, %(workers)s, %(parameters)s, %(requested_by)s);

-- name: open_requests_of_job
-- What waits, whatever run it is of.
SELECT etl_run_id, action, requested_by FROM etl_run_requests
WHERE etl_job_id = %(job_id)s AND status IN ('queued', 'claimed') ORDER BY id;

-- name: run_as_asked_for
-- What a retry or cancel wants to know; the job is locked, so that nothing begins meanwhile.
SELECT etl_job_id, status, input_ended_at IS NOT NULL AS has_read_all, cancelled_at IS NOT NULL AS is_cancelled,
    parameters #>> '{source,type}' AS source_type
FROM etl_runs WHERE id = %(run_id)s;

-- name: batches_left
-- What a retry could run.
SELECT batch_index, coalesce(error_is_permanent, false) AS is_permanent FROM etl_run_batches
WHERE etl_run_id = %(run_id)s AND status <> 'succeeded'
    AND (%(batch_indexes)s::integer[] IS NULL OR batch_index = ANY (%(batch_indexes)s))
ORDER BY batch_index;

-- name: withdraw_requests
-- Of a run that is cancelled before a worker's load has begun it.
UPDATE etl_run_requests SET status = 'withdrawn', finished_at = clock_timestamp(), refusal = %(refusal)s
WHERE etl_run_id = %(run_id)s AND status IN ('queued', 'claimed')
RETURNING id;

-- name: begin_request
-- In the transaction that begins the run: of two processes that were started for it, one does.
UPDATE etl_run_requests SET status = 'started', started_at = clock_timestamp(), host = %(host)s,
    process_id = %(process_id)s
WHERE id = %(request_id)s AND etl_run_id = %(run_id)s AND action = %(action)s AND status = 'claimed'
RETURNING id;

-- name: claim_requests
-- Passes over what waits: for a moment, for another run of its job, or, a retry of what only the run's machine has
-- kept, for a worker there while there is one. MATERIALIZED: a subquery that is scanned twice claims more than `limit`.
WITH next AS MATERIALIZED (
    SELECT id FROM etl_run_requests AS waiting
    WHERE status = 'queued' AND (begin_after IS NULL OR begin_after <= clock_timestamp())
        AND (coalesce((parameters ->> 'force')::boolean, false) OR NOT EXISTS (
            SELECT FROM etl_runs WHERE etl_runs.etl_job_id = waiting.etl_job_id AND etl_runs.status = 'running'
        ))
        AND NOT EXISTS (
            SELECT FROM etl_runs AS run JOIN etl_workers AS worker ON worker.host = run.host
            WHERE run.id = waiting.etl_run_id AND waiting.action = 'retry' AND run.host <> %(host)s
                AND run.parameters #>> '{source,type}' <> ALL (%(file_types)s) AND worker.stopped_at IS NULL
                AND worker.heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s)
        )
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE etl_run_requests AS request SET status = 'claimed', worker_id = %(worker_id)s, claimed_at = clock_timestamp()
FROM next WHERE request.id = next.id
RETURNING request.id, request.etl_run_id, request.etl_job_id, request.action, request.parameters, request.status,
    request.requested_by;

-- name: requeue_request
-- The load could not even begin, for a reason that passes; longer from time to time, and not for ever.
UPDATE etl_run_requests SET status = 'queued', worker_id = NULL, claimed_at = NULL, setbacks = setbacks + 1,
    setback = %(setback)s, begin_after = clock_timestamp()
        + make_interval(secs => least(%(first_wait_seconds)s * power(2, setbacks), %(longest_wait_seconds)s))
WHERE id = %(request_id)s AND status = 'claimed' AND worker_id = %(worker_id)s AND setbacks < %(most_setbacks)s
RETURNING id;

-- name: refuse_request
-- The process that was to begin the run has ended before it did.
UPDATE etl_run_requests SET status = 'refused', finished_at = clock_timestamp(), exit_code = %(exit_code)s,
    refusal = %(refusal)s, output_tail = %(output_tail)s
WHERE id = %(request_id)s AND status = 'claimed' AND worker_id = %(worker_id)s
RETURNING etl_run_id, action;

-- name: lock_queued_run
SELECT id FROM etl_runs WHERE id = %(run_id)s AND status = 'pending' FOR NO KEY UPDATE;

-- name: finish_request
-- By the worker whose child began it: another process may have.
UPDATE etl_run_requests SET status = 'done', finished_at = clock_timestamp(), exit_code = %(exit_code)s,
    output_tail = %(output_tail)s
WHERE id = %(request_id)s AND status = 'started' AND (host, process_id) = (%(host)s, %(process_id)s)
RETURNING id;

-- name: requeue_orphans
-- Claimed by a worker that has died, or has stopped, before its load began; or by this one, which does not know of it.
-- What has been begun goes on by itself.
UPDATE etl_run_requests AS request SET status = 'queued', worker_id = NULL, claimed_at = NULL
WHERE request.status = 'claimed' AND CASE
    WHEN request.worker_id = %(worker_id)s THEN request.id <> ALL (%(held)s::bigint[])
    ELSE request.claimed_at < clock_timestamp() - make_interval(secs => %(grace_seconds)s) AND NOT EXISTS (
        SELECT FROM etl_workers WHERE etl_workers.id = request.worker_id AND stopped_at IS NULL
            AND heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s)
    ) END
RETURNING request.id, request.etl_run_id;

-- name: finish_orphans
-- Begun for a worker that is gone: when the run has ended, nobody knows with which code.
UPDATE etl_run_requests AS request SET status = 'done', finished_at = clock_timestamp()
WHERE request.status = 'started'
    AND NOT EXISTS (
        SELECT FROM etl_workers WHERE etl_workers.id = request.worker_id AND stopped_at IS NULL
            AND heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s)
    )
    AND NOT EXISTS (SELECT FROM etl_runs WHERE etl_runs.id = request.etl_run_id AND finished_at IS NULL)
RETURNING request.id, request.etl_run_id;

-- name: beat_worker
-- Also the first time, and after the row was cleared away.
INSERT INTO etl_workers (id, host, process_id, maximum_loads, loads)
VALUES (%(worker_id)s, %(host)s, %(process_id)s, %(maximum_loads)s, %(loads)s)
ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp(), loads = excluded.loads, stopped_at = NULL;

-- name: stop_worker
UPDATE etl_workers SET stopped_at = clock_timestamp(), heartbeat_at = clock_timestamp(), loads = %(loads)s
WHERE id = %(worker_id)s;

-- name: forget_workers
DELETE FROM etl_workers WHERE heartbeat_at < clock_timestamp() - make_interval(secs => %(forget_seconds)s);

-- name: may_see_requests
-- One who may read the ledger's older tables alone can look on.
SELECT has_table_privilege('etl_run_requests', 'SELECT') AND has_table_privilege('etl_workers', 'SELECT');

-- name: waiting_requests
-- With how many workers have been heard of lately.
SELECT etl_run_id, action, requested_by, requested_at, (
    SELECT count(*)::integer FROM etl_workers
    WHERE stopped_at IS NULL AND heartbeat_at > clock_timestamp() - make_interval(secs => %(grace_seconds)s)
) AS workers
FROM etl_run_requests WHERE status IN ('queued', 'claimed') ORDER BY id LIMIT %(limit)s;

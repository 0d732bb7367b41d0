-- What workers do to runs. The functions stand in the migrations.

-- name: claim
SELECT * FROM dw_etl_claim(%(worker_id)s, %(at_most)s, %(lease_seconds)s);

-- name: finish
SELECT dw_etl_finish(
    %(token)s, %(outcome)s, %(failure)s::jsonb, %(counts)s::jsonb, %(retry_in_seconds)s::double precision
) AS status;

-- name: hand_back
SELECT dw_etl_hand_back(%(token)s, %(reason)s) AS is_own;

-- Of the attempts that are still this worker's: whether somebody asked to cancel their run.
-- name: renew
WITH renewed AS (
    UPDATE dw_etl_job_locks
    SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    WHERE fencing_token = ANY (%(tokens)s::bigint[]) AND worker_id = %(worker_id)s AND status = 'active'
    RETURNING fencing_token, run_id
)
SELECT renewed.fencing_token, run.cancel_requested_at, run.cancelled_by, run.reason
FROM renewed JOIN dw_etl_runs AS run USING (run_id);

-- name: record_event
INSERT INTO dw_etl_run_events (run_id, event_type, attempt, worker_id, fencing_token, details)
VALUES (%(run_id)s, %(event_type)s, %(attempt)s, %(worker_id)s, %(token)s, %(details)s::jsonb);

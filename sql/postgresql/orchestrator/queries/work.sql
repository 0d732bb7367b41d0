-- What a worker asks.

-- Attempts of a run that were taken from their workers: their processes are gone, or soon will be.
-- name: lost_tokens
SELECT fencing_token FROM dw_etl_run_events
WHERE run_id = %(run_id)s AND event_type IN ('lost', 'lock_released') AND fencing_token <> %(token)s;

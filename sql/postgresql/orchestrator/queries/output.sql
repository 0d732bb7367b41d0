-- What jobs write.

-- Guarded as every write of a worker. An attempt that was handed back has the number of the next, whose pieces follow
-- its own; sent twice, a piece is stored once.
-- name: store_output
INSERT INTO dw_etl_run_output (run_id, attempt, piece, stream, text)
SELECT lock.run_id, lock.attempt, earlier.pieces + piece.number, piece.stream, piece.text
FROM unnest(%(tokens)s::bigint[], %(numbers)s::integer[], %(streams)s::text[], %(texts)s::text[])
    AS piece (token, number, stream, text)
JOIN dw_etl_job_locks AS lock ON lock.fencing_token = piece.token AND lock.status = 'active'
CROSS JOIN LATERAL (
    SELECT coalesce(max(output.piece) + 1, 0) AS pieces
    FROM dw_etl_run_output AS output
    WHERE output.run_id = lock.run_id AND output.attempt = lock.attempt AND output.ts < lock.acquired_at
) AS earlier
ON CONFLICT DO NOTHING;

-- name: manifest_exists
-- Whether this session sees the tables, and may use them.
SELECT to_regclass('ingestion_manifest') IS NOT NULL AND to_regclass('ingestion_batches') IS NOT NULL
    AND to_regclass('ingestion_rejects') IS NOT NULL;

-- name: manifest_stands
-- Whether nothing is left to be made of them, either.
SELECT count(*) = 2 AND to_regclass('ingestion_rejects') IS NOT NULL FROM pg_attribute
WHERE attrelid IN (to_regclass('ingestion_manifest'), to_regclass('ingestion_batches'))
    AND attname = 'fencing_token' AND NOT attisdropped;

-- name: forget_table
-- Before a table is made that the manifest knows already: somebody has dropped it with all that was loaded. A new
-- load_id, so that no load goes on with batches that went with it.
UPDATE ingestion_manifest SET status = 'pending', checksum = '', rows = 0, load_id = gen_random_uuid()::text,
    notes = 'the table was dropped after this file had been loaded'
WHERE target_table = CASE WHEN position('.' IN $1) > 0 THEN $1 ELSE current_schema() || '.' || $1 END
    AND to_regclass($2) IS NULL;

-- name: find_entry
-- What stands of this file: its last load and how far it came.
SELECT m.checksum, m.status, m.load_id, m.run_id, m.rows, m.mode, m.chunk_size, m.options,
    (SELECT count(*) FROM ingestion_batches AS b WHERE b.load_id = m.load_id) AS batches
FROM ingestion_manifest AS m WHERE m.filename = $1 AND m.target_table = $2;

-- name: lock_entry
-- Waits for batches that are about to commit: they hold the row in share.
SELECT FROM ingestion_manifest WHERE filename = $1 AND target_table = $2 FOR UPDATE;

-- name: begin_load
-- A load from the start takes the row over; a resumed one (same load_id) keeps when it began. $11 is the load that was
-- found there, NULL for none: no row says that another run was faster.
INSERT INTO ingestion_manifest AS m
    (filename, target_table, checksum, filesize, status, run_id, load_id, file_type, mode, chunk_size, options,
    fencing_token)
VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10, $12)
ON CONFLICT (filename, target_table) DO UPDATE SET
    checksum = excluded.checksum, filesize = excluded.filesize, status = 'pending', run_id = excluded.run_id,
    load_id = excluded.load_id, file_type = excluded.file_type, mode = excluded.mode, chunk_size = excluded.chunk_size,
    options = excluded.options, notes = '', processed_at = now(), fencing_token = excluded.fencing_token,
    rows = CASE WHEN m.load_id = excluded.load_id THEN m.rows ELSE 0 END,
    started_at = CASE WHEN m.load_id = excluded.load_id THEN m.started_at ELSE excluded.started_at END
WHERE m.load_id = $11
RETURNING load_id;

-- name: committed_batches
-- What an earlier attempt at this load has left to skip.
SELECT batch_idx FROM ingestion_batches WHERE load_id = $1;

-- name: record_batch
-- Once a batch, and only as long as the load is the file's current one: no row says that one of the two is not so. The
-- file's row is held until the batch has committed, so that no other run begins in between.
INSERT INTO ingestion_batches (load_id, batch_idx, run_id, rows_read, rows_inserted, rows_updated, rows_unchanged,
    rows_rejected, rows_deduplicated, rows_padded, nul_characters, fencing_token)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $14
FROM (
    SELECT FROM ingestion_manifest WHERE filename = $12 AND target_table = $13 AND load_id = $1 FOR SHARE
) AS current_load
ON CONFLICT (load_id, batch_idx) DO NOTHING
RETURNING batch_idx;

-- name: recorded_batch
-- The counts of a batch that has committed, although nobody heard so.
SELECT rows_read, rows_inserted, rows_updated, rows_unchanged, rows_rejected, rows_deduplicated, rows_padded,
    nul_characters
FROM ingestion_batches WHERE load_id = $1 AND batch_idx = $2;

-- name: record_rejects
-- In the transaction of their batch.
INSERT INTO ingestion_rejects (load_id, batch_idx, place, line, row_in_file, column_name, value, reason)
SELECT $1, $2, r.* FROM unnest($3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[]) AS r;

-- name: load_counts
-- Of a whole load, whichever runs its batches committed in.
SELECT count(*), coalesce(sum(rows_read), 0)::bigint, coalesce(sum(rows_inserted), 0)::bigint,
    coalesce(sum(rows_updated), 0)::bigint, coalesce(sum(rows_unchanged), 0)::bigint,
    coalesce(sum(rows_rejected), 0)::bigint, coalesce(sum(rows_deduplicated), 0)::bigint,
    coalesce(sum(rows_padded), 0)::bigint, coalesce(sum(nul_characters), 0)::bigint
FROM ingestion_batches WHERE load_id = $1;

-- name: finish_load
-- `rows` are those that came into the table or stood there already. $6 is an orchestrator's attempt: one that was given
-- up does not say how the load ends that another has taken up.
UPDATE ingestion_manifest SET status = $4, notes = $5, processed_at = now(), rows = (
    SELECT coalesce(sum(rows_inserted + rows_updated + rows_unchanged), 0) FROM ingestion_batches WHERE load_id = $3)
WHERE filename = $1 AND target_table = $2 AND load_id = $3 AND ($6::bigint IS NULL OR fencing_token = $6);

-- name: list_files
-- For people: what came in last stands first. NULL asks for all.
SELECT m.filename, m.target_table, m.status, m.rows, m.filesize, m.checksum, m.file_type, m.mode, m.run_id, m.notes,
    m.started_at, m.processed_at, m.load_id,
    (SELECT count(*) FROM ingestion_batches AS b WHERE b.load_id = m.load_id) AS batches,
    (SELECT count(*) FROM ingestion_rejects AS r WHERE r.load_id = m.load_id) AS rejected
FROM ingestion_manifest AS m
WHERE ($1::text IS NULL OR $1 IN (m.target_table, split_part(m.target_table, '.', -1))) AND ($2::text IS NULL OR m.run_id = $2)
    AND ($3::text IS NULL OR m.status = $3)
ORDER BY m.processed_at DESC, m.filename;

-- name: list_rejects
-- Of a file's last load, in the file's order.
SELECT r.line, r.row_in_file, r.column_name, r.value, r.reason, r.batch_idx
FROM ingestion_rejects AS r JOIN ingestion_manifest AS m ON m.load_id = r.load_id
WHERE m.filename = $1 AND ($2::text IS NULL OR $2 IN (m.target_table, split_part(m.target_table, '.', -1)))
ORDER BY r.batch_idx, r.row_in_file, r.place LIMIT $3;

-- name: may_take_out
-- Whether batches can be taken out again: what a key that comes last may ask for.
SELECT has_table_privilege('ingestion_batches', 'DELETE') AND has_table_privilege('ingestion_rejects', 'DELETE');

-- name: batches_taken_out
-- Of loads that are to go on with what was taken out. Each row is written, whatever it says: so whoever is about to say
-- that the file is through counts its batches before this, and is corrected, or after it.
UPDATE ingestion_manifest AS m SET
    status = CASE WHEN m.status = 'failed' THEN m.status ELSE 'pending' END,
    notes = CASE WHEN m.status = 'failed' THEN m.notes
        ELSE 'batches with keys that stand twice were taken out when the table got its key; --resume loads them' END,
    rows = (
        SELECT coalesce(sum(b.rows_inserted + b.rows_updated + b.rows_unchanged), 0)
        FROM ingestion_batches AS b WHERE b.load_id = m.load_id)
WHERE m.load_id = ANY ($1::text[]);

-- name: count_batches
-- Of each load that has any.
SELECT load_id, count(*) FROM ingestion_batches WHERE load_id = ANY ($1::text[]) GROUP BY load_id;

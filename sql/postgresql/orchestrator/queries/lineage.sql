-- What an attempt has read and written, as the ledgers of its tools have it.

-- name: lineage_places
-- Which of them stand in this database and may be read. The uploader's is wherever its role's search_path begins.
SELECT known.ledger, space.nspname AS schema_name
FROM (VALUES ('main', 'runs', 'etl'), ('staging', 'etl_runs', %(staging_schema)s), ('uploader', 'ingestion_manifest', NULL))
    AS known (ledger, table_name, schema_name)
JOIN pg_catalog.pg_class AS class ON class.relname = known.table_name AND class.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
    AND space.nspname = coalesce(known.schema_name, space.nspname)
WHERE EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS token
        WHERE token.attrelid = class.oid AND token.attname = 'fencing_token' AND NOT token.attisdropped)
    AND has_schema_privilege(space.oid, 'USAGE') AND has_table_privilege(class.oid, 'SELECT')
ORDER BY known.ledger, space.nspname;

-- name: lineage_of_main
-- A row a table and destination; of a run without loads, as of `etl rejects retry`, what it was to work on.
SELECT run.run_id AS ledger_run_id, load.table_name, load.destination, load.status, load.rows_read,
    load.rows_inserted + load.rows_updated + load.rows_deleted AS rows_written
FROM runs AS run JOIN loads AS load USING (run_id)
WHERE run.fencing_token = %(token)s
UNION ALL
SELECT run.run_id, named.table_name, '', run.status, NULL, NULL
FROM runs AS run CROSS JOIN LATERAL (SELECT DISTINCT unnest(run.tables)) AS named (table_name)
WHERE run.fencing_token = %(token)s AND NOT EXISTS (SELECT FROM loads WHERE loads.run_id = run.run_id)
ORDER BY 1, 2, 3;

-- name: lineage_of_staging
-- Of a run that an attempt took up again, the batches that it has stored itself.
SELECT run.id AS ledger_run_id, run.target_table AS table_name, 'postgresql' AS destination, run.status,
    coalesce(sum(batch.rows_attempted), 0)::bigint AS rows_read,
    coalesce(sum(batch.rows_inserted + batch.rows_updated), 0)::bigint AS rows_written
FROM etl_runs AS run
LEFT JOIN etl_run_batches AS batch ON batch.etl_run_id = run.id AND batch.status = 'succeeded'
    AND batch.committed_at >= coalesce(run.resumed_at, run.started_at)
WHERE run.fencing_token = %(token)s
GROUP BY run.id
ORDER BY run.id;

-- name: lineage_of_uploader
-- All files that went into a table together; of a load that was taken up again, the batches of this attempt.
SELECT file.run_id AS ledger_run_id, file.target_table AS table_name, 'postgresql' AS destination,
    CASE WHEN bool_or(file.status = 'failed') THEN 'failed' WHEN bool_or(file.status = 'pending') THEN 'pending'
        ELSE 'success' END AS status,
    coalesce(sum(batch.rows_read), 0)::bigint AS rows_read,
    coalesce(sum(batch.rows_inserted + batch.rows_updated), 0)::bigint AS rows_written
FROM ingestion_manifest AS file
LEFT JOIN ingestion_batches AS batch ON batch.load_id = file.load_id AND batch.fencing_token = file.fencing_token
WHERE file.fencing_token = %(token)s
GROUP BY file.run_id, file.target_table
ORDER BY file.run_id, file.target_table;

-- name: store_lineage
-- Said again, it stands once, with what was said last.
INSERT INTO dw_etl_run_tables (
    run_id, fencing_token, ledger, ledger_run_id, table_name, destination, status, rows_read, rows_written
)
SELECT %(run_id)s, %(token)s, touched.*
FROM jsonb_to_recordset(%(touched)s) AS touched (
    ledger text, ledger_run_id text, table_name text, destination text, status text, rows_read bigint,
    rows_written bigint
)
ON CONFLICT (run_id, fencing_token, ledger, ledger_run_id, table_name, destination) DO UPDATE SET
    status = excluded.status, rows_read = excluded.rows_read, rows_written = excluded.rows_written;

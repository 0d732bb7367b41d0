-- What is asked of a database and a table before a run may begin.

-- name: server_state
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS is_read_only,
    to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL AS has_schema,
    to_regclass('etl_runs') IS NOT NULL AND to_regclass('etl_run_batches') IS NOT NULL AS has_ledger,
    -- made by the last migration
    to_regclass('etl_alerts') IS NOT NULL AS is_ledger_current;

-- name: missing_privileges
-- One row for each right that is lacking; tables that do not stand are somebody else's fault.
SELECT wanted.table_name, wanted.privilege
FROM (VALUES (%(table)s, 'SELECT'), (%(table)s, 'INSERT'), (%(table)s, 'UPDATE'),
    ('etl_jobs', 'SELECT'), ('etl_jobs', 'INSERT'), ('etl_jobs', 'UPDATE'),
    ('etl_runs', 'SELECT'), ('etl_runs', 'INSERT'), ('etl_runs', 'UPDATE'),
    ('etl_run_batches', 'SELECT'), ('etl_run_batches', 'INSERT'), ('etl_run_batches', 'UPDATE'),
    ('etl_run_rejects', 'SELECT'), ('etl_run_rejects', 'INSERT')) AS wanted (table_name, privilege)
WHERE to_regclass(quote_ident(wanted.table_name)) IS NOT NULL
    AND NOT has_table_privilege(to_regclass(quote_ident(wanted.table_name)), wanted.privilege);

-- name: table_columns
-- `must_be_given`: an insert that does not name it fails. A collation that takes different texts for equal makes another
-- type of text: of two source_ids that are one to it a batch holds both, which ON CONFLICT refuses.
SELECT attname,
    format_type(atttypid, atttypmod) || CASE WHEN NOT collisdeterministic
        THEN format(' with collation %%I, which takes different texts for equal', collname) ELSE '' END AS type,
    attnotnull AND NOT atthasdef AND attidentity = '' AS must_be_given
FROM pg_attribute LEFT JOIN pg_collation ON pg_collation.oid = attcollation
WHERE attrelid = to_regclass(quote_ident(%(table)s)) AND attnum > 0 AND NOT attisdropped;

-- name: has_unique_source_id
-- What ON CONFLICT (source_id) can stand on; beside a deferrable one PostgreSQL refuses it.
SELECT coalesce(bool_and(indimmediate), false) FROM pg_index
JOIN pg_attribute ON attrelid = indrelid AND attname = 'source_id'
WHERE indrelid = to_regclass(quote_ident(%(table)s)) AND indisunique AND indisvalid AND indpred IS NULL
    AND indnkeyatts = 1 AND indkey[0] = attnum;

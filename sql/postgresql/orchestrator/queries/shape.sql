-- What the catalogs say of the orchestrator's tables, in words that do not name their schema.

-- name: shape_surroundings
SELECT
    current_setting('server_version_num')::integer AS version,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    pg_backend_pid() AS process_id,
    current_user AS user_name,
    current_database() AS database_name,
    to_regnamespace(current_setting('search_path')) IS NOT NULL AS has_schema,
    coalesce(has_schema_privilege(to_regnamespace(current_setting('search_path')), 'CREATE'), true)
        AS may_create_tables,
    to_regnamespace(current_setting('search_path')) IS NOT NULL
        OR has_database_privilege(current_database(), 'CREATE') AS may_create_schema;

-- name: shape_namespace
SELECT to_regnamespace(current_setting('search_path'))::oid AS live, pg_my_temp_schema() AS made;

-- name: shape_tables
SELECT
    c.relname AS name, c.relkind AS kind, pg_get_userbyid(c.relowner) AS owner,
    pg_has_role(c.relowner, 'USAGE') AS is_owned
FROM pg_class AS c
WHERE c.relnamespace = %(namespace)s AND c.relname LIKE 'dw\_etl\_%%' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.oid;

-- name: shape_columns
SELECT
    c.relname AS table_name, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS is_required, a.attidentity <> '' AS is_identity, a.attgenerated <> '' AS is_generated,
    pg_get_expr(d.adbin, d.adrelid) AS "default"
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = %(namespace)s AND c.relname LIKE 'dw\_etl\_%%' AND c.relkind IN ('r', 'p')
ORDER BY c.relname, a.attnum;

-- name: shape_constraints
SELECT
    c.relname AS table_name, k.conname AS name, k.contype::text AS kind, k.convalidated AS is_valid,
    regexp_replace(
        replace(pg_get_constraintdef(k.oid), format('%%s.', c.relnamespace::regnamespace), ''), ' NOT VALID$', ''
    ) AS definition
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
WHERE c.relnamespace = %(namespace)s AND c.relname LIKE 'dw\_etl\_%%' AND k.contype IN ('c', 'f', 'p', 'u')
ORDER BY k.contype, c.relname, k.conname;

-- name: shape_indexes
SELECT
    c.relname AS table_name, i.relname AS name, x.indisvalid AND x.indisready AS is_valid, x.indisunique AS is_unique,
    x.indpred IS NOT NULL AS is_partial,
    EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
        AS is_of_constraint,
    replace(
        replace(pg_get_indexdef(x.indexrelid), format(' ON %%s.', c.relnamespace::regnamespace), ' ON '),
        ' ON pg_temp.', ' ON '
    ) AS definition,
    ARRAY(
        SELECT pg_get_indexdef(x.indexrelid, number, true) FROM generate_series(1, x.indnkeyatts) AS number
    ) AS columns
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS c ON c.oid = x.indrelid
WHERE c.relnamespace = %(namespace)s AND c.relname LIKE 'dw\_etl\_%%' AND c.relkind IN ('r', 'p')
ORDER BY i.oid;

-- name: shape_functions
SELECT format('%%s, md5 %%s', proname, md5(prosrc)) AS name FROM pg_proc
WHERE pronamespace = %(namespace)s AND proname LIKE 'dw\_etl\_%%';

-- name: try_lock_migration
SELECT pg_try_advisory_xact_lock(hashtext('dw_etl_migration'), hashtext(%(schema)s)) AS is_held;

-- name: oldest_transactions
-- Of others: the migration's own lock is a transaction that is open, too.
SELECT
    pid, coalesce(usename::text, backend_type) AS user_name, application_name, state,
    extract(epoch FROM clock_timestamp() - xact_start)::integer AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL OR state LIKE 'idle in%%')
    AND pid NOT IN (
        SELECT pid FROM pg_locks
        WHERE locktype = 'advisory' AND pid IS NOT NULL
            AND classid::bigint = hashtext('dw_etl_migration')::bigint & 4294967295
            AND objid::bigint = hashtext(%(schema)s)::bigint & 4294967295
    )
ORDER BY xact_start, pid
LIMIT 3;

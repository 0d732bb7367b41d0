-- What `migrate` asks of the catalogs and of its own surroundings.

-- name: legacy_surroundings
SELECT current_setting('server_version_num')::integer AS version,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS is_read_only,
    current_user AS user_name,
    EXISTS (SELECT FROM pg_namespace WHERE nspname = %(schema)s) AS has_schema,
    (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %(schema)s) AS may_create,
    (
        SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}') FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relkind = 'r'
            AND relname IN ('etl_jobs', 'etl_runs', 'etl_staging_archive')
    ) AS own_tables,
    EXISTS (SELECT FROM pg_timezone_names WHERE name = %(time_zone)s) AS knows_time_zone;

-- name: legacy_may_silence_triggers
SELECT has_parameter_privilege('session_replication_role', 'SET') AS may;

-- name: legacy_lacking_privileges
SELECT privilege || ' on ' || own.relname AS lacking
FROM unnest(ARRAY['SELECT', 'INSERT', 'REFERENCES']) AS privilege, pg_class AS own
WHERE own.relnamespace = quote_ident(%(schema)s)::regnamespace
    AND own.relname IN ('etl_jobs', 'etl_runs', 'etl_staging_archive')
    AND NOT has_table_privilege(own.oid, privilege)
ORDER BY own.relname, privilege;

-- name: legacy_lock
-- One migration of a schema at a time; held by an open transaction, not by a session that a pooler may pass on.
SELECT pg_try_advisory_xact_lock(hashtext('etl.staging.migrate'), hashtext(%(schema)s)) AS is_held;

-- name: legacy_lock_holder
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = hashtext('etl.staging.migrate')::oid
    AND objid = hashtext(%(schema)s)::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: legacy_tables
-- Whatever the pattern names; what cannot be migrated is told so by name.
SELECT pg_class.oid::bigint AS oid, relname::text AS name, relkind::text AS kind, relispartition AS is_partition,
    EXISTS (SELECT FROM pg_inherits WHERE pg_class.oid IN (inhparent, inhrelid)) AS has_relatives,
    pg_has_role(relowner, 'USAGE') AS is_owned, pg_get_userbyid(relowner)::text AS owner,
    relhasrules AND relkind = 'r' AS has_rules
FROM pg_class
WHERE relnamespace = quote_ident(%(schema)s)::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname LIKE %(pattern)s
    AND relname NOT IN ('etl_jobs', 'etl_runs', 'etl_run_batches', 'etl_run_rejects', 'etl_run_requests', 'etl_workers',
        'etl_users', 'etl_sessions', 'etl_user_events', 'etl_staging_archive', 'etl_alerts')
ORDER BY relname;

-- name: legacy_columns
-- `type` is the base type's own name, below any domain.
SELECT attrelid::bigint AS oid, attname::text AS name, coalesce(base.typname, own.typname)::text AS type,
    format_type(atttypid, atttypmod) AS type_text, attnotnull AS is_required,
    attgenerated <> '' AS is_generated, attidentity <> '' AS is_identity,
    own.typtype <> 'd' AND atttypmod = -1 AS is_plain,
    NOT coalesce(collisdeterministic, true) AS is_loose,
    pg_get_expr(adbin, adrelid) AS default_text
FROM pg_attribute
JOIN pg_type AS own ON own.oid = atttypid
LEFT JOIN pg_type AS base ON own.typtype = 'd' AND base.oid = own.typbasetype
LEFT JOIN pg_collation ON pg_collation.oid = attcollation
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = ANY (%(oids)s::oid[]) AND attnum > 0 AND NOT attisdropped
ORDER BY attrelid, attnum;

-- name: legacy_indexes
-- `is_plain`: a btree of whole columns, ascending, without predicate: what a constraint can stand on.
SELECT indrelid::bigint AS oid, relname::text AS name, amname::text AS method, indisunique AS is_unique,
    indisvalid AND indisready AS is_valid, indisprimary AS is_primary, indimmediate AS is_immediate,
    amname = 'btree' AND indpred IS NULL AND indexprs IS NULL AND indnatts = indnkeyatts
        AND NOT EXISTS (SELECT FROM unnest(indoption::smallint[]) AS option WHERE option <> 0)
        AND NOT EXISTS (
            SELECT FROM unnest(indclass::oid[]) AS used JOIN pg_opclass ON pg_opclass.oid = used WHERE NOT opcdefault
        ) AS is_plain,
    (SELECT conname::text FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u')) AS constraint_name,
    (
        SELECT array_agg(coalesce(attname::text, '') ORDER BY place)
        FROM unnest(indkey::smallint[]) WITH ORDINALITY AS key (number, place)
        LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number AND number > 0
    ) AS columns,
    (SELECT opcname::text FROM pg_opclass WHERE pg_opclass.oid = indclass[0]) AS first_operators,
    indpred IS NULL AS is_whole
FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_am ON pg_am.oid = relam
WHERE indrelid = ANY (%(oids)s::oid[])
ORDER BY relname;

-- name: legacy_constraints
SELECT conrelid::bigint AS oid, conname::text AS name, contype::text AS kind, convalidated AS is_valid,
    (
        SELECT coalesce(array_agg(attname::text ORDER BY place), '{}')
        FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number
    ) AS columns,
    CASE WHEN parent.relnamespace = quote_ident(%(schema)s)::regnamespace THEN parent.relname::text END AS parent,
    -- of another system, which has or had the ledger's place
    coalesce(parent.relname IN ('etl_jobs', 'etl_runs') AND parent.relnamespace IN (
        quote_ident(%(schema)s)::regnamespace, to_regnamespace(quote_ident(%(adopted)s))
    ) AND NOT EXISTS (
        SELECT FROM pg_class AS own JOIN pg_attribute ON attrelid = own.oid AND attname = 'run_number'
        WHERE own.relnamespace = parent.relnamespace AND own.relname = 'etl_runs'
    ), false) AS is_adopted,
    pg_get_constraintdef(pg_constraint.oid) AS definition
FROM pg_constraint
LEFT JOIN pg_class AS parent ON parent.oid = confrelid
WHERE conrelid = ANY (%(oids)s::oid[]) AND contype IN ('c', 'f')
ORDER BY conname;

-- name: legacy_references
-- Foreign keys of other tables to these; `acts` where deleting or renaming a key here would change rows there.
SELECT confrelid::bigint AS oid, conrelid::regclass::text AS child, confdeltype NOT IN ('a', 'r') AS acts
FROM pg_constraint WHERE confrelid = ANY (%(oids)s::oid[]) AND contype = 'f' AND conrelid <> confrelid
ORDER BY 2;

-- name: legacy_dependents
-- What would forbid changing or dropping a column: views, policies, generated columns, triggers of certain columns.
-- (Columns of the contract itself do not stay generated.)
SELECT refobjid::bigint AS oid, attname::text AS column_name,
    pg_describe_object(classid, objid, objsubid) AS dependent
FROM pg_depend
JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
WHERE refclassid = 'pg_class'::regclass AND refobjid = ANY (%(oids)s::oid[]) AND refobjsubid > 0 AND deptype IN ('n', 'a')
    AND (
        classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass)
        OR (classid = 'pg_attrdef'::regclass AND EXISTS (
            SELECT FROM pg_attrdef JOIN pg_attribute AS own ON own.attrelid = adrelid AND own.attnum = adnum
            WHERE pg_attrdef.oid = objid AND own.attname <> ALL (%(contract)s)
        ))
        OR (classid = 'pg_class'::regclass AND objid = refobjid AND EXISTS (
            SELECT FROM pg_attribute AS own
            WHERE own.attrelid = objid AND own.attnum = objsubid AND own.attname <> ALL (%(contract)s)
        ))
    )
ORDER BY 2, 3;

-- name: legacy_triggers
-- Triggers of the users' own that fire for each row that is updated or deleted.
SELECT tgrelid::bigint AS oid, tgname::text AS name
FROM pg_trigger
WHERE tgrelid = ANY (%(oids)s::oid[]) AND NOT tgisinternal AND tgtype & 1 = 1 AND tgtype & 24 <> 0
    AND tgenabled <> 'D'
ORDER BY tgname;

-- name: legacy_names
-- Names of tables and indexes that are taken.
SELECT relname::text AS name FROM pg_class WHERE relnamespace = quote_ident(%(schema)s)::regnamespace;

-- name: legacy_holders
-- Who holds a lock on the table, or writes to those its foreign keys refer to; the oldest transaction first.
SELECT pid, coalesce(usename::text, backend_type) AS user_name, application_name, state,
    extract(epoch FROM clock_timestamp() - xact_start)::integer AS seconds
FROM pg_locks JOIN pg_stat_activity USING (pid)
JOIN pg_class ON pg_class.oid = pg_locks.relation AND relnamespace = quote_ident(%(schema)s)::regnamespace
WHERE locktype = 'relation' AND granted AND pid <> pg_backend_pid() AND datname = current_database() AND (
    relname = %(table)s OR (relname IN ('etl_jobs', 'etl_runs') AND mode NOT IN ('AccessShareLock', 'RowShareLock'))
)
GROUP BY pid, usename, backend_type, application_name, state, xact_start
ORDER BY xact_start NULLS LAST, pid;

-- name: legacy_oldest_transactions
-- Whom an index that is built CONCURRENTLY may be waiting for.
SELECT pid, coalesce(usename::text, backend_type) AS user_name, application_name, state,
    extract(epoch FROM clock_timestamp() - xact_start)::integer AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
    AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
ORDER BY xact_start, pid;

-- name: legacy_pages
SELECT pg_relation_size(to_regclass(%(table)s)) / current_setting('block_size')::bigint AS pages;

-- name: legacy_historical_job
INSERT INTO etl_jobs (id, target_table, description)
VALUES (%(job_id)s, %(pattern)s, 'rows whose job was not known when migrate found them')
ON CONFLICT (id) DO NOTHING;

-- name: legacy_historical_run
INSERT INTO etl_runs (id, etl_job_id, status, phase, target_table, batch_size, parameters, finished_at)
VALUES (%(run_id)s, %(job_id)s, 'success', 'committing', %(pattern)s, 1000,
    jsonb_build_object('registered_by', 'migrate'), clock_timestamp())
ON CONFLICT (id) DO NOTHING;

-- name: legacy_run_owner
SELECT etl_job_id FROM etl_runs WHERE id = %(run_id)s;

-- name: legacy_index_is_valid
-- No row where there is no such index.
SELECT indisvalid AND indisready AS is_valid FROM pg_index WHERE indexrelid = to_regclass(%(index)s);

-- name: foreign_ledger
-- Relations of another system that have the ledger's names: none where the ledger itself stands.
SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}') AS tables,
    coalesce(bool_and(pg_has_role(relowner, 'USAGE')), true) AS is_owned
FROM pg_class
WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relkind IN ('r', 'p', 'v', 'm', 'f')
    AND relname IN ('etl_jobs', 'etl_runs', 'etl_run_batches', 'etl_run_rejects', 'etl_run_requests', 'etl_workers',
        'etl_users', 'etl_sessions', 'etl_user_events', 'etl_staging_archive', 'etl_alerts')
    AND NOT EXISTS (
        SELECT FROM pg_class AS own JOIN pg_attribute ON attrelid = own.oid AND attname = 'run_number'
        WHERE own.relnamespace = pg_class.relnamespace AND own.relname = 'etl_runs'
    );

-- name: adopted_schema
-- Where a foreign ledger is kept: whether the schema stands and can be made, and what of those names is in it.
SELECT to_regnamespace(quote_ident(%(adopted)s)) IS NOT NULL AS has_schema,
    CASE WHEN to_regnamespace(quote_ident(%(adopted)s)) IS NULL
        THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege(to_regnamespace(quote_ident(%(adopted)s))::oid, 'CREATE') END AS may_create,
    (
        SELECT coalesce(array_agg(relname::text ORDER BY relname), '{}') FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(%(adopted)s)) AND relname = ANY (%(tables)s)
    ) AS tables;

-- name: foreign_columns
-- `is_key`: the primary key is this column alone, or foreign keys refer to it.
SELECT attname::text AS name, coalesce(base.typname, own.typname)::text AS type,
    EXISTS (
        SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'p' AND conkey = ARRAY[attnum]
    ) AS is_primary,
    EXISTS (
        SELECT FROM pg_constraint WHERE confrelid = attrelid AND contype = 'f' AND confkey = ARRAY[attnum]
    ) AS is_referenced
FROM pg_attribute
JOIN pg_type AS own ON own.oid = atttypid
LEFT JOIN pg_type AS base ON own.typtype = 'd' AND base.oid = own.typbasetype
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;

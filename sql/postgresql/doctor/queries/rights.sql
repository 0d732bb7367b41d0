-- What the configured role may do. Names come from the configuration; what is not there has no right either.

-- name: source_tables
SELECT
    wanted.schema_name, wanted.table_name,
    n.oid IS NOT NULL AS has_schema,
    c.oid IS NOT NULL AS has_table,
    coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use_schema,
    coalesce(has_table_privilege(c.oid, 'SELECT'), false) AS may_read,
    c.relkind IN ('r', 'p') AND row_security_active(c.oid) AS hides_rows,
    EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'timestamp'::regtype
    ) AS has_local_times
FROM unnest(%(schemas)s::text[], %(tables)s::text[]) WITH ORDINALITY AS wanted (schema_name, table_name, place)
LEFT JOIN pg_namespace AS n ON n.nspname = wanted.schema_name
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.table_name
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY wanted.place;

-- name: schemas
SELECT
    wanted.name,
    n.oid IS NOT NULL AS stands,
    coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use,
    coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS may_create
FROM unnest(%(names)s::text[]) AS wanted (name)
LEFT JOIN pg_namespace AS n ON n.nspname = wanted.name
ORDER BY wanted.name;

-- name: standing_tables
-- Those of these that stand, with the rights that the role has there.
SELECT
    n.nspname AS schema_name, c.relname AS table_name,
    pg_has_role(c.relowner, 'USAGE') AS is_owner,
    array(
        SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
        WHERE has_table_privilege(c.oid, privilege)
    ) AS rights
FROM unnest(%(schemas)s::text[], %(tables)s::text[]) AS wanted (schema_name, table_name)
JOIN pg_namespace AS n ON n.nspname = wanted.schema_name
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.table_name AND c.relkind IN ('r', 'p')
ORDER BY 1, 2;

-- name: tables_of
-- A tool's own in its schema, by the beginning of their names.
SELECT c.relname AS table_name
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND starts_with(c.relname, %(prefix)s)
ORDER BY 1;

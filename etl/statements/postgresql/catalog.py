"""What PostgreSQL's catalog knows of a table, as one JSON value in one round trip."""

from __future__ import annotations

DESCRIBE_TABLE = """
SELECT jsonb_build_object(
    'kind', c.relkind,
    'columns', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
            'has_default', a.atthasdef, 'identity', a.attidentity, 'generated', a.attgenerated) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'unique_keys', (
        SELECT jsonb_agg(jsonb_build_object(
            'columns', (
                SELECT jsonb_agg(a.attname ORDER BY k.position)
                FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, position)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
                WHERE k.position <= i.indnkeyatts),
            'primary', i.indisprimary, 'immediate', i.indimmediate,
            'nulls_not_distinct', i.indnullsnotdistinct) ORDER BY i.indexrelid)
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
    'foreign_keys', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', f.conname,
            'child_schema', cn.nspname, 'child', cc.relname, 'parent_schema', pn.nspname, 'parent', pc.relname,
            'columns', (
                SELECT jsonb_agg(a.attname ORDER BY k.position)
                FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, position)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
            'parent_columns', (
                SELECT jsonb_agg(a.attname ORDER BY k.position)
                FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, position)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)
            ) ORDER BY f.oid)
        FROM pg_catalog.pg_constraint AS f
        JOIN pg_catalog.pg_class AS cc ON cc.oid = f.conrelid
        JOIN pg_catalog.pg_namespace AS cn ON cn.oid = cc.relnamespace
        JOIN pg_catalog.pg_class AS pc ON pc.oid = f.confrelid
        JOIN pg_catalog.pg_namespace AS pn ON pn.oid = pc.relnamespace
        WHERE f.contype = 'f' AND f.conparentid = 0 AND c.oid IN (f.conrelid, f.confrelid)))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
"""

TABLE_EXISTS = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(name)s)
"""

LOCK_HOLDERS = """
SELECT l.pid, a.application_name, a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::int
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND l.granted AND l.pid <> pg_backend_pid()
ORDER BY a.xact_start NULLS LAST
LIMIT 3
"""

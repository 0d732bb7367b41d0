"""What the operational PostgreSQL says of its tables; one statement for all of them."""

from __future__ import annotations

TABLES = """
WITH RECURSIVE wanted AS (
    SELECT n.nspname, c.relname, c.oid, c.relkind
    FROM unnest(%(schemas)s::text[], %(tables)s::text[]) AS w (schema_name, table_name)
    JOIN pg_namespace n ON n.nspname = w.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.table_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
),
-- a domain is read as the type it is made of; its name means nothing in another database
base_types AS (
    SELECT t.oid, t.typbasetype AS base, t.typtypmod AS modifier FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT b.oid, t.typbasetype, coalesce(nullif(b.modifier, -1), t.typtypmod)
    FROM base_types b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd'
),
resolved AS (
    SELECT b.oid, b.base, b.modifier FROM base_types b JOIN pg_type t ON t.oid = b.base AND t.typtype <> 'd'
),
columns AS (
    SELECT a.attrelid, jsonb_agg(jsonb_build_object(
        'name', a.attname,
        -- enums, composites and extension types have no meaning in another database: text there
        'type', CASE WHEN tn.nspname = 'pg_catalog' THEN format_type(t.oid, coalesce(r.modifier, a.atttypmod))
                     WHEN t.typcategory = 'A' THEN 'text[]' ELSE 'text' END,
        'nullable', NOT a.attnotnull,
        'generated', a.attgenerated <> '',
        'identity', a.attidentity <> '') ORDER BY a.attnum) AS columns
    FROM pg_attribute a
    JOIN wanted w ON w.oid = a.attrelid
    LEFT JOIN resolved r ON r.oid = a.atttypid
    JOIN pg_type t ON t.oid = coalesce(r.base, a.atttypid)
    JOIN pg_namespace tn ON tn.oid = t.typnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
),
unique_indexes AS (
    SELECT i.indrelid, i.indisprimary, i.indexrelid,
           (SELECT jsonb_agg(a.attname ORDER BY k.position)
            FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE k.position <= i.indnkeyatts) AS columns
    FROM pg_index i JOIN wanted w ON w.oid = i.indrelid
    WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
),
foreign_keys AS (
    SELECT f.conrelid, jsonb_agg(jsonb_build_object(
        'parent', p.relname,
        'columns', (SELECT jsonb_agg(a.attname ORDER BY k.position)
                    FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, position)
                    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
        'parent_columns', (SELECT jsonb_agg(a.attname ORDER BY k.position)
                    FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, position)
                    JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)
        ) ORDER BY f.conname) AS keys
    FROM pg_constraint f JOIN wanted w ON w.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0
    GROUP BY f.conrelid
)
SELECT w.nspname, w.relname, w.relkind,
       -- partitions are scanned one by one, each over the same block numbers
       CASE WHEN w.relkind IN ('r', 'm') THEN pg_relation_size(w.oid)
            WHEN w.relkind = 'p' THEN (
                SELECT coalesce(max(pg_relation_size(t.relid)), 0) FROM pg_partition_tree(w.oid) t)
            ELSE 0 END / current_setting('block_size')::bigint AS blocks,
       coalesce(c.columns, '[]'),
       coalesce((SELECT u.columns FROM unique_indexes u WHERE u.indrelid = w.oid AND u.indisprimary), '[]'),
       coalesce((SELECT jsonb_agg(u.columns ORDER BY u.indexrelid)
                 FROM unique_indexes u WHERE u.indrelid = w.oid AND NOT u.indisprimary), '[]'),
       coalesce(f.keys, '[]')
FROM wanted w
LEFT JOIN columns c ON c.attrelid = w.oid
LEFT JOIN foreign_keys f ON f.conrelid = w.oid
"""

NAMES = """
SELECT n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1, 2
"""

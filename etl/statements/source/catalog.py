"""What the operational PostgreSQL says of its tables; one statement for all of them.

Enums, composites, ranges of one's own and types of extensions have no meaning in another database: a column of them is
read as text, and `stands_for` keeps what it is at the source.
"""

from __future__ import annotations

from etl.statements.postgresql.catalog import index_columns, key_columns

MEANINGLESS = [
    # they name objects of this database, by a number that means another one elsewhere
    *("regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator", "regproc"),
    *("regprocedure", "regrole", "regtype", "aclitem"),
    # the server's own notes, which it writes and never reads
    *("pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "gtsvector"),
    *("pg_brin_bloom_summary", "pg_brin_minmax_multi_summary"),
]
"""Types of pg_catalog whose values another database could not take: text there. Parameter of TABLES."""

TABLES = f"""
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
        'type', CASE WHEN k.travels THEN format_type(t.oid, coalesce(r.modifier, d.modifier, a.atttypmod))
                     ELSE 'text' END || CASE WHEN k.is_array THEN '[]' ELSE '' END,
        'stands_for', CASE WHEN k.travels THEN '' ELSE format_type(a.atttypid, a.atttypmod) END,
        'has_loose_texts', coalesce(NOT l.collisdeterministic, false) OR t.typname = 'citext',
        'nullable', NOT a.attnotnull,
        'generated', a.attgenerated <> '',
        'identity', a.attidentity <> '') ORDER BY a.attnum) AS columns
    FROM pg_attribute a
    JOIN wanted w ON w.oid = a.attrelid
    LEFT JOIN resolved d ON d.oid = a.atttypid
    JOIN pg_type o ON o.oid = coalesce(d.base, a.atttypid)
    -- of an array what it holds: the elements, or what their domain is made of
    LEFT JOIN pg_type e ON e.oid = o.typelem AND e.typarray = o.oid
    LEFT JOIN resolved r ON r.oid = e.oid
    JOIN pg_type t ON t.oid = coalesce(r.base, e.oid, o.oid)
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    CROSS JOIN LATERAL (SELECT
        e.oid IS NOT NULL AS is_array,
        t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm')
            AND t.typname <> ALL (%(meaningless)s::text[])
            AND (e.oid IS NULL OR t.typarray <> 0) AS travels
    ) AS k
    WHERE a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
),
unique_indexes AS (
    SELECT i.indrelid, i.indisprimary, i.indexrelid,
           {index_columns("i")} AS columns
    FROM pg_index i JOIN wanted w ON w.oid = i.indrelid
    WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
),
foreign_keys AS (
    SELECT f.conrelid, jsonb_agg(jsonb_build_object(
        'parent', p.relname,
        'columns', {key_columns("f.conrelid", "f.conkey")},
        'parent_columns', {key_columns("f.confrelid", "f.confkey")}
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

FOREIGN_PARTS = """
WITH RECURSIVE parts AS (
    SELECT to_regclass(%(table)s)::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM pg_inherits i JOIN parts p ON i.inhparent = p.oid
)
SELECT EXISTS (SELECT FROM parts p JOIN pg_class t ON t.oid = p.oid WHERE t.relkind = 'f')
"""
"""Whether some of a table's partitions are of another server; its quoted name is the parameter."""

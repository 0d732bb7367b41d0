-- name: describe_target
-- Everything the uploader decides by, in one round trip; nothing where there is no such table.
SELECT jsonb_build_object(
    'schema', n.nspname,
    'name', c.relname,
    'kind', c.relkind,
    'comment', obj_description(c.oid, 'pg_class'),
    'has_row_security', c.relrowsecurity,
    'has_rules', c.relhasrules,
    'has_triggers', EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS g
        WHERE NOT g.tgisinternal
            AND (g.tgrelid = c.oid OR g.tgrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)))),
    'may_select', has_table_privilege(c.oid, 'SELECT'),
    'columns', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', a.attname,
            'type', format_type(a.atttypid, a.atttypmod),
            'plain_type', plain.type,
            'is_domain_of_enum', plain.is_domain_of_enum,
            'collation', CASE WHEN a.attcollation <> 0 AND a.attcollation <> 'default'::regcollation
                THEN format('%I.%I', ln.nspname, l.collname) ELSE '' END,
            'is_deterministic', coalesce(l.collisdeterministic, true),
            'not_null', a.attnotnull,
            'has_default', a.atthasdef,
            'identity', a.attidentity,
            'generated', a.attgenerated,
            'sequence', (
                SELECT jsonb_build_object('schema', qn.nspname, 'name', qc.relname, 'ascending', q.seqincrement > 0)
                FROM pg_catalog.pg_sequence AS q
                JOIN pg_catalog.pg_class AS qc ON qc.oid = q.seqrelid
                JOIN pg_catalog.pg_namespace AS qn ON qn.oid = qc.relnamespace
                WHERE q.seqrelid = pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname)::regclass))
            ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute AS a
        LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
        LEFT JOIN pg_catalog.pg_namespace AS ln ON ln.oid = l.collnamespace
        CROSS JOIN LATERAL (
            -- under a domain stands another type, or another domain
            WITH RECURSIVE below AS (
                SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS modifier
                FROM pg_catalog.pg_type AS t WHERE t.oid = a.atttypid
                UNION ALL
                SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, below.typtypmod
                FROM below JOIN pg_catalog.pg_type AS t ON t.oid = below.typbasetype
                WHERE below.typtype = 'd')
            -- a domain over an enumeration has no operators of its own
            SELECT CASE WHEN typtype = 'e' AND oid = a.atttypid THEN 'anyenum' ELSE format_type(oid, modifier) END AS type,
                typtype = 'e' AND oid <> a.atttypid AS is_domain_of_enum
            FROM below WHERE typtype <> 'd') AS plain
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'unique_keys', (
        SELECT coalesce(jsonb_agg((
            SELECT jsonb_agg(a.attname ORDER BY k.position)
            FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, position)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
            WHERE k.position <= i.indnkeyatts)), '[]')
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
            AND i.indpred IS NULL AND i.indexprs IS NULL
            -- an index that tells keys apart by another collation than its column has is no key for ON CONFLICT
            AND NOT EXISTS (
                SELECT FROM unnest(i.indkey, i.indcollation) WITH ORDINALITY AS k (attnum, collation_oid, position)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
                JOIN pg_catalog.pg_collation AS l ON l.oid IN (a.attcollation, k.collation_oid)
                WHERE k.position <= i.indnkeyatts AND k.collation_oid <> a.attcollation AND NOT l.collisdeterministic)))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass($1);

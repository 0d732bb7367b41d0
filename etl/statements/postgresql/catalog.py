"""What PostgreSQL's catalog knows of a table, as one JSON value in one round trip."""

from __future__ import annotations


def key_columns(relation: str, numbers: str, only: str = "true") -> str:
    """A JSON array of names in the key's order, from the numbers that the catalog has for them."""
    return f"""(SELECT jsonb_agg(a.attname ORDER BY k.position)
        FROM unnest({numbers}) WITH ORDINALITY AS k (attnum, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = {relation} AND a.attnum = k.attnum WHERE {only})"""


def index_columns(index: str) -> str:
    """Those that it is about; others it merely includes. `index` is a row of pg_index."""
    return key_columns(f"{index}.indrelid", f"{index}.indkey::int2[]", f"k.position <= {index}.indnkeyatts")


def _collation(which: str) -> str:
    """The name, as SQL, of the collation `l` of column `a` where `which` holds; empty where it does not."""
    return f"""coalesce((
                SELECT format('%%I.%%I', n.nspname, l.collname)
                FROM pg_catalog.pg_collation AS l JOIN pg_catalog.pg_namespace AS n ON n.oid = l.collnamespace
                JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
                WHERE l.oid = a.attcollation AND {which}), '')"""


DESCRIBE_TABLE = f"""
SELECT jsonb_build_object(
    'kind', c.relkind,
    'columns_ever', c.relnatts,
    'columns', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
            'has_default', a.atthasdef, 'identity', a.attidentity, 'generated', a.attgenerated,
            'collation', {_collation("l.oid <> t.typcollation")},
            'loose_collation', {_collation("NOT l.collisdeterministic")}
            ) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'unique_keys', (
        SELECT jsonb_agg(jsonb_build_object(
            'columns', {index_columns("i")},
            'primary', i.indisprimary, 'immediate', i.indimmediate,
            'nulls_not_distinct', i.indnullsnotdistinct) ORDER BY i.indexrelid)
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
    'checks', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', k.conname, 'columns', coalesce(m.columns, '[]'), 'expression', pg_get_expr(k.conbin, k.conrelid))
            ORDER BY k.conname)
        FROM pg_catalog.pg_constraint AS k, LATERAL (
            SELECT jsonb_agg(a.attname) AS columns FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) AS m
        -- as JSON, because NOT ENFORCED came with PostgreSQL 18
        WHERE k.conrelid = c.oid AND k.contype = 'c' AND to_jsonb(k) ->> 'conenforced' IS DISTINCT FROM 'false'),
    'exclusions', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', x.conname, 'deferrable', x.condeferrable, 'definition', pg_get_constraintdef(x.oid),
            'elements', (
                SELECT jsonb_agg(jsonb_build_object(
                    'column', a.attname, 'operator', format('OPERATOR(%%I.%%s)', o.nspname, o.oprname))
                    ORDER BY e.position)
                FROM unnest(x.conkey, x.conexclop) WITH ORDINALITY AS e (attnum, operator, position)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.conrelid AND a.attnum = e.attnum
                JOIN (SELECT p.oid, p.oprname, s.nspname FROM pg_catalog.pg_operator AS p
                      JOIN pg_catalog.pg_namespace AS s ON s.oid = p.oprnamespace) AS o ON o.oid = e.operator)
            ) ORDER BY x.conname)
        FROM pg_catalog.pg_constraint AS x
        JOIN pg_catalog.pg_index AS i ON i.indexrelid = x.conindid
        -- a predicate or an expression cannot be looked into: such a constraint is left to PostgreSQL
        WHERE x.conrelid = c.oid AND x.contype = 'x' AND i.indpred IS NULL AND i.indexprs IS NULL),
    'sequences', (
        SELECT jsonb_agg(jsonb_build_object(
            'column', a.attname, 'schema', sn.nspname, 'name', sc.relname, 'ascending', q.seqincrement > 0,
            'may_advance',
            has_sequence_privilege(q.seqrelid, 'SELECT') AND has_sequence_privilege(q.seqrelid, 'UPDATE'))
            ORDER BY a.attnum)
        FROM (
            SELECT d.refobjsubid AS attnum, d.objid AS sequence FROM pg_catalog.pg_depend AS d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
              AND d.refobjid = c.oid AND d.deptype = 'i'
            UNION
            SELECT f.adnum, d.refobjid FROM pg_catalog.pg_attrdef AS f
            JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
            WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND f.adrelid = c.oid) AS u
        JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = u.sequence
        JOIN pg_catalog.pg_class AS sc ON sc.oid = q.seqrelid
        JOIN pg_catalog.pg_namespace AS sn ON sn.oid = sc.relnamespace
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.attnum),
    'foreign_keys', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', f.conname,
            'child_schema', cn.nspname, 'child', cc.relname, 'parent_schema', pn.nspname, 'parent', pc.relname,
            'columns', {key_columns("f.conrelid", "f.conkey")},
            'parent_columns', {key_columns("f.confrelid", "f.confkey")}
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

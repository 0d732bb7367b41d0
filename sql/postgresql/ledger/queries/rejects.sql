-- name: copy_rejects
-- Text format: its escapes are unambiguous whatever the rows hold.
COPY etl.rejects (run_id, table_name, destination, rule, reason, row) FROM STDIN (FORMAT text);

-- name: rejects
-- The latest first; a filter that is NULL takes all.
SELECT reject_id, run_id, table_name, destination, rule, reason, row::text AS row, status, key::text AS key, created_at,
       resolved_at
FROM etl.rejects
WHERE (%(run_id)s::text IS NULL OR run_id = %(run_id)s)
  AND (%(table_name)s::text IS NULL OR table_name = %(table_name)s)
  AND (%(rule)s::text IS NULL OR rule = %(rule)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY reject_id DESC
LIMIT %(limit)s;

-- name: count_rejects
-- What the list is a part of.
SELECT count(*) AS count
FROM etl.rejects
WHERE (%(run_id)s::text IS NULL OR run_id = %(run_id)s)
  AND (%(table_name)s::text IS NULL OR table_name = %(table_name)s)
  AND (%(rule)s::text IS NULL OR rule = %(rule)s)
  AND (%(status)s::text IS NULL OR status = %(status)s);

-- name: reject
-- One of them.
SELECT reject_id, run_id, table_name, destination, rule, reason, row::text AS row, status, key::text AS key, created_at,
       resolved_at
FROM etl.rejects WHERE reject_id = %(reject_id)s;

-- name: waiting_tables
-- Tables with orphans whose parents may have come.
SELECT DISTINCT table_name FROM etl.rejects WHERE status = 'waiting' ORDER BY table_name;

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

-- name: rejected_rules
-- Which rules rejected rows broke, the most frequent first.
SELECT rule, count(*) AS rows FROM etl.rejects WHERE status = 'rejected' GROUP BY rule ORDER BY 2 DESC, 1;

-- name: rejected_by_rule
-- Of one run, how many rows of each table each rule kept from which destination (NULL: from all).
SELECT table_name, destination, rule, count(*) AS rows FROM etl.rejects WHERE run_id = %(run_id)s
GROUP BY table_name, destination, rule ORDER BY table_name, destination, rule;

-- name: rejected_tables
-- Tables whose rows a rule rejected.
SELECT DISTINCT table_name FROM etl.rejects WHERE status = 'rejected' AND rule = %(rule)s ORDER BY table_name;

-- name: rejected_extents
-- Of each destination (NULL: all), how many rows a rule rejected, and from where to where their marks reach; the row has
-- the column under the source's name, or under the one that it becomes.
SELECT destination, count(*) AS rows, max(reject_id) AS last_reject_id, min(mark) AS first_mark, max(mark) AS last_mark,
       bool_and(mark IS NOT NULL) AS is_marked
FROM (
    SELECT destination, reject_id, coalesce(row ->> %(column)s, row ->> %(renamed)s) AS mark FROM etl.rejects
    WHERE status = 'rejected' AND table_name = %(table_name)s AND rule = %(rule)s
) AS marked
GROUP BY destination ORDER BY destination;

-- name: resolve_rejected
-- Rows that were read again: they are loaded by now, or a newer entry of that run says why not. The same holds for rows
-- that broke another rule and, met on the way, broke it again.
UPDATE etl.rejects AS former SET status = 'resolved', resolved_at = clock_timestamp()
WHERE former.status = 'rejected' AND former.table_name = %(table_name)s
  AND former.destination IS NOT DISTINCT FROM %(destination)s AND former.reject_id <= %(last_reject_id)s
  AND (former.rule = %(rule)s OR EXISTS (
      SELECT FROM etl.rejects AS newer
      WHERE newer.run_id = %(run_id)s AND newer.table_name = former.table_name AND newer.rule = former.rule
        AND newer.destination IS NOT DISTINCT FROM former.destination AND newer.row = former.row
  ));

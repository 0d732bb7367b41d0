-- What `etl history` looks back on.

-- name: run_summaries
-- The latest first, each with the sums of its loads.
SELECT run.run_id, run.status, run.started_at, run.finished_at, run.resumed_from, run.failure,
    extract(epoch FROM coalesce(run.finished_at, clock_timestamp()) - run.started_at)::float8 AS seconds,
    count(*) FILTER (WHERE load.status = 'success') AS loads_success,
    count(*) FILTER (WHERE load.status = 'unchanged') AS loads_unchanged,
    count(*) FILTER (WHERE load.status = 'skipped') AS loads_skipped,
    count(*) FILTER (WHERE load.status = 'failed') AS loads_failed,
    count(*) FILTER (WHERE load.status IN ('pending', 'running')) AS loads_open,
    coalesce(sum(load.rows_read), 0)::bigint AS rows_read,
    coalesce(sum(load.rows_inserted), 0)::bigint AS rows_inserted,
    coalesce(sum(load.rows_updated), 0)::bigint AS rows_updated,
    coalesce(sum(load.rows_rejected), 0)::bigint AS rows_rejected,
    coalesce(sum(load.rows_deleted), 0)::bigint AS rows_deleted,
    coalesce(sum(load.bytes_written), 0)::bigint AS bytes_written
FROM (SELECT * FROM etl.runs ORDER BY run_number DESC LIMIT %(limit)s) AS run
LEFT JOIN etl.loads AS load ON load.run_id = run.run_id
GROUP BY run.run_id, run.run_number, run.status, run.started_at, run.finished_at, run.resumed_from, run.failure
ORDER BY run.run_number DESC;

-- name: load_trends
-- Of the loads of the last runs, the slowest by the median of those that wrote something first; `last_` is the latest of
-- these.
WITH recent AS (
    SELECT run_id, run_number FROM etl.runs ORDER BY run_number DESC LIMIT %(runs)s
)
SELECT load.table_name, load.destination,
    count(*) AS loads,
    count(*) FILTER (WHERE load.status = 'failed') AS failures,
    (array_agg(load.status ORDER BY recent.run_number DESC))[1] AS last_status,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY load.seconds) FILTER (WHERE load.status = 'success') AS median_seconds,
    max(load.seconds) FILTER (WHERE load.status = 'success') AS longest_seconds,
    (array_agg(load.seconds ORDER BY recent.run_number DESC) FILTER (WHERE load.status = 'success'))[1] AS last_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY load.rows_read) FILTER (WHERE load.status = 'success') AS median_rows_read,
    (array_agg(load.rows_read ORDER BY recent.run_number DESC) FILTER (WHERE load.status = 'success'))[1] AS last_rows_read
FROM recent
JOIN etl.loads AS load ON load.run_id = recent.run_id AND load.status IN ('success', 'unchanged', 'failed')
GROUP BY load.table_name, load.destination
ORDER BY median_seconds DESC NULLS LAST, load.table_name, load.destination
LIMIT %(limit)s;

-- name: load_paces
-- Of each load that this run published: the median rows a second of the last ones that read as many rows, more or less.
SELECT load.table_name, load.destination, usual.rows_per_second
FROM etl.loads AS load
CROSS JOIN LATERAL (
    SELECT
        count(*) AS loads,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY before.rows_read / before.seconds) AS rows_per_second
    FROM (
        SELECT rows_read, seconds FROM etl.loads AS past
        WHERE past.table_name = load.table_name AND past.destination = load.destination
        AND past.finished_at < load.started_at AND past.status = 'success' AND past.mode = load.mode
        AND past.seconds > 0 AND past.rows_read BETWEEN load.rows_read / 4 AND load.rows_read * 4
        ORDER BY past.finished_at DESC
        LIMIT %(last)s
    ) AS before
) AS usual
WHERE load.run_id = %(run_id)s AND load.status = 'success' AND load.rows_read >= %(fewest_rows)s
AND usual.loads >= %(fewest_loads)s;

-- name: standings
-- When each table was last loaded into each destination, and since when its watermark is where it is.
SELECT
    load.table_name, load.destination, load.last_loaded_at, mark.mark,
    CASE WHEN mark.mark IS NOT NULL THEN (
        SELECT min(bringer.finished_at) FROM etl.loads AS bringer
        WHERE bringer.table_name = load.table_name AND bringer.destination = load.destination
        AND bringer.next_watermark = mark.mark
    ) END AS mark_since,
    clock_timestamp() AS now
FROM (
    SELECT table_name, destination, max(finished_at) AS last_loaded_at
    FROM etl.loads
    WHERE status IN ('success', 'unchanged', 'skipped')
    GROUP BY table_name, destination
) AS load
LEFT JOIN etl.watermarks AS mark USING (table_name, destination);

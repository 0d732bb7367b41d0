-- What the alerts ask of the uploads before, as the manifest holds them: of a file its last load.

-- name: alerts_stand
SELECT
    to_regclass('ingestion_alerts') IS NOT NULL AS is_there,
    -- as the manifest names it
    CASE WHEN position('.' IN $1::text) > 0 THEN $1 ELSE current_schema() || '.' || $1 END AS table_name;

-- name: usual_pace
-- The median rows a second of the last uploads into the table that loaded as many, more or less; how many there are.
SELECT count(*) AS uploads, percentile_cont(0.5) WITHIN GROUP (ORDER BY past.rows / past.seconds) AS rows_per_second
FROM (
    SELECT sum(rows) AS rows, extract(epoch FROM max(processed_at) - min(started_at))::double precision AS seconds
    FROM ingestion_manifest
    WHERE target_table = $1 AND run_id <> $2
    GROUP BY run_id
    HAVING bool_and(status = 'success') AND max(processed_at) > min(started_at)
    AND sum(rows) BETWEEN $3::bigint / 4 AND $3::bigint * 4
    ORDER BY max(processed_at) DESC
    LIMIT $4
) AS past;

-- name: last_successes
-- When a file was last loaded into each table.
SELECT target_table, max(processed_at) AS last_loaded_at, clock_timestamp() AS now
FROM ingestion_manifest
WHERE status = 'success'
GROUP BY target_table;

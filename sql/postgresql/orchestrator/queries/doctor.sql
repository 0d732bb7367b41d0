-- What tells whether all is well. Ages are by the server's clock.

-- name: doctor_processes_alive
SELECT
    kind, worker_id, host, process_id, slots,
    extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision AS silent_seconds
FROM dw_etl_processes
WHERE ended_at IS NULL AND heartbeat_at > clock_timestamp() - interval '1 day'
ORDER BY kind, worker_id;

-- name: doctor_locks_expired
SELECT
    fencing_token, concurrency_key, run_id, worker_id,
    extract(epoch FROM clock_timestamp() - expires_at)::double precision AS seconds
FROM dw_etl_job_locks
WHERE status = 'active' AND expires_at < clock_timestamp()
ORDER BY expires_at
LIMIT 100;

-- name: doctor_runs_stuck
SELECT * FROM (
    SELECT runs.run_id, jobs.slug, 'is running, and no lock holds it' AS how
    FROM dw_etl_runs AS runs JOIN dw_etl_jobs AS jobs USING (job_id)
    WHERE runs.status = 'running' AND NOT EXISTS (
        SELECT FROM dw_etl_job_locks AS locks WHERE locks.run_id = runs.run_id AND locks.status = 'active'
    )
    UNION ALL
    SELECT locks.run_id, jobs.slug, format('has been running for longer than %%s s', jobs.stuck_after_seconds)
    FROM dw_etl_job_locks AS locks JOIN dw_etl_jobs AS jobs USING (job_id)
    WHERE locks.status = 'active'
        AND locks.acquired_at < clock_timestamp() - jobs.stuck_after_seconds * interval '1 second'
    UNION ALL
    SELECT runs.run_id, jobs.slug, 'waits for a parent, and all its parents have ended'
    FROM dw_etl_runs AS runs JOIN dw_etl_jobs AS jobs USING (job_id)
    WHERE runs.status = 'queued' AND runs.ready_at IS NULL
        AND runs.created_at < clock_timestamp() - interval '1 minute'
        AND NOT EXISTS (
            SELECT FROM dw_etl_run_dependencies AS edges
            JOIN dw_etl_runs AS parents ON parents.run_id = edges.parent_run_id
            WHERE edges.run_id = runs.run_id AND parents.status IN ('queued', 'running')
        )
) AS stuck
ORDER BY run_id
LIMIT 100;

-- name: doctor_alerts_undelivered
SELECT
    count(*) FILTER (WHERE status = 'pending' AND created_at < clock_timestamp() - interval '5 minutes') AS waiting,
    count(*) FILTER (WHERE status = 'given_up' AND created_at > clock_timestamp() - interval '1 day') AS given_up,
    (array_agg(last_error ORDER BY alert_id DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS last_error
FROM dw_etl_alerts
WHERE status IN ('pending', 'given_up') AND created_at > clock_timestamp() - interval '30 days';

-- name: doctor_indexes_invalid
SELECT i.relname AS name, c.relname AS table_name
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS c ON c.oid = x.indrelid
WHERE c.relnamespace = to_regnamespace(current_setting('search_path')) AND NOT (x.indisvalid AND x.indisready)
ORDER BY i.relname;

-- name: doctor_vacuum_of_runs
SELECT
    c.reltuples AS rows, s.n_dead_tup AS dead, s.n_mod_since_analyze AS changed,
    greatest(s.last_autovacuum, s.last_vacuum) AS vacuumed_at, greatest(s.last_autoanalyze, s.last_analyze) AS analyzed_at,
    current_setting('autovacuum')::boolean
        AND NOT coalesce('autovacuum_enabled=false' = ANY (c.reloptions), false) AS is_on,
    age(c.relfrozenxid) AS age, current_setting('autovacuum_freeze_max_age')::integer AS freeze_age
FROM pg_class AS c
LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.oid = to_regclass('dw_etl_runs');

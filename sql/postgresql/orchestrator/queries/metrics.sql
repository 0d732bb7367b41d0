-- What stands in the database, for Prometheus: asked every few seconds, so of indexes alone where runs are many.

-- Nobody takes a run of a disabled job: it is not ready, it waits.
-- name: metrics
WITH now AS MATERIALIZED (
    SELECT clock_timestamp() AS at
), ready AS (
    SELECT
        count(*) FILTER (WHERE ready_at <= now.at) AS runs,
        count(*) FILTER (WHERE ready_at > now.at) AS retrying,
        coalesce(extract(epoch FROM now.at - min(ready_at) FILTER (WHERE ready_at <= now.at)), 0) AS seconds
    FROM now LEFT JOIN (dw_etl_runs AS run JOIN dw_etl_jobs AS job ON job.job_id = run.job_id AND job.is_enabled)
        ON run.status = 'queued' AND run.ready_at IS NOT NULL
    GROUP BY now.at
), held AS MATERIALIZED (
    SELECT
        lock.concurrency_key, job.slug, job.layer, extract(epoch FROM now.at - lock.acquired_at) AS seconds
    FROM now, dw_etl_job_locks AS lock JOIN dw_etl_jobs AS job USING (job_id)
    WHERE lock.status = 'active'
), behind AS (
    SELECT count(*) AS runs, coalesce(extract(epoch FROM now.at - min(run.ready_at)), 0) AS seconds
    FROM now CROSS JOIN held
    JOIN dw_etl_runs AS run ON run.concurrency_key = held.concurrency_key
        AND run.status = 'queued' AND run.ready_at IS NOT NULL AND run.ready_at <= now.at
    JOIN dw_etl_jobs AS job ON job.job_id = run.job_id AND job.is_enabled
    GROUP BY now.at
), pending AS (
    SELECT count(alert_id) AS alerts, coalesce(extract(epoch FROM now.at - min(created_at)), 0) AS seconds
    FROM now LEFT JOIN dw_etl_alerts ON status = 'pending'
    GROUP BY now.at
)
SELECT 'queue_runs' AS name, '{ready}'::text[] AS labels, ready.runs::double precision AS value FROM ready
UNION ALL SELECT 'queue_runs', '{retrying}', ready.retrying FROM ready
UNION ALL SELECT 'queue_runs', '{waiting}', count(*) - (SELECT runs + retrying FROM ready)
    FROM dw_etl_runs WHERE status = 'queued'
UNION ALL SELECT 'queue_seconds', '{}', ready.seconds FROM ready
UNION ALL SELECT 'lock_wait_runs', '{}', coalesce(sum(behind.runs), 0) FROM behind
UNION ALL SELECT 'lock_wait_seconds', '{}', coalesce(max(behind.seconds), 0) FROM behind
UNION ALL SELECT 'running_runs', ARRAY[layer], count(*) FROM held GROUP BY layer
UNION ALL SELECT 'lock_held_seconds', ARRAY[slug, concurrency_key], max(seconds) FROM held
    WHERE concurrency_key IS NOT NULL GROUP BY slug, concurrency_key
UNION ALL SELECT 'active_locks', '{}', count(concurrency_key) FROM held
UNION ALL SELECT 'processes', ARRAY[kind], (
        SELECT count(*) FROM dw_etl_processes AS process, now
        WHERE process.kind = of.kind AND process.ended_at IS NULL
        AND process.heartbeat_at > now.at - %(alive_seconds)s * interval '1 second'
    ) FROM unnest('{scheduler,worker}'::text[]) AS of (kind)
UNION ALL SELECT 'heartbeat_age_seconds', ARRAY[kind, worker_id], greatest(extract(epoch FROM now.at - heartbeat_at), 0)
    FROM now, dw_etl_processes WHERE ended_at IS NULL
UNION ALL SELECT 'job_failing', ARRAY[job.slug, job.layer], (
        coalesce((
            SELECT run.ended_at > coalesce((
                SELECT good.ended_at FROM dw_etl_runs AS good
                WHERE good.job_id = job.job_id AND good.status = 'success' ORDER BY good.ended_at DESC LIMIT 1
            ), '-infinity')
            FROM dw_etl_runs AS run
            WHERE run.job_id = job.job_id AND run.status = 'failed' ORDER BY run.ended_at DESC LIMIT 1
        ), false)
    )::integer FROM dw_etl_jobs AS job WHERE job.is_enabled
UNION ALL SELECT 'alerts', '{pending}', pending.alerts FROM pending
UNION ALL SELECT 'alerts', '{given_up}', count(*) FROM now, dw_etl_alerts
    WHERE status = 'given_up' AND created_at > now.at - interval '1 day'
UNION ALL SELECT 'alert_pending_seconds', '{}', pending.seconds FROM pending;

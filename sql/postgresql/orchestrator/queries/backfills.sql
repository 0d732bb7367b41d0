-- What became of ticks.

-- Job by job and tick by tick, by (job_id, scheduled_at).
-- name: runs_of_ticks
SELECT
    job.slug, run.scheduled_at,
    bool_or(run.status IN ('queued', 'running', 'success')) AS is_done_or_open,
    (array_agg(run.status ORDER BY run.run_id DESC))[1] AS latest
FROM dw_etl_runs AS run JOIN dw_etl_jobs AS job USING (job_id)
WHERE job.slug = ANY (%(slugs)s) AND run.scheduled_at = ANY (%(instants)s)
GROUP BY job.slug, run.scheduled_at;

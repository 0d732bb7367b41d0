-- What alerts a run's end makes. Names are found by the caller's search_path, plans are kept, as in the queue's functions.

-- The channels that are told of a kind of alert of a job; one rule that fits is enough.
CREATE OR REPLACE FUNCTION dw_etl_alert_targets(of_job bigint, of_kind text)
RETURNS TABLE (slug text, channel text, dedupe_seconds double precision) LANGUAGE sql STABLE AS $$
    SELECT job.slug, rule.channel, min(rule.dedupe_seconds)
    FROM dw_etl_jobs AS job
    JOIN dw_etl_alert_rules AS rule
        ON of_kind = ANY (rule.kinds)
        AND (rule.layers = '{}' OR job.layer = ANY (rule.layers))
        AND (rule.jobs = '{}' OR job.slug = ANY (rule.jobs))
        AND (rule.tags = '{}' OR EXISTS (
            SELECT FROM dw_etl_job_tags AS tagged WHERE tagged.job_id = job.job_id AND tagged.tag = ANY (rule.tags)
        ))
    WHERE job.job_id = of_job
    GROUP BY job.slug, rule.channel
$$;

-- The alert of a run's end is in the transaction that ends it. A job has recovered when it succeeds and the last that a
-- channel was to be told of it is a failure.
CREATE OR REPLACE FUNCTION dw_etl_tell_of_end(run dw_etl_runs) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    what text := CASE run.status WHEN 'failed' THEN 'failure' WHEN 'success' THEN 'recovered' END;
BEGIN
    IF what IS NULL OR NOT EXISTS (SELECT FROM dw_etl_alert_rules) THEN
        RETURN;
    END IF;
    INSERT INTO dw_etl_alerts (run_id, kind, channel, dedupe_key, dedupe_seconds, facts)
    SELECT
        run.run_id, what, target.channel, what || ':' || target.slug,
        CASE what WHEN 'failure' THEN target.dedupe_seconds ELSE 0 END,
        jsonb_build_object(
            'attempt', run.attempts, 'maximum_attempts', run.maximum_attempts, 'worker_id', run.worker_id,
            'started_at', run.started_at, 'ended_at', run.ended_at, 'reason', run.reason,
            'error_class', run.error_class, 'error_type', run.error_type, 'error_message', run.error_message,
            'is_transient', run.is_transient_error, 'exit_code', run.exit_code
        )
    FROM dw_etl_alert_targets(run.job_id, what) AS target
    WHERE what = 'failure' OR (
        SELECT max(told.alert_id) FROM dw_etl_alerts AS told
        WHERE told.dedupe_key = 'failure:' || target.slug AND told.channel = target.channel
    ) > coalesce((
        SELECT max(told.alert_id) FROM dw_etl_alerts AS told
        WHERE told.dedupe_key = 'recovered:' || target.slug AND told.channel = target.channel
    ), 0);
END
$$;

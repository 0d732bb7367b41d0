-- Runs of logs that are older than the orchestrator.

-- name: job_numbers
SELECT slug, job_id FROM dw_etl_jobs ORDER BY slug;

-- name: create_imported
CREATE TEMPORARY TABLE imported (
    line bigint, job_id bigint, status text, scheduled_at timestamptz, interval_from timestamptz,
    interval_until timestamptz, started_at timestamptz, ended_at timestamptz, parameters jsonb,
    parameter_fingerprint text, correlation_id text, cycle_id text, attempts integer, maximum_attempts integer,
    records_read bigint, records_written bigint, exit_code integer, error_class text, error_type text,
    error_message text, is_transient_error boolean, worker_id text, requested_by text, reason text, metrics jsonb
) ON COMMIT DROP;

-- name: copy_imported
COPY pg_temp.imported FROM STDIN WITH (FORMAT csv);

-- name: add_imported
-- An imported run never becomes ready. What is there by its correlation id stays as it is.
WITH made AS (
    INSERT INTO dw_etl_runs (
        job_id, trigger, status, scheduled_at, interval_from, interval_until, started_at, ended_at, parameters,
        parameter_fingerprint, correlation_id, cycle_id, attempts, maximum_attempts, records_read, records_written,
        exit_code, error_class, error_type, error_message, is_transient_error, worker_id, requested_by, reason, metrics
    )
    SELECT
        job_id, 'import', status, scheduled_at, interval_from, interval_until, started_at, ended_at, parameters,
        parameter_fingerprint, correlation_id, cycle_id, attempts, maximum_attempts, records_read, records_written,
        exit_code, error_class, error_type, error_message, is_transient_error, worker_id, requested_by, reason, metrics
    FROM pg_temp.imported
    ORDER BY line
    ON CONFLICT (correlation_id) DO NOTHING
    RETURNING run_id, correlation_id
), told AS (
    INSERT INTO dw_etl_run_events (run_id, event_type, details)
    SELECT made.run_id, 'imported', jsonb_build_object('file', %(file)s::text, 'line', min(imported.line))
    FROM made JOIN pg_temp.imported USING (correlation_id)
    GROUP BY made.run_id
)
SELECT count(*) AS imported FROM made;

-- What may be there once at a time. Last, after what breaks it was listed and resolved. One statement at a time.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_schedules_active_key ON dw_etl_schedules (job_id)
    WHERE is_active = true;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_locks_active_key ON dw_etl_job_locks (concurrency_key)
    WHERE status = 'active';
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_cycle_key ON dw_etl_runs (cycle_id, job_id)
    WHERE trigger <> 'import';
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_once_a_run_key ON dw_etl_alerts (run_id, kind, channel)
    WHERE kind IN ('late', 'stuck');

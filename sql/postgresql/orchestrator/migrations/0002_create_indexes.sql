-- One statement at a time, each in its own transaction: writers go on meanwhile. Each can be repeated.

-- dw_etl_jobs, dw_etl_job_tags
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_jobs_slug_key ON dw_etl_jobs (slug);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_tags_job_id_tag_key ON dw_etl_job_tags (job_id, tag);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_tags_tag_idx ON dw_etl_job_tags (tag);

-- dw_etl_schedules
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_schedules_job_id_next_run_at_idx ON dw_etl_schedules (job_id, next_run_at);

-- dw_etl_job_dependencies
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_dependencies_child_job_id_idx
    ON dw_etl_job_dependencies (child_job_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_dependencies_parent_job_id_idx
    ON dw_etl_job_dependencies (parent_job_id);

-- dw_etl_runs
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_correlation_id_key ON dw_etl_runs (correlation_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_job_id_scheduled_at_idx ON dw_etl_runs (job_id, scheduled_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_job_id_started_at_idx ON dw_etl_runs (job_id, started_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_status_scheduled_at_idx ON dw_etl_runs (status, scheduled_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_job_id_status_ended_at_idx
    ON dw_etl_runs (job_id, status, ended_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_parameter_fingerprint_idx ON dw_etl_runs (parameter_fingerprint);
-- most runs of a job have the same parameters: its newest with them, without a look at the others
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_fingerprint_history_idx
    ON dw_etl_runs (job_id, parameter_fingerprint, scheduled_at);
-- the queue: the best of all; then heads of each key's jobs, and of jobs without a key
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_best_idx ON dw_etl_runs (priority DESC, ready_at, run_id)
    WHERE status = 'queued' AND ready_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_ready_idx
    ON dw_etl_runs (concurrency_key DESC, job_id DESC, priority DESC, ready_at, run_id)
    WHERE status = 'queued' AND ready_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_ready_without_key_idx
    ON dw_etl_runs (job_id DESC, priority DESC, ready_at, run_id)
    WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_runs_impatient_idx ON dw_etl_runs (concurrency_key)
    WHERE status = 'queued' AND ready_at IS NOT NULL AND when_held <> 'queue';

-- dw_etl_run_dependencies, dw_etl_run_events
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_run_dependencies_parent_run_id_idx
    ON dw_etl_run_dependencies (parent_run_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_run_events_run_id_ts_idx ON dw_etl_run_events (run_id, ts);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_run_events_event_type_idx ON dw_etl_run_events (event_type);

-- dw_etl_job_locks
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_locks_expires_at_idx ON dw_etl_job_locks (expires_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_job_locks_active_idx ON dw_etl_job_locks (run_id) WHERE status = 'active';

-- dw_etl_alerts
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_run_id_idx ON dw_etl_alerts (run_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_channel_sent_at_idx ON dw_etl_alerts (channel, sent_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_dedupe_key_idx ON dw_etl_alerts (dedupe_key, channel, alert_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_told_idx ON dw_etl_alerts (dedupe_key, channel, alert_id)
    WHERE status IN ('pending', 'sent');
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_pending_idx ON dw_etl_alerts (channel, alert_id)
    WHERE status = 'pending';
CREATE INDEX CONCURRENTLY IF NOT EXISTS dw_etl_alerts_given_up_idx ON dw_etl_alerts (created_at)
    WHERE status = 'given_up';

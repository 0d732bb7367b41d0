-- The orchestrator's tables as they stand after every migration, to be read; its functions are in 0001 and 0005 of
-- migrations/. tests/integration/orchestrator/database/test_installation.py compares both.

CREATE SCHEMA orchestrator;
SET search_path = orchestrator;

CREATE TABLE dw_etl_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What is run, as conf/jobs has it; `command` is what is started, by `kind`:
-- {"argv": [...]}, {"sql": "...", "store": "postgresql" | "clickhouse"} or {"callable": "module:function"}.
CREATE TABLE dw_etl_jobs (
    job_id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug                  text NOT NULL,
    title                 text NOT NULL DEFAULT '',
    layer                 text NOT NULL,
    kind                  text NOT NULL,
    command               jsonb NOT NULL,
    parameters            jsonb NOT NULL DEFAULT '{}',
    parameters_schema     jsonb NOT NULL DEFAULT '{}',
    priority              integer NOT NULL DEFAULT 0,
    -- NULL: any number of its runs side by side
    concurrency_key       text,
    when_held             text NOT NULL DEFAULT 'queue',
    retries               integer NOT NULL DEFAULT 2,
    backoff_seconds       double precision NOT NULL DEFAULT 10,
    backoff_limit_seconds double precision NOT NULL DEFAULT 300,
    -- from a run's first start; NULL: as long as retries last
    retry_for_seconds     double precision,
    timeout_seconds       double precision,
    grace_seconds         double precision NOT NULL DEFAULT 10,
    -- when a run that has not started, or not ended, is told: seconds after it was due, and after it started
    late_after_seconds    double precision,
    stuck_after_seconds   double precision,
    is_enabled            boolean NOT NULL DEFAULT true,
    -- what its file said when it was last read: somebody who disabled the job since is not overruled by the same file
    is_enabled_by_file    boolean,
    -- where it is written; NULL: no file has it any more
    source_file           text,
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dw_etl_jobs_slug_check CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,79}$'),
    CONSTRAINT dw_etl_jobs_kind_check CHECK (kind IN ('command', 'sql', 'python')),
    CONSTRAINT dw_etl_jobs_priority_check CHECK (priority >= 0),
    CONSTRAINT dw_etl_jobs_when_held_check CHECK (when_held IN ('queue', 'skip', 'fail')),
    CONSTRAINT dw_etl_jobs_retries_check CHECK (retries >= 0),
    CONSTRAINT dw_etl_jobs_seconds_check CHECK (
        backoff_seconds >= 0 AND backoff_limit_seconds >= backoff_seconds AND grace_seconds >= 0
        AND retry_for_seconds > 0 AND timeout_seconds > 0 AND late_after_seconds > 0 AND stuck_after_seconds > 0
    ),
    CONSTRAINT dw_etl_jobs_parameters_check CHECK (jsonb_typeof(parameters) = 'object')
);
CREATE UNIQUE INDEX dw_etl_jobs_slug_key ON dw_etl_jobs (slug);

CREATE TABLE dw_etl_job_tags (
    job_id bigint NOT NULL,
    tag    text NOT NULL,
    CONSTRAINT dw_etl_job_tags_tag_check CHECK (tag <> ''),
    CONSTRAINT dw_etl_job_tags_job_id_fkey
        FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX dw_etl_job_tags_job_id_tag_key ON dw_etl_job_tags (job_id, tag);
CREATE INDEX dw_etl_job_tags_tag_idx ON dw_etl_job_tags (tag);

-- A changed schedule is a new row: the old one stays, inactive.
CREATE TABLE dw_etl_schedules (
    schedule_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id          bigint NOT NULL,
    cron            text NOT NULL,
    time_zone       text NOT NULL DEFAULT 'UTC',
    -- what becomes of ticks that nobody saw to in time
    catch_up        text NOT NULL DEFAULT 'last',
    catch_up_limit  integer NOT NULL DEFAULT 10,
    -- a tick that is older was missed
    grace_seconds   double precision NOT NULL DEFAULT 300,
    is_active       boolean NOT NULL DEFAULT true,
    -- the next tick; NULL: there will be none
    next_run_at     timestamptz,
    last_run_at     timestamptz,
    paused_at       timestamptz,
    paused_by       text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dw_etl_schedules_catch_up_check CHECK (catch_up IN ('skip', 'last', 'all')),
    CONSTRAINT dw_etl_schedules_catch_up_limit_check CHECK (catch_up_limit > 0),
    CONSTRAINT dw_etl_schedules_grace_check CHECK (grace_seconds >= 0),
    CONSTRAINT dw_etl_schedules_job_id_fkey
        FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE
);
CREATE INDEX dw_etl_schedules_job_id_next_run_at_idx ON dw_etl_schedules (job_id, next_run_at);
CREATE UNIQUE INDEX dw_etl_schedules_active_key ON dw_etl_schedules (job_id) WHERE is_active = true;

CREATE TABLE dw_etl_job_dependencies (
    parent_job_id bigint NOT NULL,
    child_job_id  bigint NOT NULL,
    PRIMARY KEY (parent_job_id, child_job_id),
    CONSTRAINT dw_etl_job_dependencies_self_check CHECK (parent_job_id <> child_job_id),
    CONSTRAINT dw_etl_job_dependencies_parent_job_id_fkey
        FOREIGN KEY (parent_job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE,
    CONSTRAINT dw_etl_job_dependencies_child_job_id_fkey
        FOREIGN KEY (child_job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE
);
CREATE INDEX dw_etl_job_dependencies_child_job_id_idx ON dw_etl_job_dependencies (child_job_id);
CREATE INDEX dw_etl_job_dependencies_parent_job_id_idx ON dw_etl_job_dependencies (parent_job_id);

-- One request to run a job, with all its attempts. A cycle is what runs together: a child waits for its parents' runs
-- of the same cycle. A run that may be claimed is queued with a `ready_at` that has come; without one it waits.
CREATE TABLE dw_etl_runs (
    run_id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id                bigint NOT NULL,
    schedule_id           bigint,
    correlation_id        text NOT NULL DEFAULT gen_random_uuid()::text,
    cycle_id              text NOT NULL,
    trigger               text NOT NULL,
    status                text NOT NULL DEFAULT 'queued',
    -- the tick; of a run that nobody scheduled, when it was asked for
    scheduled_at          timestamptz NOT NULL,
    interval_from         timestamptz,
    interval_until        timestamptz,
    parameters            jsonb NOT NULL DEFAULT '{}',
    parameter_fingerprint text NOT NULL,
    priority              integer NOT NULL DEFAULT 0,
    concurrency_key       text,
    when_held             text NOT NULL DEFAULT 'queue',
    ready_at              timestamptz,
    attempts              integer NOT NULL DEFAULT 0,
    maximum_attempts      integer NOT NULL DEFAULT 1,
    retry_until           timestamptz,
    -- of the attempt under way, or of the last
    fencing_token         bigint,
    worker_id             text,
    requested_by          text,
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- of the first attempt; dw_etl_run_events has the others'
    started_at            timestamptz,
    ended_at              timestamptz,
    cancel_requested_at   timestamptz,
    cancelled_by          text,
    -- why it was skipped, cancelled or failed, in words
    reason                text,
    -- the run that it was skipped for
    because_run_id        bigint,
    records_read          bigint,
    records_written       bigint,
    exit_code             integer,
    -- what failed: an exception's class, a signal's or a SQLSTATE's name
    error_class           text,
    error_type            text,
    error_message         text,
    is_transient_error    boolean,
    metrics               jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT dw_etl_runs_trigger_check CHECK (trigger IN ('schedule', 'manual', 'backfill', 'import')),
    CONSTRAINT dw_etl_runs_status_check
        CHECK (status IN ('queued', 'running', 'success', 'failed', 'skipped', 'cancelled')),
    CONSTRAINT dw_etl_runs_when_held_check CHECK (when_held IN ('queue', 'skip', 'fail')),
    CONSTRAINT dw_etl_runs_error_type_check CHECK (
        error_type IN ('exit_code', 'signal', 'sqlstate', 'exception', 'timeout', 'lost', 'held', 'start', 'unknown')
    ),
    CONSTRAINT dw_etl_runs_interval_check CHECK (interval_from < interval_until),
    CONSTRAINT dw_etl_runs_attempts_check CHECK (attempts >= 0 AND maximum_attempts > 0),
    CONSTRAINT dw_etl_runs_priority_check CHECK (priority >= 0),
    CONSTRAINT dw_etl_runs_ended_check CHECK ((status IN ('queued', 'running')) = (ended_at IS NULL)),
    CONSTRAINT dw_etl_runs_running_check CHECK (
        status <> 'running'
        OR (started_at IS NOT NULL AND fencing_token IS NOT NULL AND worker_id IS NOT NULL)
    ),
    CONSTRAINT dw_etl_runs_reason_check CHECK (status <> 'skipped' OR reason IS NOT NULL),
    CONSTRAINT dw_etl_runs_records_check CHECK (records_read >= 0 AND records_written >= 0),
    CONSTRAINT dw_etl_runs_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT dw_etl_runs_job_id_fkey
        FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE RESTRICT
);
CREATE UNIQUE INDEX dw_etl_runs_correlation_id_key ON dw_etl_runs (correlation_id);
CREATE INDEX dw_etl_runs_job_id_scheduled_at_idx ON dw_etl_runs (job_id, scheduled_at);
CREATE INDEX dw_etl_runs_job_id_started_at_idx ON dw_etl_runs (job_id, started_at DESC);
CREATE INDEX dw_etl_runs_status_scheduled_at_idx ON dw_etl_runs (status, scheduled_at);
CREATE INDEX dw_etl_runs_job_id_status_ended_at_idx ON dw_etl_runs (job_id, status, ended_at);
CREATE INDEX dw_etl_runs_parameter_fingerprint_idx ON dw_etl_runs (parameter_fingerprint);
-- most runs of a job have the same parameters: its newest with them, without a look at the others
CREATE INDEX dw_etl_runs_fingerprint_history_idx ON dw_etl_runs (job_id, parameter_fingerprint, scheduled_at);
-- the queue: the best of all; then heads of each key's jobs, and of jobs without a key
CREATE INDEX dw_etl_runs_best_idx
    ON dw_etl_runs (priority DESC, ready_at, run_id) WHERE status = 'queued' AND ready_at IS NOT NULL;
CREATE INDEX dw_etl_runs_ready_idx
    ON dw_etl_runs (concurrency_key DESC, job_id DESC, priority DESC, ready_at, run_id)
    WHERE status = 'queued' AND ready_at IS NOT NULL;
CREATE INDEX dw_etl_runs_ready_without_key_idx
    ON dw_etl_runs (job_id DESC, priority DESC, ready_at, run_id)
    WHERE status = 'queued' AND ready_at IS NOT NULL AND concurrency_key IS NULL;
CREATE INDEX dw_etl_runs_impatient_idx
    ON dw_etl_runs (concurrency_key) WHERE status = 'queued' AND ready_at IS NOT NULL AND when_held <> 'queue';
CREATE UNIQUE INDEX dw_etl_runs_cycle_key ON dw_etl_runs (cycle_id, job_id) WHERE trigger <> 'import';

-- Which runs a run waits for: written when it is asked for.
CREATE TABLE dw_etl_run_dependencies (
    run_id        bigint NOT NULL,
    parent_run_id bigint NOT NULL,
    PRIMARY KEY (run_id, parent_run_id),
    CONSTRAINT dw_etl_run_dependencies_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE,
    CONSTRAINT dw_etl_run_dependencies_parent_run_id_fkey
        FOREIGN KEY (parent_run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE
);
CREATE INDEX dw_etl_run_dependencies_parent_run_id_idx ON dw_etl_run_dependencies (parent_run_id);

CREATE TABLE dw_etl_run_events (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id        bigint NOT NULL,
    ts            timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_type    text NOT NULL,
    attempt       integer,
    worker_id     text,
    fencing_token bigint,
    details       jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT dw_etl_run_events_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE
);
CREATE INDEX dw_etl_run_events_run_id_ts_idx ON dw_etl_run_events (run_id, ts);
CREATE INDEX dw_etl_run_events_event_type_idx ON dw_etl_run_events (event_type);

-- Who works on a run, and so holds its concurrency key: one row an attempt. Its number is the attempt's fencing token.
-- A lease that is not renewed ends by the database's clock.
CREATE TABLE dw_etl_job_locks (
    fencing_token   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id          bigint NOT NULL,
    run_id          bigint NOT NULL,
    concurrency_key text,
    status          text NOT NULL DEFAULT 'active',
    worker_id       text NOT NULL,
    attempt         integer NOT NULL,
    acquired_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    renewed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at      timestamptz NOT NULL,
    released_at     timestamptz,
    CONSTRAINT dw_etl_job_locks_status_check CHECK (status IN ('active', 'released', 'expired')),
    CONSTRAINT dw_etl_job_locks_released_check CHECK ((status = 'active') = (released_at IS NULL)),
    CONSTRAINT dw_etl_job_locks_job_id_fkey
        FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE RESTRICT,
    CONSTRAINT dw_etl_job_locks_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE RESTRICT
);
CREATE INDEX dw_etl_job_locks_expires_at_idx ON dw_etl_job_locks (expires_at);
CREATE INDEX dw_etl_job_locks_active_idx ON dw_etl_job_locks (run_id) WHERE status = 'active';
CREATE UNIQUE INDEX dw_etl_job_locks_active_key ON dw_etl_job_locks (concurrency_key) WHERE status = 'active';

-- Who is told of what, as etl.yaml has it: the scheduler writes it down here, so that the transaction that ends a run
-- knows. An empty list stands for all.
CREATE TABLE dw_etl_alert_rules (
    rule_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel        text NOT NULL,
    kinds          text[] NOT NULL,
    layers         text[] NOT NULL DEFAULT '{}',
    tags           text[] NOT NULL DEFAULT '{}',
    jobs           text[] NOT NULL DEFAULT '{}',
    dedupe_seconds double precision NOT NULL,
    CONSTRAINT dw_etl_alert_rules_dedupe_check CHECK (dedupe_seconds >= 0)
);

-- An outbox: written with what it tells, delivered at least once. `facts` are the run's as they were then; subject and
-- body are made of them for the first attempt to deliver.
CREATE TABLE dw_etl_alerts (
    alert_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          bigint NOT NULL,
    kind            text NOT NULL,
    channel         text NOT NULL,
    -- kind:job
    dedupe_key      text NOT NULL,
    dedupe_seconds  double precision NOT NULL DEFAULT 0,
    facts           jsonb NOT NULL DEFAULT '{}',
    subject         text NOT NULL DEFAULT '',
    body            text NOT NULL DEFAULT '',
    status          text NOT NULL DEFAULT 'pending',
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at         timestamptz,
    last_error      text,
    CONSTRAINT dw_etl_alerts_kind_check CHECK (kind IN ('failure', 'late', 'stuck', 'recovered')),
    CONSTRAINT dw_etl_alerts_status_check CHECK (status IN ('pending', 'sent', 'suppressed', 'given_up')),
    CONSTRAINT dw_etl_alerts_sent_check CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT dw_etl_alerts_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE RESTRICT
);
CREATE INDEX dw_etl_alerts_run_id_idx ON dw_etl_alerts (run_id);
CREATE INDEX dw_etl_alerts_channel_sent_at_idx ON dw_etl_alerts (channel, sent_at);
CREATE INDEX dw_etl_alerts_dedupe_key_idx ON dw_etl_alerts (dedupe_key, channel, alert_id);
CREATE INDEX dw_etl_alerts_told_idx
    ON dw_etl_alerts (dedupe_key, channel, alert_id) WHERE status IN ('pending', 'sent');
CREATE INDEX dw_etl_alerts_pending_idx ON dw_etl_alerts (channel, alert_id) WHERE status = 'pending';
CREATE INDEX dw_etl_alerts_given_up_idx ON dw_etl_alerts (created_at) WHERE status = 'given_up';
CREATE UNIQUE INDEX dw_etl_alerts_once_a_run_key
    ON dw_etl_alerts (run_id, kind, channel) WHERE kind IN ('late', 'stuck');

-- What an attempt touched, from the ledgers of the tools that it started.
CREATE TABLE dw_etl_run_tables (
    run_id        bigint NOT NULL,
    fencing_token bigint NOT NULL,
    ledger        text NOT NULL,
    ledger_run_id text NOT NULL,
    table_name    text NOT NULL,
    destination   text NOT NULL DEFAULT '',
    status        text NOT NULL DEFAULT '',
    rows_read     bigint,
    rows_written  bigint,
    PRIMARY KEY (run_id, fencing_token, ledger, ledger_run_id, table_name, destination),
    CONSTRAINT dw_etl_run_tables_ledger_check CHECK (ledger IN ('main', 'staging', 'uploader')),
    CONSTRAINT dw_etl_run_tables_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE
);

-- What an attempt wrote to stdout and stderr: bounded, without secrets, a piece at a time.
CREATE TABLE dw_etl_run_output (
    run_id  bigint NOT NULL,
    attempt integer NOT NULL,
    piece   integer NOT NULL,
    stream  text NOT NULL,
    ts      timestamptz NOT NULL DEFAULT clock_timestamp(),
    text    text NOT NULL,
    PRIMARY KEY (run_id, attempt, piece),
    CONSTRAINT dw_etl_run_output_stream_check CHECK (stream IN ('stdout', 'stderr')),
    CONSTRAINT dw_etl_run_output_run_id_fkey
        FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE
);

-- Schedulers and workers that live, or have lived.
CREATE TABLE dw_etl_processes (
    worker_id    text PRIMARY KEY,
    kind         text NOT NULL,
    host         text NOT NULL,
    process_id   integer NOT NULL,
    slots        integer NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    CONSTRAINT dw_etl_processes_kind_check CHECK (kind IN ('scheduler', 'worker'))
);

-- How many runs may be under way at once: scope `all`, `layer:bronze`, `tag:spark`.
CREATE TABLE dw_etl_parallelism (
    scope   text PRIMARY KEY,
    maximum integer NOT NULL,
    CONSTRAINT dw_etl_parallelism_maximum_check CHECK (maximum > 0)
);

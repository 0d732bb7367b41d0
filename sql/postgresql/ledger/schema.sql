-- The ledger as it stands after every migration, to be read. tests/integration/ledger/test_migrations.py compares both.

CREATE SCHEMA etl;

CREATE TABLE etl.migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE etl.runs (
    run_id       text PRIMARY KEY,
    run_number   bigint GENERATED ALWAYS AS IDENTITY,
    status       text NOT NULL DEFAULT 'running',
    destinations text[] NOT NULL,
    tables       text[] NOT NULL,
    options      jsonb NOT NULL DEFAULT '{}',
    resumed_from text,
    failure      text,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    -- which attempt of an orchestrator it is, where one started it
    fencing_token bigint,
    -- by which name whoever started it will ask for it again
    idempotency_key text
        CONSTRAINT runs_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 500),
    CONSTRAINT runs_run_number_key UNIQUE (run_number),
    CONSTRAINT runs_resumed_from_fkey FOREIGN KEY (resumed_from) REFERENCES etl.runs (run_id),
    -- it is part of the names of staging tables
    CONSTRAINT runs_run_id_check CHECK (run_id ~ '^[A-Za-z0-9_-]+$'),
    CONSTRAINT runs_status_check CHECK (status IN ('running', 'success', 'partial', 'failed')),
    CONSTRAINT runs_finished_check CHECK ((status = 'running') = (finished_at IS NULL))
);
CREATE INDEX runs_running_idx ON etl.runs (heartbeat_at) WHERE status = 'running';
CREATE INDEX runs_fencing_token_idx ON etl.runs (fencing_token) WHERE fencing_token IS NOT NULL;
CREATE INDEX runs_idempotency_key_idx ON etl.runs (idempotency_key, run_number) WHERE idempotency_key IS NOT NULL;
-- what is asked for by one name is done once at a time
CREATE UNIQUE INDEX runs_idempotency_key_running_key ON etl.runs (idempotency_key) WHERE status = 'running';

-- The part of a table that a run reads, measured once in the run's snapshot: a resumed run reads no further.
CREATE TABLE etl.run_tables (
    run_id      text NOT NULL,
    table_name  text NOT NULL,
    lower_mark  text,
    upper_mark  text,
    fingerprint text,
    row_count   bigint,
    frozen_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, table_name),
    CONSTRAINT run_tables_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id) ON DELETE CASCADE,
    CONSTRAINT run_tables_row_count_check CHECK (row_count >= 0)
);

CREATE TABLE etl.loads (
    run_id            text NOT NULL,
    table_name        text NOT NULL,
    destination       text NOT NULL,
    status            text NOT NULL,
    target            text,
    mode              text,
    configuration     jsonb NOT NULL DEFAULT '{}',
    rows_read         bigint NOT NULL DEFAULT 0,
    rows_inserted     bigint NOT NULL DEFAULT 0,
    rows_updated      bigint NOT NULL DEFAULT 0,
    rows_unchanged    bigint NOT NULL DEFAULT 0,
    rows_skipped      bigint NOT NULL DEFAULT 0,
    rows_rejected     bigint NOT NULL DEFAULT 0,
    rows_deduplicated bigint NOT NULL DEFAULT 0,
    rows_filtered     bigint NOT NULL DEFAULT 0,
    rows_deleted      bigint NOT NULL DEFAULT 0,
    bytes_written     bigint NOT NULL DEFAULT 0,
    seconds           double precision NOT NULL DEFAULT 0,
    next_watermark    text,
    next_fingerprint  text,
    next_tail         text,
    config_hash       text,
    skipped_reason    text,
    error_class       text,
    error_message     text,
    stack_trace       text,
    started_at        timestamptz,
    finished_at       timestamptz,
    files_read        bigint,
    files_skipped     text[] NOT NULL DEFAULT '{}',
    notes             text[] NOT NULL DEFAULT '{}',
    next_columns      jsonb,
    rows_trimmed      bigint NOT NULL DEFAULT 0 CONSTRAINT loads_trimmed_check CHECK (rows_trimmed >= 0),
    next_snapshot     text,
    PRIMARY KEY (run_id, table_name, destination),
    CONSTRAINT loads_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id) ON DELETE CASCADE,
    CONSTRAINT loads_status_check
        CHECK (status IN ('pending', 'running', 'success', 'unchanged', 'skipped', 'failed')),
    CONSTRAINT loads_counts_check CHECK (
        least(rows_read, rows_inserted, rows_updated, rows_unchanged, rows_skipped, rows_rejected, rows_deduplicated,
              rows_filtered, rows_deleted, bytes_written) >= 0 AND seconds >= 0
    ),
    CONSTRAINT loads_reconciled_check CHECK (
        status NOT IN ('success', 'unchanged', 'skipped')
        OR rows_read = rows_inserted + rows_updated + rows_unchanged + rows_skipped + rows_rejected + rows_deduplicated
    ),
    -- rows that the table's filter left out are skipped rows of every destination
    CONSTRAINT loads_filtered_check
        CHECK (status NOT IN ('success', 'unchanged', 'skipped') OR rows_filtered <= rows_skipped),
    CONSTRAINT loads_target_check
        CHECK (status IN ('pending', 'failed') OR (target IS NOT NULL AND mode IS NOT NULL)),
    CONSTRAINT loads_started_check CHECK ((status = 'pending') = (started_at IS NULL)),
    CONSTRAINT loads_finished_check CHECK ((status IN ('pending', 'running')) = (finished_at IS NULL)),
    CONSTRAINT loads_error_check CHECK ((status = 'failed') = (error_class IS NOT NULL))
);
-- one running load per table and destination, whatever the programs think
CREATE UNIQUE INDEX loads_running_key ON etl.loads (table_name, destination) WHERE status = 'running';

-- the last loads of a table
CREATE INDEX loads_table_name_idx ON etl.loads (table_name, destination, finished_at);

-- How far each destination holds each table; written only by the statement that completes a load.
CREATE TABLE etl.watermarks (
    table_name  text NOT NULL,
    destination text NOT NULL,
    mark        text,
    fingerprint text,
    tail        text,
    config_hash text,
    target      text NOT NULL,
    run_id      text NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    columns     jsonb,
    -- what of the source was visible then, and which source it was
    snapshot    text,
    PRIMARY KEY (table_name, destination),
    CONSTRAINT watermarks_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id)
);

-- Rows that a load left out. `waiting`: an orphan whose foreign-key parent may still come; one per key.
CREATE TABLE etl.rejects (
    reject_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      text NOT NULL,
    table_name  text NOT NULL,
    destination text,
    rule        text NOT NULL,
    reason      text NOT NULL,
    row         jsonb NOT NULL,
    status      text NOT NULL DEFAULT 'rejected',
    key         jsonb,
    key_hash    text GENERATED ALWAYS AS (md5(key::text)) STORED,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    CONSTRAINT rejects_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id) ON DELETE CASCADE,
    CONSTRAINT rejects_status_check CHECK (status IN ('rejected', 'waiting', 'resolved')),
    CONSTRAINT rejects_waiting_check CHECK (status <> 'waiting' OR (destination IS NOT NULL AND key IS NOT NULL)),
    CONSTRAINT rejects_resolved_check CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE INDEX rejects_run_idx ON etl.rejects (run_id, table_name);
CREATE UNIQUE INDEX rejects_waiting_key ON etl.rejects (table_name, destination, key_hash) WHERE status = 'waiting';

-- Who may load a table into a destination now. A lease that is not renewed ends by the database's clock.
CREATE TABLE etl.leases (
    table_name  text NOT NULL,
    destination text NOT NULL,
    run_id      text NOT NULL,
    acquired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (table_name, destination),
    CONSTRAINT leases_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id) ON DELETE CASCADE
);
CREATE INDEX leases_run_idx ON etl.leases (run_id);

-- What people are told of runs and loads: an outbox, delivered at least once. `facts` are as the run found them; subject
-- and body are made of them for the first attempt to deliver. Its statements: sql/postgresql/alerts.
CREATE TABLE etl.alerts (
    alert_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          text,
    kind            text NOT NULL,
    channel         text NOT NULL,
    table_name      text,
    destination     text,
    -- failure:kind/source/destination/table, or recovered:… of the same
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
    CONSTRAINT alerts_status_check CHECK (status IN ('pending', 'sent', 'suppressed', 'given_up')),
    CONSTRAINT alerts_sent_check CHECK ((status = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX alerts_dedupe_key_idx ON etl.alerts (dedupe_key, channel, alert_id);
CREATE INDEX alerts_pending_idx ON etl.alerts (channel, alert_id) WHERE status = 'pending';

-- The upkeep of targets that a run did when its loads had ended; when it was done last decides when it is due.
CREATE TABLE etl.maintenance (
    run_id         text NOT NULL,
    table_name     text NOT NULL,
    destination    text NOT NULL,
    target         text NOT NULL,
    status         text NOT NULL,
    deleted_before date,
    days_deleted   integer NOT NULL DEFAULT 0,
    rows_deleted   bigint,
    files_joined   bigint NOT NULL DEFAULT 0,
    seconds        double precision NOT NULL DEFAULT 0,
    error_class    text,
    error_message  text,
    stack_trace    text,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at    timestamptz,
    PRIMARY KEY (run_id, table_name, destination),
    CONSTRAINT maintenance_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id) ON DELETE CASCADE,
    CONSTRAINT maintenance_status_check CHECK (status IN ('running', 'success', 'failed')),
    CONSTRAINT maintenance_finished_check CHECK ((status = 'running') = (finished_at IS NULL)),
    CONSTRAINT maintenance_error_check CHECK ((status = 'failed') = (error_class IS NOT NULL))
);
CREATE INDEX maintenance_done_idx ON etl.maintenance (table_name, destination, started_at) WHERE status = 'success';

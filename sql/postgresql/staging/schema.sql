-- The staging loader's ledger as it stands after every migration, to be read; every transaction sets search_path to the
-- schema of the stg_* tables. tests/integration/staging/test_installing.py compares both.

CREATE TABLE etl_staging_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE etl_jobs (
    id           text PRIMARY KEY,
    target_table text NOT NULL,
    description  text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT etl_jobs_id_check CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]*$')
);

CREATE TABLE etl_runs (
    id                    text PRIMARY KEY,
    run_number            bigint GENERATED ALWAYS AS IDENTITY,
    etl_job_id            text NOT NULL,
    status                text NOT NULL DEFAULT 'pending',
    phase                 text NOT NULL DEFAULT 'queued',
    target_table          text NOT NULL,
    batch_size            integer NOT NULL,
    workers               integer NOT NULL DEFAULT 1,
    parameters            jsonb NOT NULL DEFAULT '{}',
    host                  text,
    process_id            integer,
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at            timestamptz,
    heartbeat_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- all of the input has been cut into batches; until then a retry goes on reading where they end
    input_ended_at        timestamptz,
    finished_at           timestamptz,
    cancelled_at          timestamptz,
    cancelled_by          text,
    failure               text,
    batches               integer NOT NULL DEFAULT 0,
    batches_succeeded     integer NOT NULL DEFAULT 0,
    batches_failed        integer NOT NULL DEFAULT 0,
    rows_attempted        bigint NOT NULL DEFAULT 0,
    rows_inserted         bigint NOT NULL DEFAULT 0,
    rows_updated          bigint NOT NULL DEFAULT 0,
    rows_unchanged        bigint NOT NULL DEFAULT 0,
    rows_deduplicated     bigint NOT NULL DEFAULT 0,
    rows_rejected         bigint NOT NULL DEFAULT 0,
    rows_validated        bigint NOT NULL DEFAULT 0,
    rows_invalid          bigint NOT NULL DEFAULT 0,
    required_field_errors bigint NOT NULL DEFAULT 0,
    shape_errors          bigint NOT NULL DEFAULT 0,
    retries               integer NOT NULL DEFAULT 0,
    -- when a retry took the run up again; `started_at` is that of its beginning
    resumed_at            timestamptz,
    -- which attempt of an orchestrator it is, where one started it
    fencing_token         bigint,
    CONSTRAINT etl_runs_run_number_key UNIQUE (run_number),
    CONSTRAINT etl_runs_etl_job_id_fkey FOREIGN KEY (etl_job_id) REFERENCES etl_jobs (id),
    CONSTRAINT etl_runs_id_check CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'),
    CONSTRAINT etl_runs_status_check CHECK (status IN ('pending', 'running', 'success', 'failed', 'partial')),
    CONSTRAINT etl_runs_phase_check CHECK (phase IN ('queued', 'validating', 'loading', 'committing')),
    CONSTRAINT etl_runs_finished_check CHECK ((status IN ('pending', 'running')) = (finished_at IS NULL)),
    CONSTRAINT etl_runs_cancelled_check CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL)),
    CONSTRAINT etl_runs_batch_size_check CHECK (batch_size BETWEEN 100 AND 10000)
);
CREATE INDEX etl_runs_etl_job_id_started_at_idx ON etl_runs (etl_job_id, started_at);
CREATE INDEX etl_runs_live_idx ON etl_runs (heartbeat_at) WHERE status IN ('pending', 'running');
CREATE INDEX etl_runs_fencing_token_idx ON etl_runs (fencing_token) WHERE fencing_token IS NOT NULL;

-- One batch of a run: where it stands in the source, what became of it. `source_position` is enough to read it again.
CREATE TABLE etl_run_batches (
    etl_run_id            text NOT NULL,
    batch_index           integer NOT NULL,
    status                text NOT NULL DEFAULT 'pending',
    source_position       jsonb NOT NULL,
    first_ordinal         bigint NOT NULL,
    attempts              integer NOT NULL DEFAULT 0,
    rows_attempted        integer NOT NULL DEFAULT 0,
    rows_inserted         integer NOT NULL DEFAULT 0,
    rows_updated          integer NOT NULL DEFAULT 0,
    rows_unchanged        integer NOT NULL DEFAULT 0,
    rows_deduplicated     integer NOT NULL DEFAULT 0,
    rows_rejected         integer NOT NULL DEFAULT 0,
    rows_invalid          integer NOT NULL DEFAULT 0,
    required_field_errors integer NOT NULL DEFAULT 0,
    shape_errors          integer NOT NULL DEFAULT 0,
    duration_ms           double precision,
    started_at            timestamptz,
    committed_at          timestamptz,
    error_code            text,
    error_message         text,
    -- [{"attempt": 1, "at": …, "error_code": …, "error_message": …, "wait_seconds": …}, …]
    retry_timeline        jsonb NOT NULL DEFAULT '[]',
    logs_fragment         text NOT NULL DEFAULT '',
    PRIMARY KEY (etl_run_id, batch_index),
    CONSTRAINT etl_run_batches_etl_run_id_fkey FOREIGN KEY (etl_run_id) REFERENCES etl_runs (id) ON DELETE CASCADE,
    CONSTRAINT etl_run_batches_status_check CHECK (status IN ('pending', 'running', 'retried', 'succeeded', 'failed')),
    CONSTRAINT etl_run_batches_committed_check CHECK ((status = 'succeeded') = (committed_at IS NOT NULL)),
    CONSTRAINT etl_run_batches_reconciled_check CHECK (
        status <> 'succeeded'
        OR rows_attempted = rows_inserted + rows_updated + rows_unchanged + rows_deduplicated + rows_rejected
    ),
    CONSTRAINT etl_run_batches_logs_fragment_check CHECK (length(logs_fragment) <= 8192)
);
CREATE INDEX etl_run_batches_status_idx ON etl_run_batches (etl_run_id, status) WHERE status <> 'succeeded';

-- Records that could not be stored at all; `record` is the beginning of what was read, as text PostgreSQL can hold.
CREATE TABLE etl_run_rejects (
    etl_run_id      text NOT NULL,
    ordinal         bigint NOT NULL,
    batch_index     integer NOT NULL,
    source_position jsonb NOT NULL,
    reason          text NOT NULL,
    message         text NOT NULL,
    record          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (etl_run_id, ordinal),
    CONSTRAINT etl_run_rejects_etl_run_id_fkey FOREIGN KEY (etl_run_id) REFERENCES etl_runs (id) ON DELETE CASCADE
);

-- What `migrate` moved out of legacy tables; `row` is the whole row.
CREATE TABLE etl_staging_archive (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name  text NOT NULL,
    reason      text NOT NULL,
    detail      text,
    row         jsonb NOT NULL,
    etl_run_id  text NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT etl_staging_archive_etl_run_id_fkey FOREIGN KEY (etl_run_id) REFERENCES etl_runs (id),
    CONSTRAINT etl_staging_archive_reason_check
        CHECK (reason IN ('duplicate', 'no_source_id', 'bad_source_id', 'no_data', 'unreadable'))
);
CREATE INDEX etl_staging_archive_table_name_idx ON etl_staging_archive (table_name, reason);

-- A run that has ended has no batch but succeeded and failed ones, whoever writes.
-- The lock makes an end that is under way be waited for. The table's own schema is looked in, whatever search_path says.
CREATE FUNCTION etl_run_batches_refuse_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_open boolean;
BEGIN
    EXECUTE format('SELECT finished_at IS NULL FROM %I.etl_runs WHERE id = $1 FOR SHARE', TG_TABLE_SCHEMA)
        INTO is_open USING NEW.etl_run_id;
    IF NOT is_open THEN
        RAISE check_violation USING CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
            MESSAGE = format('run %s has ended: its batch %s cannot be %s', NEW.etl_run_id, NEW.batch_index, NEW.status);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER etl_run_batches_open_check BEFORE INSERT OR UPDATE OF status ON etl_run_batches FOR EACH ROW
    WHEN (NEW.status NOT IN ('succeeded', 'failed')) EXECUTE FUNCTION etl_run_batches_refuse_open();

CREATE FUNCTION etl_runs_refuse_end() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    has_open boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I.etl_run_batches WHERE etl_run_id = $1 AND status NOT IN (''succeeded'', ''failed''))',
        TG_TABLE_SCHEMA
    ) INTO has_open USING NEW.id;
    IF has_open THEN
        RAISE check_violation USING CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
            MESSAGE = format('run %s cannot end: it has batches that are neither succeeded nor failed', NEW.id);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER etl_runs_end_check AFTER UPDATE ON etl_runs FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION etl_runs_refuse_end();

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
    requested_by          text,
    -- grows with each change; of two states of a row the one with the larger is newer
    revision              bigint NOT NULL DEFAULT 1,
    -- who has seen a snapshot asks for what has changed since by its xmin
    changed_xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT etl_runs_run_number_key UNIQUE (run_number),
    CONSTRAINT etl_runs_etl_job_id_fkey FOREIGN KEY (etl_job_id) REFERENCES etl_jobs (id),
    CONSTRAINT etl_runs_id_check CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'),
    CONSTRAINT etl_runs_status_check
        CHECK (status IN ('pending', 'running', 'success', 'failed', 'partial', 'canceled')),
    CONSTRAINT etl_runs_phase_check CHECK (phase IN ('queued', 'validating', 'loading', 'committing')),
    CONSTRAINT etl_runs_finished_check CHECK ((status IN ('pending', 'running')) = (finished_at IS NULL)),
    CONSTRAINT etl_runs_cancelled_check CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL)),
    CONSTRAINT etl_runs_batch_size_check CHECK (batch_size BETWEEN 100 AND 10000)
);
CREATE INDEX etl_runs_etl_job_id_started_at_idx ON etl_runs (etl_job_id, started_at);
CREATE INDEX etl_runs_etl_job_id_run_number_idx ON etl_runs (etl_job_id, run_number);
CREATE INDEX etl_runs_success_idx ON etl_runs (etl_job_id, run_number) WHERE status = 'success';
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
    -- [{"at", "level", "event", "attempt", "detail": {…}}, …], the oldest entries dropped where it grows too long
    logs_fragment         jsonb NOT NULL DEFAULT '[]',
    error_stack           text,
    -- trying again alone will not help
    error_is_permanent    boolean,
    -- the first invalid records: [{"kind", "path", "message", "sample_value", "source_id", "ordinal"}, …]
    examples              jsonb NOT NULL DEFAULT '[]',
    revision              bigint NOT NULL DEFAULT 1,
    changed_xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (etl_run_id, batch_index),
    CONSTRAINT etl_run_batches_etl_run_id_fkey FOREIGN KEY (etl_run_id) REFERENCES etl_runs (id) ON DELETE CASCADE,
    CONSTRAINT etl_run_batches_status_check CHECK (status IN ('pending', 'running', 'retried', 'succeeded', 'failed')),
    CONSTRAINT etl_run_batches_committed_check CHECK ((status = 'succeeded') = (committed_at IS NOT NULL)),
    CONSTRAINT etl_run_batches_reconciled_check CHECK (
        status <> 'succeeded'
        OR rows_attempted = rows_inserted + rows_updated + rows_unchanged + rows_deduplicated + rows_rejected
    ),
    CONSTRAINT etl_run_batches_logs_fragment_check
        CHECK (jsonb_typeof(logs_fragment) = 'array' AND octet_length(logs_fragment::text) <= 16384),
    CONSTRAINT etl_run_batches_error_stack_check CHECK (length(error_stack) <= 16384),
    CONSTRAINT etl_run_batches_examples_check
        CHECK (jsonb_typeof(examples) = 'array' AND jsonb_array_length(examples) <= 10)
);
CREATE INDEX etl_run_batches_status_idx ON etl_run_batches (etl_run_id, status) WHERE status <> 'succeeded';
CREATE INDEX etl_run_batches_changed_xid_idx ON etl_run_batches (etl_run_id, changed_xid);
CREATE INDEX etl_run_batches_examples_idx ON etl_run_batches (etl_run_id, batch_index) WHERE examples <> '[]';

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

-- The queue of loads and retries, and the audit of who asked for what; cancels are done at once. Of a request that was
-- refused when it was made (`refusal_code`), and of a run that was deleted since, there is no run.
CREATE TABLE etl_run_requests (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    etl_run_id      text NOT NULL,
    etl_job_id      text NOT NULL,
    action          text NOT NULL,
    -- of a load {"batch_size", "force"}, of a retry {"batch_indexes", "includes_permanent"}
    parameters      jsonb NOT NULL DEFAULT '{}',
    idempotency_key text NOT NULL,
    request_hash    text NOT NULL,
    requested_by    text NOT NULL,
    requested_from  text,
    requested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    status          text NOT NULL DEFAULT 'queued',
    worker_id       uuid,
    claimed_at      timestamptz,
    -- the process that began the run
    host            text,
    process_id      integer,
    started_at      timestamptz,
    finished_at     timestamptz,
    exit_code       integer,
    refusal_code    text,
    refusal         text,
    output_tail     text,
    -- not before; its load could not begin, for a reason that passes
    begin_after     timestamptz,
    setbacks        integer NOT NULL DEFAULT 0,
    setback         text,
    CONSTRAINT etl_run_requests_idempotency_key_key UNIQUE (idempotency_key),
    CONSTRAINT etl_run_requests_action_check CHECK (action IN ('load', 'retry', 'cancel')),
    CONSTRAINT etl_run_requests_status_check
        CHECK (status IN ('queued', 'claimed', 'started', 'done', 'refused', 'withdrawn')),
    CONSTRAINT etl_run_requests_claimed_check CHECK (status NOT IN ('claimed', 'started') OR worker_id IS NOT NULL),
    CONSTRAINT etl_run_requests_finished_check
        CHECK ((status IN ('done', 'refused', 'withdrawn')) = (finished_at IS NOT NULL)),
    CONSTRAINT etl_run_requests_refusal_check
        CHECK ((status IN ('refused', 'withdrawn')) = (refusal IS NOT NULL)),
    CONSTRAINT etl_run_requests_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 200)
);
-- one that waits at a time for each run
CREATE UNIQUE INDEX etl_run_requests_open_idx ON etl_run_requests (etl_run_id) WHERE status IN ('queued', 'claimed');
CREATE INDEX etl_run_requests_unfinished_idx ON etl_run_requests (id) WHERE status IN ('queued', 'claimed', 'started');
CREATE INDEX etl_run_requests_etl_run_id_idx ON etl_run_requests (etl_run_id, id);

-- The processes of `etl staging worker`.
CREATE TABLE etl_workers (
    id            uuid PRIMARY KEY,
    host          text NOT NULL,
    process_id    integer NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    maximum_loads integer NOT NULL,
    loads         integer NOT NULL DEFAULT 0,
    stopped_at    timestamptz,
    CONSTRAINT etl_workers_maximum_loads_check CHECK (maximum_loads > 0)
);

-- Who may use the page: users with hashed passwords.
CREATE TABLE etl_users (
    name                text PRIMARY KEY,
    role                text NOT NULL,
    password_hash       text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    password_changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    signed_in_at        timestamptz,
    CONSTRAINT etl_users_name_check CHECK (name ~ '^[^[:space:][:cntrl:]]{1,200}$'),
    CONSTRAINT etl_users_role_check CHECK (role IN ('viewer', 'operator')),
    CONSTRAINT etl_users_password_hash_check CHECK (password_hash LIKE '$argon2id$%')
);

-- A browser has the token, this table a digest of it. `etl_user`: a user of etl_users; of an OpenID provider's, NULL,
-- and the role stands here.
CREATE TABLE etl_sessions (
    token_digest bytea PRIMARY KEY,
    etl_user     text,
    name         text NOT NULL,
    role         text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT etl_sessions_etl_user_fkey FOREIGN KEY (etl_user) REFERENCES etl_users (name) ON DELETE CASCADE,
    CONSTRAINT etl_sessions_token_digest_check CHECK (length(token_digest) = 32),
    CONSTRAINT etl_sessions_role_check CHECK (
        (etl_user IS NULL) = (role IS NOT NULL) AND (role IS NULL OR role IN ('viewer', 'operator'))
    )
);
CREATE INDEX etl_sessions_etl_user_idx ON etl_sessions (etl_user);

-- `etl_user`: whom it is about; of a name that no user has only that there was one. `done_by`: of changes, who made them.
CREATE TABLE etl_user_events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    event    text NOT NULL,
    etl_user text,
    done_by  text,
    address  text,
    detail   text,
    CONSTRAINT etl_user_events_event_check CHECK (event IN (
        'user_added', 'role_changed', 'password_changed', 'user_removed', 'signed_in', 'sign_in_refused', 'signed_out'
    ))
);
CREATE INDEX etl_user_events_at_idx ON etl_user_events (at);

-- What people are told of runs: an outbox, delivered at least once. `facts` are as the run found them; subject
-- and body are made of them for the first attempt to deliver. Its statements: sql/postgresql/alerts.
CREATE TABLE etl_alerts (
    alert_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          text,
    kind            text NOT NULL,
    channel         text NOT NULL,
    table_name      text,
    destination     text,
    -- failure:kind/job/destination/table, or recovered:… of the same
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
    CONSTRAINT etl_alerts_status_check CHECK (status IN ('pending', 'sent', 'suppressed', 'given_up')),
    CONSTRAINT etl_alerts_sent_check CHECK ((status = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX etl_alerts_dedupe_key_idx ON etl_alerts (dedupe_key, channel, alert_id);
CREATE INDEX etl_alerts_pending_idx ON etl_alerts (channel, alert_id) WHERE status = 'pending';

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

CREATE FUNCTION etl_staging_count_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    NEW.changed_xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

-- A heartbeat alone changes nothing that is shown.
CREATE TRIGGER etl_runs_revision BEFORE UPDATE ON etl_runs FOR EACH ROW
    WHEN ((to_jsonb(OLD) - 'heartbeat_at') IS DISTINCT FROM (to_jsonb(NEW) - 'heartbeat_at'))
    EXECUTE FUNCTION etl_staging_count_revision();

CREATE TRIGGER etl_run_batches_revision BEFORE UPDATE ON etl_run_batches FOR EACH ROW
    EXECUTE FUNCTION etl_staging_count_revision();

-- A log with one entry more.
CREATE FUNCTION etl_staging_appended(log jsonb, entry jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    log := log || jsonb_build_array(entry);
    WHILE octet_length(log::text) > 16384 AND jsonb_array_length(log) > 1 LOOP
        log := log - 0;
    END LOOP;
    RETURN log;
END
$$;

-- What happens to its request is shown with the run. The table's own schema is looked in, whatever search_path says.
CREATE FUNCTION etl_run_requests_touch_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('UPDATE %I.etl_runs SET changed_xid = pg_current_xact_id() WHERE id = $1', TG_TABLE_SCHEMA)
        USING NEW.etl_run_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER etl_run_requests_run AFTER INSERT OR UPDATE OF status ON etl_run_requests FOR EACH ROW
    EXECUTE FUNCTION etl_run_requests_touch_run();

-- A hint for those who wait. Lost behind a pooler, so nobody may count on it. Batches that are stored give none: NOTIFY makes all COMMITs of the
-- server wait for one another, and the run's totals follow within a second.
CREATE FUNCTION etl_staging_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run_id text;
BEGIN
    IF TG_TABLE_NAME = 'etl_runs' THEN
        run_id := NEW.id;
    ELSE
        run_id := NEW.etl_run_id;
    END IF;
    PERFORM pg_notify('etl_staging', jsonb_build_object('schema', TG_TABLE_SCHEMA, 'etl_run_id', run_id)::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER etl_runs_insert_hint AFTER INSERT ON etl_runs FOR EACH ROW EXECUTE FUNCTION etl_staging_notify();
CREATE TRIGGER etl_runs_update_hint AFTER UPDATE ON etl_runs FOR EACH ROW
    WHEN (OLD.revision <> NEW.revision) EXECUTE FUNCTION etl_staging_notify();
CREATE TRIGGER etl_run_batches_hint AFTER UPDATE OF status ON etl_run_batches FOR EACH ROW
    WHEN (NEW.status IN ('retried', 'failed')) EXECUTE FUNCTION etl_staging_notify();

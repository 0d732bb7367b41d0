-- Runs that are asked for before they begin (a queue, and who asked), runs that were cancelled, and what a page shows of
-- batches as it changes: revisions, logs as JSON, error stacks, examples of what is invalid.

-- A loader of an older version writes logs as text, which would fail its batches from here on.
DO $$
DECLARE
    live text;
BEGIN
    SELECT string_agg(id, ', ' ORDER BY run_number) INTO live FROM etl_runs
    WHERE status = 'running' AND heartbeat_at > clock_timestamp() - interval '1 minute';
    IF live IS NOT NULL THEN
        RAISE 'expected no run under way while the ledger is brought up to date, found %: wait for its end, or cancel it', live
            USING ERRCODE = 'object_in_use';
    END IF;
END
$$;

-- --- runs --------------------------------------------------------------------------------------------------------------

ALTER TABLE etl_runs
    ADD COLUMN requested_by text,
    -- grows with each change; of two states of a row the one with the larger is newer
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    -- who has seen a snapshot asks for what has changed since by its xmin
    ADD COLUMN changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    DROP CONSTRAINT etl_runs_status_check,
    ADD CONSTRAINT etl_runs_status_check
        CHECK (status IN ('pending', 'running', 'success', 'failed', 'partial', 'canceled'));

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

-- --- batches -----------------------------------------------------------------------------------------------------------

-- A log: [{"at", "level", "event", "attempt", "detail": {…}}, …], the oldest entries dropped where it grows too long.
CREATE FUNCTION etl_staging_appended(log jsonb, entry jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    log := log || jsonb_build_array(entry);
    WHILE octet_length(log::text) > 16384 AND jsonb_array_length(log) > 1 LOOP
        log := log - 0;
    END LOOP;
    RETURN log;
END
$$;

-- Lines began with a time; what is left of one whose beginning had been cut off is dropped.
CREATE FUNCTION etl_staging_log_of_text(log text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    line text;
    part text[];
    entry jsonb;
    entries jsonb := '[]';
BEGIN
    FOR line IN SELECT regexp_split_to_table(log, E'\n(?=\\d{4}-\\d\\d-\\d\\dT\\d\\d:)') LOOP
        part := regexp_match(line, '^(\d{4}-\d\d-\d\dT\d\d:\S+) (stored|failed|attempt (\d+)): (.*?)\s*$');
        CONTINUE WHEN part IS NULL;
        entry := jsonb_build_object(
            'at', part[1],
            'level', CASE part[2] WHEN 'stored' THEN 'info' WHEN 'failed' THEN 'error' ELSE 'warning' END,
            'event', CASE WHEN part[3] IS NULL THEN part[2] ELSE 'retried' END,
            'attempt', part[3]::integer,
            'detail', CASE part[2] WHEN 'stored' THEN (
                SELECT coalesce(jsonb_object_agg(count[1], count[2]::bigint), '{}')
                FROM regexp_matches(part[4], '(rows_\w+)=(\d+)', 'g') AS count
            ) ELSE jsonb_build_object('error_message', left(part[4], 2000)) END
        );
        entries := etl_staging_appended(entries, entry);
    END LOOP;
    RETURN entries;
END
$$;

ALTER TABLE etl_run_batches
    DROP CONSTRAINT etl_run_batches_logs_fragment_check,
    ALTER COLUMN logs_fragment DROP DEFAULT,
    ALTER COLUMN logs_fragment TYPE jsonb USING etl_staging_log_of_text(logs_fragment),
    ALTER COLUMN logs_fragment SET DEFAULT '[]',
    ADD COLUMN error_stack text,
    -- trying again alone will not help
    ADD COLUMN error_is_permanent boolean,
    -- the first invalid records: [{"kind", "path", "message", "sample_value", "source_id", "ordinal"}, …]
    ADD COLUMN examples jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD CONSTRAINT etl_run_batches_logs_fragment_check
        CHECK (jsonb_typeof(logs_fragment) = 'array' AND octet_length(logs_fragment::text) <= 16384),
    ADD CONSTRAINT etl_run_batches_error_stack_check CHECK (length(error_stack) <= 16384),
    ADD CONSTRAINT etl_run_batches_examples_check
        CHECK (jsonb_typeof(examples) = 'array' AND jsonb_array_length(examples) <= 10);

DROP FUNCTION etl_staging_log_of_text;

CREATE INDEX etl_run_batches_changed_xid_idx ON etl_run_batches (etl_run_id, changed_xid);

CREATE TRIGGER etl_run_batches_revision BEFORE UPDATE ON etl_run_batches FOR EACH ROW
    EXECUTE FUNCTION etl_staging_count_revision();

-- --- what is asked for -------------------------------------------------------------------------------------------------

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
    CONSTRAINT etl_run_requests_idempotency_key_key UNIQUE (idempotency_key),
    CONSTRAINT etl_run_requests_action_check CHECK (action IN ('load', 'retry', 'cancel')),
    CONSTRAINT etl_run_requests_status_check CHECK (status IN ('queued', 'claimed', 'started', 'done', 'refused')),
    CONSTRAINT etl_run_requests_claimed_check CHECK (status NOT IN ('claimed', 'started') OR worker_id IS NOT NULL),
    CONSTRAINT etl_run_requests_finished_check CHECK ((status IN ('done', 'refused')) = (finished_at IS NOT NULL)),
    CONSTRAINT etl_run_requests_refusal_check CHECK ((status = 'refused') = (refusal IS NOT NULL)),
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

-- --- a hint for those who wait -------------------------------------------------------------------------------------------

-- Lost behind a pooler, so nobody may count on it. Batches that are stored give none: NOTIFY makes all COMMITs of the
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

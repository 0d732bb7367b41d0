-- A run that has ended has no batch but succeeded and failed ones: two triggers see to it, whoever writes. Before them,
-- the heartbeat could turn a batch that had just failed into a running one, and a killed run left open ones: what stands
-- is healed. `resumed_at`: when a retry took the run up again, from which it is timed.

ALTER TABLE etl_runs ADD COLUMN resumed_at timestamptz;

UPDATE etl_run_batches AS batch SET status = 'failed', error_code = coalesce(error_code, 'not_stored'),
    error_message = coalesce(error_message, 'not stored when the run ended: ' || coalesce(run.failure, run.status))
FROM etl_runs AS run
WHERE run.id = batch.etl_run_id AND run.finished_at IS NOT NULL AND batch.status NOT IN ('succeeded', 'failed');

UPDATE etl_runs AS run SET batches = total.batches, batches_succeeded = total.succeeded, batches_failed = total.failed
FROM (
    SELECT etl_run_id, count(*) AS batches, count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
        count(*) FILTER (WHERE status = 'failed') AS failed
    FROM etl_run_batches GROUP BY etl_run_id
) AS total
WHERE total.etl_run_id = run.id AND run.finished_at IS NOT NULL
    AND (run.batches, run.batches_succeeded, run.batches_failed)
    IS DISTINCT FROM (total.batches, total.succeeded, total.failed);

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

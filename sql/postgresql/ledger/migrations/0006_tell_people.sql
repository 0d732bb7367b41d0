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

-- the last loads of a table
CREATE INDEX loads_table_name_idx ON etl.loads (table_name, destination, finished_at);

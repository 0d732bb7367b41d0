-- By which name whoever started a run will ask for it again: what it left is done then, and once at a time.
ALTER TABLE etl.runs ADD COLUMN idempotency_key text
    CONSTRAINT runs_idempotency_key_check CHECK (length(idempotency_key) BETWEEN 1 AND 500);
CREATE INDEX runs_idempotency_key_idx ON etl.runs (idempotency_key, run_number) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX runs_idempotency_key_running_key ON etl.runs (idempotency_key) WHERE status = 'running';

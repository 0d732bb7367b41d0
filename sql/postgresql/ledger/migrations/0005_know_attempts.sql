-- Of a run that an orchestrator started: which of its attempts this is.
ALTER TABLE etl.runs ADD COLUMN fencing_token bigint;
CREATE INDEX runs_fencing_token_idx ON etl.runs (fencing_token) WHERE fencing_token IS NOT NULL;

-- Of a run that an orchestrator started: which of its attempts this is; a retry's takes the place of the first.
ALTER TABLE etl_runs ADD COLUMN fencing_token bigint;
CREATE INDEX etl_runs_fencing_token_idx ON etl_runs (fencing_token) WHERE fencing_token IS NOT NULL;

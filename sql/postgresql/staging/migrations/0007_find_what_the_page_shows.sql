-- A job's history and its last success, and the first invalid records of a run, without reading all of either.
CREATE INDEX etl_runs_etl_job_id_run_number_idx ON etl_runs (etl_job_id, run_number);
CREATE INDEX etl_runs_success_idx ON etl_runs (etl_job_id, run_number) WHERE status = 'success';
CREATE INDEX etl_run_batches_examples_idx ON etl_run_batches (etl_run_id, batch_index) WHERE examples <> '[]';

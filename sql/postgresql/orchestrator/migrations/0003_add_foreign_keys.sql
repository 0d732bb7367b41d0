-- Added without looking at the rows that stand, which takes a moment's lock; then validated, which stops no writer.
-- One statement at a time.
ALTER TABLE dw_etl_job_tags ADD CONSTRAINT dw_etl_job_tags_job_id_fkey
    FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_schedules ADD CONSTRAINT dw_etl_schedules_job_id_fkey
    FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_job_dependencies ADD CONSTRAINT dw_etl_job_dependencies_parent_job_id_fkey
    FOREIGN KEY (parent_job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_job_dependencies ADD CONSTRAINT dw_etl_job_dependencies_child_job_id_fkey
    FOREIGN KEY (child_job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_runs ADD CONSTRAINT dw_etl_runs_job_id_fkey
    FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE dw_etl_run_dependencies ADD CONSTRAINT dw_etl_run_dependencies_run_id_fkey
    FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_run_dependencies ADD CONSTRAINT dw_etl_run_dependencies_parent_run_id_fkey
    FOREIGN KEY (parent_run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_run_events ADD CONSTRAINT dw_etl_run_events_run_id_fkey
    FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_job_locks ADD CONSTRAINT dw_etl_job_locks_job_id_fkey
    FOREIGN KEY (job_id) REFERENCES dw_etl_jobs (job_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE dw_etl_job_locks ADD CONSTRAINT dw_etl_job_locks_run_id_fkey
    FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE dw_etl_alerts ADD CONSTRAINT dw_etl_alerts_run_id_fkey
    FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE RESTRICT NOT VALID;
ALTER TABLE dw_etl_run_tables ADD CONSTRAINT dw_etl_run_tables_run_id_fkey
    FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_run_output ADD CONSTRAINT dw_etl_run_output_run_id_fkey
    FOREIGN KEY (run_id) REFERENCES dw_etl_runs (run_id) ON DELETE CASCADE NOT VALID;
ALTER TABLE dw_etl_job_tags VALIDATE CONSTRAINT dw_etl_job_tags_job_id_fkey;
ALTER TABLE dw_etl_schedules VALIDATE CONSTRAINT dw_etl_schedules_job_id_fkey;
ALTER TABLE dw_etl_job_dependencies VALIDATE CONSTRAINT dw_etl_job_dependencies_parent_job_id_fkey;
ALTER TABLE dw_etl_job_dependencies VALIDATE CONSTRAINT dw_etl_job_dependencies_child_job_id_fkey;
ALTER TABLE dw_etl_runs VALIDATE CONSTRAINT dw_etl_runs_job_id_fkey;
ALTER TABLE dw_etl_run_dependencies VALIDATE CONSTRAINT dw_etl_run_dependencies_run_id_fkey;
ALTER TABLE dw_etl_run_dependencies VALIDATE CONSTRAINT dw_etl_run_dependencies_parent_run_id_fkey;
ALTER TABLE dw_etl_run_events VALIDATE CONSTRAINT dw_etl_run_events_run_id_fkey;
ALTER TABLE dw_etl_job_locks VALIDATE CONSTRAINT dw_etl_job_locks_job_id_fkey;
ALTER TABLE dw_etl_job_locks VALIDATE CONSTRAINT dw_etl_job_locks_run_id_fkey;
ALTER TABLE dw_etl_alerts VALIDATE CONSTRAINT dw_etl_alerts_run_id_fkey;
ALTER TABLE dw_etl_run_tables VALIDATE CONSTRAINT dw_etl_run_tables_run_id_fkey;
ALTER TABLE dw_etl_run_output VALIDATE CONSTRAINT dw_etl_run_output_run_id_fkey;

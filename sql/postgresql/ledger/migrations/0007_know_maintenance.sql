-- The upkeep of targets that a run does when its loads have ended: when it was done last decides when it is due.
CREATE TABLE etl.maintenance (
    run_id         text NOT NULL,
    table_name     text NOT NULL,
    destination    text NOT NULL,
    target         text NOT NULL,
    status         text NOT NULL,
    deleted_before date,
    days_deleted   integer NOT NULL DEFAULT 0,
    rows_deleted   bigint,
    files_joined   bigint NOT NULL DEFAULT 0,
    seconds        double precision NOT NULL DEFAULT 0,
    error_class    text,
    error_message  text,
    stack_trace    text,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at    timestamptz,
    PRIMARY KEY (run_id, table_name, destination),
    CONSTRAINT maintenance_run_id_fkey FOREIGN KEY (run_id) REFERENCES etl.runs (run_id) ON DELETE CASCADE,
    CONSTRAINT maintenance_status_check CHECK (status IN ('running', 'success', 'failed')),
    CONSTRAINT maintenance_finished_check CHECK ((status = 'running') = (finished_at IS NULL)),
    CONSTRAINT maintenance_error_check CHECK ((status = 'failed') = (error_class IS NOT NULL))
);
CREATE INDEX maintenance_done_idx ON etl.maintenance (table_name, destination, started_at) WHERE status = 'success';

-- What `migrate` moved out of legacy stg_* tables: rows that lost against a later one of their source_id, and rows that
-- the contract cannot hold. `row` is the whole row; a value that jsonb cannot hold as JSON stands in it as text.

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

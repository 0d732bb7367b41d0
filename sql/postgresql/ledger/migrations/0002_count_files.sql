-- What became of the files that a table's path matches: how many were read, and each that was not with its reason.
ALTER TABLE etl.loads
    ADD COLUMN files_read bigint,
    ADD COLUMN files_skipped text[] NOT NULL DEFAULT '{}';

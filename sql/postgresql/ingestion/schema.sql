-- What the uploader knows of its files. In the schema that search_path names first.

-- One row a file and target table. `load_id` names one load of the file's content: a resumed run keeps it, a load from
-- the start draws a new one, and whoever still writes under the old one is refused.
CREATE TABLE IF NOT EXISTS ingestion_manifest (
    filename text NOT NULL,
    target_table text NOT NULL,
    checksum text NOT NULL,
    filesize bigint NOT NULL,
    processed_at timestamptz NOT NULL DEFAULT now(),
    rows bigint NOT NULL DEFAULT 0,
    status text NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
    run_id text NOT NULL,
    notes text NOT NULL DEFAULT '',
    load_id text NOT NULL,
    file_type text NOT NULL,
    mode text NOT NULL,
    chunk_size integer NOT NULL,
    options jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- which attempt of an orchestrator loads it, or did, where one started it
    fencing_token bigint,
    PRIMARY KEY (filename, target_table)
);

-- what tables of an earlier version lack
ALTER TABLE ingestion_manifest ADD COLUMN IF NOT EXISTS fencing_token bigint;

CREATE INDEX IF NOT EXISTS ingestion_manifest_fencing_token ON ingestion_manifest (fencing_token)
    WHERE fencing_token IS NOT NULL;
CREATE INDEX IF NOT EXISTS ingestion_manifest_target_status ON ingestion_manifest (target_table, status);

-- One row a committed batch, written in the batch's own transaction.
CREATE TABLE IF NOT EXISTS ingestion_batches (
    load_id text NOT NULL,
    batch_idx integer NOT NULL,
    run_id text NOT NULL,
    rows_read bigint NOT NULL,
    rows_inserted bigint NOT NULL,
    rows_updated bigint NOT NULL,
    rows_unchanged bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    rows_deduplicated bigint NOT NULL,
    rows_padded bigint NOT NULL,
    nul_characters bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    fencing_token bigint,
    PRIMARY KEY (load_id, batch_idx)
);

ALTER TABLE ingestion_batches ADD COLUMN IF NOT EXISTS fencing_token bigint;

-- One row a record that was not loaded, written with the batch that it was read in.
CREATE TABLE IF NOT EXISTS ingestion_rejects (
    load_id text NOT NULL,
    batch_idx integer NOT NULL,
    place integer NOT NULL,
    line bigint,
    row_in_file bigint,
    column_name text,
    value text,
    reason text NOT NULL,
    PRIMARY KEY (load_id, batch_idx, place)
);

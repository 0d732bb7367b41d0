-- The source's columns as a destination took them: what changed since then is told, and a column that went is read as NULL.
ALTER TABLE etl.loads ADD COLUMN next_columns jsonb;
ALTER TABLE etl.watermarks ADD COLUMN columns jsonb;
-- Rows of which transform.trim took something off.
ALTER TABLE etl.loads ADD COLUMN rows_trimmed bigint NOT NULL DEFAULT 0 CONSTRAINT loads_trimmed_check CHECK (rows_trimmed >= 0);

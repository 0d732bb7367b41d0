-- As the main ledger's of the same names, for the schema that search_path names.

-- name: ledger_exists
SELECT
    to_regnamespace(current_setting('search_path')) IS NOT NULL AS has_schema,
    EXISTS (
        SELECT FROM pg_catalog.pg_class
        WHERE relnamespace = to_regnamespace(current_setting('search_path')) AND relname = 'dw_etl_migrations'
    ) AS has_table;

-- name: lock_migrations
SELECT pg_advisory_xact_lock(hashtext('dw_etl_migrations'), hashtext(current_setting('search_path')));

-- name: create_schema
DO $$ BEGIN EXECUTE format('CREATE SCHEMA %s', current_setting('search_path')); END $$;

-- name: create_migrations
CREATE TABLE dw_etl_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: applied_migrations
SELECT name, sha256 FROM dw_etl_migrations ORDER BY name;

-- name: record_migration
INSERT INTO dw_etl_migrations (name, sha256) VALUES (%(name)s, %(sha256)s);

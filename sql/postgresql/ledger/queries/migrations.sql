-- name: ledger_exists
-- CREATE … IF NOT EXISTS asks for the right to create even where the object stands: ask first. Ask the catalog: the
-- cache behind to_regclass() may not have heard yet of what another session created while this one waited.
SELECT
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'etl') AS has_schema,
    EXISTS (
        SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'etl' AND relname = 'migrations'
    ) AS has_table;

-- name: lock_migrations
-- Two runs that start at once migrate one after the other; ends with the transaction (safe through a pooler).
SELECT pg_advisory_xact_lock(hashtext('etl.migrations'));

-- name: create_schema
-- Where the ledger's user may not create schemas, an administrator makes it once.
CREATE SCHEMA etl;

-- name: create_migrations
-- Which migrations stand, and as which text.
CREATE TABLE etl.migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: applied_migrations
-- In the order of their numbers.
SELECT name, sha256 FROM etl.migrations ORDER BY name;

-- name: record_migration
-- In the transaction that applies it.
INSERT INTO etl.migrations (name, sha256) VALUES (%(name)s, %(sha256)s);

-- name: places_for_grants
-- Where the manifest and a target are, to say who must be let in; the target's schema is NULL where it is not there.
SELECT current_database(), n.nspname,
    (SELECT s.nspname FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace
    WHERE t.oid = to_regclass(nullif($1::text, '')))
FROM pg_class AS m JOIN pg_namespace AS n ON n.oid = m.relnamespace
WHERE m.oid = to_regclass('ingestion_manifest');

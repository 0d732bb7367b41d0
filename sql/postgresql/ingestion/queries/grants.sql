-- name: places_for_grants
-- Where the manifest and a target are, to say who must be let in; the target's schema is NULL where it is not there.
-- Of its sequences those that a default draws from: an identity asks for no right of its own.
SELECT current_database(), n.nspname,
    (SELECT s.nspname FROM pg_class AS t JOIN pg_namespace AS s ON s.oid = t.relnamespace
    WHERE t.oid = to_regclass(nullif($1::text, ''))),
    ARRAY(
        SELECT format('%I.%I', qn.nspname, q.relname)
        FROM pg_attribute AS a
        JOIN pg_class AS q ON q.oid = pg_get_serial_sequence($1, a.attname)::regclass
        JOIN pg_namespace AS qn ON qn.oid = q.relnamespace
        WHERE a.attrelid = to_regclass(nullif($1::text, '')) AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attidentity = ''
        ORDER BY a.attnum)
FROM pg_class AS m JOIN pg_namespace AS n ON n.oid = m.relnamespace
WHERE m.oid = to_regclass('ingestion_manifest');

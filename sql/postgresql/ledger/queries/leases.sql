-- name: take_lease
-- Free, ended, of a finished run, or ours already; otherwise no row.
INSERT INTO etl.leases AS leases (table_name, destination, run_id, expires_at)
VALUES (
    %(table_name)s, %(destination)s, %(run_id)s, clock_timestamp() + make_interval(secs => %(lease_seconds)s)
)
ON CONFLICT (table_name, destination) DO UPDATE SET
    run_id = excluded.run_id, acquired_at = clock_timestamp(), expires_at = excluded.expires_at
WHERE leases.run_id = excluded.run_id OR leases.expires_at <= clock_timestamp()
   OR EXISTS (SELECT FROM etl.runs WHERE runs.run_id = leases.run_id AND runs.status <> 'running')
RETURNING run_id;

-- name: lease
-- Who holds it.
SELECT run_id, acquired_at, expires_at FROM etl.leases
WHERE table_name = %(table_name)s AND destination = %(destination)s;

-- name: release_lease
-- Only our own.
DELETE FROM etl.leases
WHERE table_name = %(table_name)s AND destination = %(destination)s AND run_id = %(run_id)s;

-- name: maintenance_due
-- Weekly: seven days (UTC) after the last one, or after the first load of the target. After a run: where the target was
-- loaded since the last one. What failed, or was broken off, was not done.
SELECT coalesce(
    CASE WHEN %(schedule)s = 'weekly'
        THEN (coalesce(done.last_at, loaded.first_at) AT TIME ZONE 'UTC')::date + 7
          <= (clock_timestamp() AT TIME ZONE 'UTC')::date
        ELSE done.last_at <= loaded.last_at OR (done.last_at IS NULL AND loaded.last_at IS NOT NULL)
    END, false) AS is_due
FROM (
    SELECT max(started_at) AS last_at FROM etl.maintenance
    WHERE table_name = %(table_name)s AND destination = %(destination)s AND target = %(target)s AND status = 'success'
) AS done, (
    SELECT min(finished_at) AS first_at, max(finished_at) AS last_at FROM etl.loads
    WHERE table_name = %(table_name)s AND destination = %(destination)s AND target = %(target)s
      AND status IN ('success', 'unchanged', 'skipped')
) AS loaded;

-- name: begin_maintenance
-- A run that has been declared dead begins nothing.
INSERT INTO etl.maintenance AS maintenance (run_id, table_name, destination, target, status)
SELECT run_id, %(table_name)s, %(destination)s, %(target)s, 'running'
FROM etl.runs WHERE run_id = %(run_id)s AND status = 'running'
ON CONFLICT (run_id, table_name, destination) DO UPDATE SET
    status = 'running', target = excluded.target, started_at = clock_timestamp(), finished_at = NULL,
    error_class = NULL, error_message = NULL, stack_trace = NULL
RETURNING run_id;

-- name: complete_maintenance
-- Only what this run began; nothing where it had been declared dead meanwhile.
UPDATE etl.maintenance
SET status = 'success', deleted_before = %(deleted_before)s, days_deleted = %(days_deleted)s,
    rows_deleted = %(rows_deleted)s, files_joined = %(files_joined)s, seconds = %(seconds)s,
    finished_at = clock_timestamp()
WHERE run_id = %(run_id)s AND table_name = %(table_name)s AND destination = %(destination)s AND status = 'running';

-- name: fail_maintenance
-- It may fail before it was begun; what was done stays done.
INSERT INTO etl.maintenance AS maintenance (
    run_id, table_name, destination, target, status, error_class, error_message, stack_trace, finished_at
)
VALUES (
    %(run_id)s, %(table_name)s, %(destination)s, %(target)s, 'failed', %(error_class)s, %(error_message)s,
    %(stack_trace)s, clock_timestamp()
)
ON CONFLICT (run_id, table_name, destination) DO UPDATE SET
    status = 'failed', error_class = excluded.error_class, error_message = excluded.error_message,
    stack_trace = excluded.stack_trace, finished_at = excluded.finished_at,
    seconds = extract(epoch FROM excluded.finished_at - maintenance.started_at)
WHERE maintenance.status <> 'success';

-- name: maintenance
-- What one run did.
SELECT * FROM etl.maintenance WHERE run_id = %(run_id)s ORDER BY table_name, destination;

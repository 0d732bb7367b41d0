-- Runs that another system wrote into a table of this name.

-- name: pages_of_runs
SELECT pg_relation_size(to_regclass('dw_etl_runs')) / current_setting('block_size')::integer AS pages;

-- name: incomplete_runs
SELECT run_id, coalesce(parameters, '{}')::text AS parameters FROM dw_etl_runs
WHERE ctid >= %(first)s::tid AND ctid < %(behind)s::tid
    AND (correlation_id IS NULL OR cycle_id IS NULL OR trigger IS NULL OR parameter_fingerprint IS NULL)
ORDER BY run_id
FOR UPDATE;

-- name: fill_runs
UPDATE dw_etl_runs AS runs SET
    correlation_id = coalesce(correlation_id, format('adopted-%%s', runs.run_id)),
    cycle_id = coalesce(
        cycle_id, format('%%s#%%s', to_char(scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), runs.run_id)
    ),
    trigger = coalesce(trigger, 'import'),
    parameter_fingerprint = coalesce(parameter_fingerprint, given.fingerprint)
FROM unnest(%(run_ids)s::bigint[], %(fingerprints)s::text[]) AS given (run_id, fingerprint)
WHERE runs.run_id = given.run_id;

-- Retention as it is practised: each policy in force, when it last ran, what it did, and whether it is overdue.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.retention_gaps (
    day              date NOT NULL,
    policy_id        integer NOT NULL,
    code             text NOT NULL,
    table_name       text NOT NULL,
    action           text NOT NULL,
    retention_days   integer NOT NULL,
    runs             bigint NOT NULL,
    runs_failed      bigint NOT NULL,
    rows_affected    numeric NOT NULL,
    last_executed_at timestamptz,
    is_overdue       boolean NOT NULL,
    PRIMARY KEY (day, policy_id)
);

DELETE FROM gold.retention_gaps WHERE day = (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date;

INSERT INTO gold.retention_gaps
SELECT
    run.day,
    policies.policy_id,
    policies.code,
    policies.table_name,
    policies.action,
    policies.retention_days,
    count(executions.execution_id),
    count(executions.execution_id) FILTER (WHERE executions.error_message IS NOT NULL),
    coalesce(sum(executions.rows_affected) FILTER (WHERE NOT executions.is_dry_run), 0),
    max(executions.execution_timestamp) FILTER (WHERE NOT executions.is_dry_run),
    coalesce(
        max(executions.execution_timestamp) FILTER (WHERE NOT executions.is_dry_run AND executions.error_message IS NULL)
        < run.day - %(days)s,
        true
    )
FROM compliance_retention_policies AS policies
LEFT JOIN compliance_retention_executions AS executions USING (policy_id)
CROSS JOIN (SELECT (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date AS day) AS run
WHERE policies.is_active AND policies.effective_from <= run.day
GROUP BY run.day, policies.policy_id;

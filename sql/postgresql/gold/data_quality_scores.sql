-- How good each table was each day, by the checks of its rules; a day's score is that of its rows. The last days up to
-- the run's day, or to the newest check where there was none since.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.data_quality_scores (
    day           date NOT NULL,
    table_name    text NOT NULL,
    checks        bigint NOT NULL,
    checks_failed bigint NOT NULL,
    rows_checked  numeric NOT NULL,
    rows_failed   numeric NOT NULL,
    score         numeric(5, 2),
    alerts_open   bigint NOT NULL,
    PRIMARY KEY (day, table_name)
);

CREATE TEMPORARY TABLE window_of_days ON COMMIT DROP AS
SELECT until - %(days)s AS after, until FROM (
    SELECT least((%(scheduled_at)s::timestamptz AT TIME ZONE 'UTC')::date, max((check_timestamp AT TIME ZONE 'UTC')::date)) AS until FROM data_quality_checks
) AS newest;

DELETE FROM gold.data_quality_scores USING window_of_days WHERE day > after AND day <= until;

INSERT INTO gold.data_quality_scores
SELECT
    (checks.check_timestamp AT TIME ZONE 'UTC')::date AS day,
    rules.table_name,
    count(*),
    count(*) FILTER (WHERE checks.status IN ('failed', 'error')),
    sum(checks.rows_checked),
    sum(checks.rows_failed),
    round(100 - 100 * sum(checks.rows_failed) / nullif(sum(checks.rows_checked), 0), 2),
    sum(alerts.open)
FROM window_of_days
JOIN data_quality_checks AS checks
    ON (checks.check_timestamp AT TIME ZONE 'UTC')::date > after
    AND (checks.check_timestamp AT TIME ZONE 'UTC')::date <= until
JOIN data_quality_rules AS rules USING (rule_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS open FROM data_quality_alerts
    WHERE data_quality_alerts.check_id = checks.check_id AND data_quality_alerts.status IN ('open', 'acknowledged')
) AS alerts
GROUP BY 1, 2;

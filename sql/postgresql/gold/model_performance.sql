-- How each model did each day: what it was asked, how fast it answered, how often it fell back, and what its watch says.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.model_performance (
    day                date NOT NULL,
    model_id           integer NOT NULL,
    model              text NOT NULL,
    version            text NOT NULL,
    stage              text NOT NULL,
    predictions        bigint NOT NULL,
    average_score      double precision,
    average_latency_ms double precision,
    fallback_share     double precision,
    checks             bigint NOT NULL,
    checks_critical    bigint NOT NULL,
    greatest_drift     numeric(8, 6),
    PRIMARY KEY (day, model_id)
);

CREATE TEMPORARY TABLE window_of_days ON COMMIT DROP AS
SELECT until - %(days)s AS after, until FROM (
    SELECT least((%(scheduled_at)s::timestamptz AT TIME ZONE 'UTC')::date, max((prediction_timestamp AT TIME ZONE 'UTC')::date)) AS until FROM ml_model_predictions
) AS newest;

DELETE FROM gold.model_performance USING window_of_days WHERE day > after AND day <= until;

INSERT INTO gold.model_performance
WITH predicted AS (
    SELECT
        (prediction_timestamp AT TIME ZONE 'UTC')::date AS day,
        model_id,
        count(*) AS predictions,
        avg(score) AS average_score,
        avg(latency_ms) AS average_latency_ms,
        avg(is_fallback::integer) AS fallback_share
    FROM window_of_days
    JOIN ml_model_predictions
        ON (prediction_timestamp AT TIME ZONE 'UTC')::date > after
        AND (prediction_timestamp AT TIME ZONE 'UTC')::date <= until
    GROUP BY 1, 2
), watched AS (
    SELECT
        (check_timestamp AT TIME ZONE 'UTC')::date AS day,
        model_id,
        count(*) AS checks,
        count(*) FILTER (WHERE status = 'critical') AS checks_critical,
        max(abs(drift)) AS greatest_drift
    FROM window_of_days
    JOIN ml_model_monitoring
        ON (check_timestamp AT TIME ZONE 'UTC')::date > after
        AND (check_timestamp AT TIME ZONE 'UTC')::date <= until
    GROUP BY 1, 2
)
SELECT
    day,
    model_id,
    models.name,
    models.version,
    models.stage,
    coalesce(predicted.predictions, 0),
    predicted.average_score,
    predicted.average_latency_ms,
    predicted.fallback_share,
    coalesce(watched.checks, 0),
    coalesce(watched.checks_critical, 0),
    watched.greatest_drift
FROM predicted
FULL JOIN watched USING (day, model_id)
JOIN ml_model_registry AS models USING (model_id);

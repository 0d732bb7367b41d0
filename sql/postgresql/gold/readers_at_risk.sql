-- Whom each brand may lose: of its active accounts those most likely to leave, by the newest prediction up to the run's
-- day, with what the reader is worth. A brand's list of that day is replaced.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.readers_at_risk (
    day                date NOT NULL,
    brand_id           integer NOT NULL,
    rank               integer NOT NULL,
    user_id            bigint NOT NULL,
    churn_probability  double precision NOT NULL,
    days_to_churn      integer,
    recommended_action text,
    sessions_30d       integer,
    lifetime_value_eur numeric(12, 4),
    PRIMARY KEY (day, brand_id, rank)
);

DELETE FROM gold.readers_at_risk WHERE day = (
    SELECT max(prediction_date) FROM customer_churn_predictions WHERE prediction_date <= (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date
);

INSERT INTO gold.readers_at_risk
WITH newest AS (
    SELECT max(prediction_date) AS day FROM customer_churn_predictions WHERE prediction_date <= (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date
), subscribers AS (
    SELECT DISTINCT brand_id, user_id FROM user_accounts WHERE status = 'active' AND account_type <> 'free'
), ranked AS (
    SELECT
        newest.day,
        subscribers.brand_id,
        row_number() OVER (
            PARTITION BY subscribers.brand_id ORDER BY predictions.churn_probability DESC, predictions.user_id
        ) AS rank,
        predictions.*
    FROM newest
    JOIN customer_churn_predictions AS predictions ON predictions.prediction_date = newest.day
    JOIN subscribers USING (user_id)
)
SELECT
    ranked.day,
    ranked.brand_id,
    ranked.rank,
    ranked.user_id,
    ranked.churn_probability,
    ranked.days_to_churn,
    ranked.recommended_action,
    features.sessions_30d,
    features.lifetime_value_eur
FROM ranked
LEFT JOIN LATERAL (
    SELECT sessions_30d, lifetime_value_eur
    FROM customer_user_features
    WHERE customer_user_features.user_id = ranked.user_id AND feature_date <= ranked.day
    ORDER BY feature_date DESC
    LIMIT 1
) AS features ON true
WHERE ranked.rank <= %(limit)s;

-- What readers of each brand agreed to, as it stands on the run's day: the latest word of each reader counts.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.consent_states (
    day          date NOT NULL,
    brand_id     integer NOT NULL,
    consent_type text NOT NULL,
    readers      bigint NOT NULL,
    granted      bigint NOT NULL,
    withdrawn    bigint NOT NULL,
    expired      bigint NOT NULL,
    share        numeric(5, 4) NOT NULL,
    PRIMARY KEY (day, brand_id, consent_type)
);

DELETE FROM gold.consent_states WHERE day = (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date;

INSERT INTO gold.consent_states
WITH latest AS (
    SELECT DISTINCT ON (user_id, brand_id, consent_type)
        brand_id,
        consent_type,
        withdrawn_at IS NOT NULL AS is_withdrawn,
        coalesce(expires_on < (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date, false) AS is_expired,
        is_granted
    FROM compliance_user_consent
    ORDER BY user_id, brand_id, consent_type, coalesce(withdrawn_at, granted_at, created_at) DESC, consent_id DESC
)
SELECT
    (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date,
    brand_id,
    consent_type,
    count(*),
    count(*) FILTER (WHERE is_granted AND NOT is_withdrawn AND NOT is_expired),
    count(*) FILTER (WHERE is_withdrawn),
    count(*) FILTER (WHERE is_expired AND NOT is_withdrawn),
    round(count(*) FILTER (WHERE is_granted AND NOT is_withdrawn AND NOT is_expired)::numeric / count(*), 4)
FROM latest
GROUP BY brand_id, consent_type;

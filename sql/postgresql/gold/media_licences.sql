-- Pictures and videos that are in use though their licence has ended, or ends within so many days of the run's day.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.media_licences (
    day                date NOT NULL,
    asset_id           bigint NOT NULL,
    asset_type         text NOT NULL,
    license            text,
    copyright_holder   text,
    license_expires_on date NOT NULL,
    days_left          integer NOT NULL,
    uses               bigint NOT NULL,
    impressions        bigint NOT NULL,
    last_used_at       timestamptz NOT NULL,
    license_fee_eur    numeric(14, 2) NOT NULL,
    PRIMARY KEY (day, asset_id)
);

DELETE FROM gold.media_licences WHERE day = (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date;

INSERT INTO gold.media_licences
SELECT
    run.day,
    assets.asset_id,
    assets.asset_type,
    assets.license,
    assets.copyright_holder,
    assets.license_expires_on,
    assets.license_expires_on - run.day,
    count(*),
    sum(usage.impressions),
    max(usage.usage_timestamp),
    coalesce(sum(usage.license_fee_eur), 0)
FROM editorial_media_assets AS assets
JOIN editorial_media_usage AS usage USING (asset_id)
CROSS JOIN (SELECT (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date AS day) AS run
WHERE assets.license_expires_on <= run.day + %(days)s
GROUP BY run.day, assets.asset_id;

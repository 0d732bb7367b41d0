-- Who pays for which brand: accounts of each kind and status as they stand on the run's day, and what they bring.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.subscriptions (
    day                 date NOT NULL,
    brand_id            integer NOT NULL,
    brand               text NOT NULL,
    account_type        text NOT NULL,
    status              text NOT NULL,
    accounts            bigint NOT NULL,
    began_lately        bigint NOT NULL,
    ending_soon         bigint NOT NULL,
    balance_eur         numeric(14, 2) NOT NULL,
    monthly_revenue_eur numeric(14, 2) NOT NULL,
    PRIMARY KEY (day, brand_id, account_type, status)
);

DELETE FROM gold.subscriptions WHERE day = (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date;

INSERT INTO gold.subscriptions
SELECT
    run.day,
    brands.brand_id,
    brands.name,
    accounts.account_type,
    accounts.status,
    count(*),
    count(*) FILTER (WHERE accounts.started_on > run.day - %(days)s),
    count(*) FILTER (WHERE accounts.ends_on BETWEEN run.day AND run.day + %(days)s),
    sum(accounts.balance_eur),
    coalesce(sum(brands.subscription_price_eur) FILTER (
        WHERE accounts.status = 'active' AND accounts.account_type NOT IN ('free', 'trial')
    ), 0)
FROM user_accounts AS accounts
JOIN brands USING (brand_id)
CROSS JOIN (SELECT (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date AS day) AS run
GROUP BY run.day, brands.brand_id, brands.name, accounts.account_type, accounts.status;

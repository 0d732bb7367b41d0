-- What readers did in each brand each day, by kind of event, without bots: how often, how many, how deep, what it brought.
CREATE TABLE IF NOT EXISTS gold_engagement_days (
    day                  Date32,
    brand_id             Int32,
    event_type           String,
    events               UInt64,
    sessions             UInt64,
    readers              UInt64,
    articles             UInt64,
    average_scroll_depth Nullable(Float64),
    revenue_eur          Decimal(18, 4)
)
ENGINE = MergeTree
ORDER BY (day, brand_id, event_type);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_engagement_days_next AS gold_engagement_days;

INSERT INTO gold_engagement_days_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(event_date))
        FROM customer_events
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_engagement_days WHERE day < since OR day > until;

INSERT INTO gold_engagement_days_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(event_date))
        FROM customer_events
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    event_date AS day,
    sessions_of_brands.brand_id AS brand_id,
    event_type,
    count() AS events,
    uniqExact(customer_events.session_id) AS sessions,
    uniqExact(user_id) AS readers,
    uniqExact(article_id) AS articles,
    avg(scroll_depth) AS average_scroll_depth,
    ifNull(sum(customer_events.revenue_eur), 0) AS revenue_eur
FROM customer_events
INNER JOIN (SELECT session_id, brand_id FROM customer_sessions) AS sessions_of_brands USING (session_id)
WHERE event_date BETWEEN since AND until AND NOT is_bot
GROUP BY day, brand_id, event_type;

EXCHANGE TABLES gold_engagement_days AND gold_engagement_days_next;

DROP TABLE gold_engagement_days_next;

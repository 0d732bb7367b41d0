-- How many read each brand each day, how long they stayed, and how many left at once. The last days up to the run's
-- own, or to the newest session where there was none since. What is older stays as it is.
CREATE TABLE IF NOT EXISTS gold_daily_readers (
    day             Date32,
    brand_id        Int32,
    brand           String,
    sessions        UInt64,
    readers         UInt64,
    readers_known   UInt64,
    page_views      UInt64,
    bounces         UInt64,
    average_seconds Nullable(Float64)
)
ENGINE = MergeTree
ORDER BY (day, brand_id);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_daily_readers_next AS gold_daily_readers;

INSERT INTO gold_daily_readers_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(session_start)))
        FROM customer_sessions
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_daily_readers WHERE day < since OR day > until;

INSERT INTO gold_daily_readers_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(session_start)))
        FROM customer_sessions
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    toDate32(session_start) AS day,
    brand_id,
    any(brands.name) AS brand,
    count() AS sessions,
    uniqExact(anonymous_id) AS readers,
    uniqExact(user_id) AS readers_known,
    sum(page_views) AS page_views,
    countIf(customer_sessions.page_views <= 1) AS bounces,
    avg(dateDiff('second', session_start, session_end)) AS average_seconds
FROM customer_sessions
LEFT JOIN (SELECT brand_id, name FROM brands FINAL) AS brands USING (brand_id)
WHERE toDate32(session_start) BETWEEN since AND until
GROUP BY day, brand_id;

EXCHANGE TABLES gold_daily_readers AND gold_daily_readers_next;

DROP TABLE gold_daily_readers_next;

-- name: agg_daily_events
-- sources: customer_events
-- What happened each day, by kind of event: the editors' first page. Bots are left out.
CREATE MATERIALIZED VIEW agg_daily_events
REFRESH EVERY 1 YEAR
ENGINE = MergeTree
ORDER BY (event_date, event_type)
EMPTY
AS SELECT
    event_date,
    ifNull(event_type, '') AS event_type,
    count() AS events,
    uniqExact(session_id) AS sessions,
    uniqExact(user_id) AS readers,
    sum(revenue_eur) AS revenue_eur
FROM customer_events
WHERE NOT ifNull(is_bot, false)
GROUP BY event_date, event_type

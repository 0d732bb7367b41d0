-- name: agg_article_daily_views
-- sources: customer_events
-- How often, by how many and for how long each article was read each day.
CREATE MATERIALIZED VIEW agg_article_daily_views
REFRESH EVERY 1 YEAR
ENGINE = MergeTree
ORDER BY (article_id, event_date)
EMPTY
AS SELECT
    assumeNotNull(article_id) AS article_id,
    event_date,
    count() AS views,
    uniqExact(session_id) AS sessions,
    avg(duration_ms) / 1000 AS average_seconds
FROM customer_events
WHERE event_type = 'page_view' AND customer_events.article_id IS NOT NULL AND NOT ifNull(is_bot, false)
GROUP BY article_id, event_date

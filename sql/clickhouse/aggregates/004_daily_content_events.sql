-- name: agg_daily_content_events
-- sources: editorial_content_events
-- What the newsrooms did each day: edits, reviews and publications by brand.
CREATE MATERIALIZED VIEW agg_daily_content_events
REFRESH EVERY 1 YEAR
ENGINE = MergeTree
ORDER BY (event_date, brand_id, event_type)
EMPTY
AS SELECT
    event_date,
    ifNull(brand_id, 0) AS brand_id,
    ifNull(event_type, '') AS event_type,
    count() AS events,
    uniqExact(article_id) AS articles,
    sum(duration_seconds) AS seconds
FROM editorial_content_events
GROUP BY event_date, brand_id, event_type

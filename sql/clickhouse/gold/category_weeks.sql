-- How much of the traffic each category had by week (from Monday), and what it brought.
CREATE TABLE IF NOT EXISTS gold_category_weeks (
    week           Date32,
    category_id    Int32,
    category       String,
    articles       UInt64,
    page_views     UInt64,
    share          Float64,
    ad_impressions UInt64,
    revenue_eur    Decimal(18, 2)
)
ENGINE = MergeTree
ORDER BY (week, category_id);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_category_weeks_next AS gold_category_weeks;

INSERT INTO gold_category_weeks_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(date))
        FROM editorial_category_performance
    ) AS until,
    toMonday(until) - 7 * ({weeks:UInt16} - 1) AS since
SELECT * FROM gold_category_weeks WHERE week < since OR week > until;

INSERT INTO gold_category_weeks_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(date))
        FROM editorial_category_performance
    ) AS until,
    toMonday(until) - 7 * ({weeks:UInt16} - 1) AS since
SELECT
    toDate32(toMonday(date)) AS week,
    category_id,
    any(categories.name) AS category,
    sum(articles_published) AS articles,
    sum(performance.page_views) AS page_views,
    ifNull(page_views / nullIf(sum(page_views) OVER (PARTITION BY week), 0), 0) AS share,
    sum(performance.ad_impressions) AS ad_impressions,
    sum(performance.revenue_eur) AS revenue_eur
FROM (SELECT * FROM editorial_category_performance FINAL) AS performance
LEFT JOIN (SELECT category_id, name FROM categories FINAL) AS categories USING (category_id)
WHERE date BETWEEN since AND until
GROUP BY week, category_id;

EXCHANGE TABLES gold_category_weeks AND gold_category_weeks_next;

DROP TABLE gold_category_weeks_next;

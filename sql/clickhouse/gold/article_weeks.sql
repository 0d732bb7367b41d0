-- How articles were read by week (from Monday): views, time, comments and what they brought. The last weeks are made
-- anew, since figures still come.
CREATE TABLE IF NOT EXISTS gold_article_weeks (
    week            Date32,
    article_id      Int64,
    title           String,
    brand_id        Int32,
    category_id     Int32,
    page_views      UInt64,
    visitors        UInt64,
    seconds_on_page Nullable(Float64),
    comments        UInt64,
    shares          UInt64,
    conversions     UInt64,
    revenue_eur     Decimal(18, 2)
)
ENGINE = MergeTree
ORDER BY (week, article_id);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_article_weeks_next AS gold_article_weeks;

INSERT INTO gold_article_weeks_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(date))
        FROM editorial_article_performance
    ) AS until,
    toMonday(until) - 7 * ({weeks:UInt16} - 1) AS since
SELECT * FROM gold_article_weeks WHERE week < since OR week > until;

INSERT INTO gold_article_weeks_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(date))
        FROM editorial_article_performance
    ) AS until,
    toMonday(until) - 7 * ({weeks:UInt16} - 1) AS since
SELECT
    toDate32(toMonday(date)) AS week,
    article_id,
    any(articles.title) AS title,
    any(articles.brand_id) AS brand_id,
    any(articles.category_id) AS category_id,
    sum(performance.page_views) AS page_views,
    sum(unique_visitors) AS visitors,
    sum(average_seconds_on_page * performance.page_views) / nullIf(sum(performance.page_views), 0) AS seconds_on_page,
    sum(performance.comments) AS comments,
    sum(performance.shares) AS shares,
    sum(performance.conversions) AS conversions,
    sum(performance.revenue_eur) AS revenue_eur
FROM (SELECT * FROM editorial_article_performance FINAL) AS performance
LEFT JOIN (SELECT article_id, title, brand_id, category_id FROM editorial_articles FINAL) AS articles USING (article_id)
WHERE date BETWEEN since AND until
GROUP BY week, article_id;

EXCHANGE TABLES gold_article_weeks AND gold_article_weeks_next;

DROP TABLE gold_article_weeks_next;

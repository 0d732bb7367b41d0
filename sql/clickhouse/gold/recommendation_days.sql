-- How recommendations did each day by the place they stood in and the model that made them: shown, clicked, dismissed.
CREATE TABLE IF NOT EXISTS gold_recommendation_days (
    day                  Date32,
    placement            String,
    model_id             Int32,
    shown                UInt64,
    clicked              UInt64,
    dismissed            UInt64,
    click_rate           Float64,
    average_rank_clicked Nullable(Float64)
)
ENGINE = MergeTree
ORDER BY (day, placement, model_id);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_recommendation_days_next AS gold_recommendation_days;

INSERT INTO gold_recommendation_days_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(ifNull(toDate32(shown_at), toDate32(created_at))))
        FROM customer_recommendations
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_recommendation_days WHERE day < since OR day > until;

INSERT INTO gold_recommendation_days_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(ifNull(toDate32(shown_at), toDate32(created_at))))
        FROM customer_recommendations
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    assumeNotNull(toDate32(shown_at)) AS day,
    placement,
    ifNull(customer_recommendations.model_id, 0) AS model_id,
    count() AS shown,
    countIf(clicked_at IS NOT NULL) AS clicked,
    countIf(is_dismissed) AS dismissed,
    clicked / shown AS click_rate,
    if(clicked = 0, NULL, avgIf(rank, clicked_at IS NOT NULL)) AS average_rank_clicked
FROM customer_recommendations FINAL
WHERE shown_at IS NOT NULL AND toDate32(shown_at) BETWEEN since AND until
GROUP BY day, placement, model_id;

EXCHANGE TABLES gold_recommendation_days AND gold_recommendation_days_next;

DROP TABLE gold_recommendation_days_next;

-- name: agg_churn_bands
-- sources: customer_churn_predictions
-- How many readers stood in each band of churn risk on each day of prediction.
CREATE MATERIALIZED VIEW agg_churn_bands
REFRESH EVERY 1 YEAR
ENGINE = MergeTree
ORDER BY (prediction_date, churn_band)
EMPTY
AS SELECT
    prediction_date,
    ifNull(churn_band, 'unknown') AS churn_band,
    count() AS readers,
    avg(churn_probability) AS average_probability,
    countIf(has_churned) AS churned
FROM customer_churn_predictions FINAL
GROUP BY prediction_date, churn_band

-- Whether predicted conversions come true: of each day's predictions, by tenths of probability, how many were converted
-- and what was expected of them.
CREATE TABLE IF NOT EXISTS gold_conversion_calibration (
    day                  Date32,
    model_id             Int32,
    tenth                UInt8,
    predictions          UInt64,
    average_probability  Float64,
    converted            UInt64,
    converted_share      Float64,
    expected_revenue_eur Decimal(18, 4)
)
ENGINE = MergeTree
ORDER BY (day, model_id, tenth);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_conversion_calibration_next AS gold_conversion_calibration;

INSERT INTO gold_conversion_calibration_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(prediction_date))
        FROM customer_conversion_predictions
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_conversion_calibration WHERE day < since OR day > until;

INSERT INTO gold_conversion_calibration_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(prediction_date))
        FROM customer_conversion_predictions
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    prediction_date AS day,
    model_id,
    toUInt8(least(floor(toFloat64(conversion_probability) * 10), 9)) AS tenth,
    count() AS predictions,
    avg(toFloat64(conversion_probability)) AS average_probability,
    countIf(converted_at IS NOT NULL) AS converted,
    converted / predictions AS converted_share,
    ifNull(sum(customer_conversion_predictions.expected_revenue_eur), 0) AS expected_revenue_eur
FROM customer_conversion_predictions FINAL
WHERE prediction_date BETWEEN since AND until
GROUP BY day, model_id, tenth;

EXCHANGE TABLES gold_conversion_calibration AND gold_conversion_calibration_next;

DROP TABLE gold_conversion_calibration_next;

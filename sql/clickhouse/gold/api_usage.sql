-- How each API key was used each day: requests, errors, how fast they were answered, and how much was sent.
CREATE TABLE IF NOT EXISTS gold_api_usage (
    day            Date32,
    api_key_id     String,
    requests       UInt64,
    errors         UInt64,
    error_share    Float64,
    median_ms      Float64,
    p95_ms         Float64,
    response_bytes UInt64
)
ENGINE = MergeTree
ORDER BY (day, api_key_id);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_api_usage_next AS gold_api_usage;

INSERT INTO gold_api_usage_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(usage_timestamp)))
        FROM security_api_key_usage
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_api_usage WHERE day < since OR day > until;

INSERT INTO gold_api_usage_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(usage_timestamp)))
        FROM security_api_key_usage
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    toDate32(usage_timestamp) AS day,
    api_key_id,
    count() AS requests,
    countIf(status_code >= 400) AS errors,
    errors / requests AS error_share,
    quantileExact(0.5)(response_ms) AS median_ms,
    quantileExact(0.95)(response_ms) AS p95_ms,
    ifNull(sum(security_api_key_usage.response_bytes), 0) AS response_bytes
FROM security_api_key_usage
WHERE toDate32(usage_timestamp) BETWEEN since AND until
GROUP BY day, api_key_id;

EXCHANGE TABLES gold_api_usage AND gold_api_usage_next;

DROP TABLE gold_api_usage_next;

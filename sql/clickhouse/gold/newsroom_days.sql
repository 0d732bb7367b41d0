-- What the newsroom of each brand did each day, by kind of work and tool: how often, by how many, and for how long.
CREATE TABLE IF NOT EXISTS gold_newsroom_days (
    day        Date32,
    brand_id   Int32,
    event_type String,
    tool       String,
    events     UInt64,
    articles   UInt64,
    people     UInt64,
    hours      Float64
)
ENGINE = MergeTree
ORDER BY (day, brand_id, event_type, tool);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_newsroom_days_next AS gold_newsroom_days;

INSERT INTO gold_newsroom_days_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(event_date))
        FROM editorial_content_events
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_newsroom_days WHERE day < since OR day > until;

INSERT INTO gold_newsroom_days_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(event_date))
        FROM editorial_content_events
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    event_date AS day,
    brand_id,
    event_type,
    ifNull(editorial_content_events.tool, '') AS tool,
    count() AS events,
    uniqExact(article_id) AS articles,
    uniqExact(actor_employee_id) AS people,
    ifNull(sum(duration_seconds), 0) / 3600 AS hours
FROM editorial_content_events
WHERE event_date BETWEEN since AND until
GROUP BY day, brand_id, event_type, tool;

EXCHANGE TABLES gold_newsroom_days AND gold_newsroom_days_next;

DROP TABLE gold_newsroom_days_next;

-- What endangered us each day, by kind and severity: how often, from how many places, how risky, and what is unresolved.
CREATE TABLE IF NOT EXISTS gold_security_incidents (
    day           Date32,
    event_type    String,
    severity      String,
    events        UInt64,
    users         UInt64,
    sources       UInt64,
    greatest_risk Nullable(Float32),
    unresolved    UInt64
)
ENGINE = MergeTree
ORDER BY (day, event_type, severity);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_security_incidents_next AS gold_security_incidents;

INSERT INTO gold_security_incidents_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(event_timestamp)))
        FROM audit_security_events
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_security_incidents WHERE day < since OR day > until;

INSERT INTO gold_security_incidents_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(event_timestamp)))
        FROM audit_security_events
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    toDate32(event_timestamp) AS day,
    event_type,
    severity,
    count() AS events,
    uniqExact(user_id) AS users,
    uniqExact(source_ip) AS sources,
    max(risk_score) AS greatest_risk,
    countIf(NOT is_resolved) AS unresolved
FROM audit_security_events
WHERE toDate32(event_timestamp) BETWEEN since AND until
GROUP BY day, event_type, severity;

EXCHANGE TABLES gold_security_incidents AND gold_security_incidents_next;

DROP TABLE gold_security_incidents_next;

-- Who looked at what, and on which grounds: access to each table each day, by purpose and legal basis.
CREATE TABLE IF NOT EXISTS gold_personal_data_access (
    day                Date32,
    table_name         String,
    purpose            String,
    legal_basis        String,
    accesses           UInt64,
    users              UInt64,
    rows_read          UInt64,
    with_personal_data UInt64,
    without_basis      UInt64
)
ENGINE = MergeTree
ORDER BY (day, table_name, purpose, legal_basis);

-- Made beside it, then put in its place at once: readers never see half of it.
CREATE OR REPLACE TABLE gold_personal_data_access_next AS gold_personal_data_access;

INSERT INTO gold_personal_data_access_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(access_timestamp)))
        FROM audit_data_access
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT * FROM gold_personal_data_access WHERE day < since OR day > until;

INSERT INTO gold_personal_data_access_next
WITH
    (
        SELECT least(toDate32(parseDateTimeBestEffort({scheduled_at:String}, 'UTC')), max(toDate32(access_timestamp)))
        FROM audit_data_access
    ) AS until,
    until - {days:UInt16} + 1 AS since
SELECT
    toDate32(access_timestamp) AS day,
    table_name,
    ifNull(audit_data_access.purpose, '') AS purpose,
    ifNull(audit_data_access.legal_basis, '') AS legal_basis,
    count() AS accesses,
    uniqExact(user_id) AS users,
    sum(row_count) AS rows_read,
    countIf(contains_personal_data) AS with_personal_data,
    countIf(contains_personal_data AND ifNull(audit_data_access.legal_basis, '') = '') AS without_basis
FROM audit_data_access
WHERE toDate32(access_timestamp) BETWEEN since AND until
GROUP BY day, table_name, purpose, legal_basis;

EXCHANGE TABLES gold_personal_data_access AND gold_personal_data_access_next;

DROP TABLE gold_personal_data_access_next;

-- What the law wants done, and by when: open requests of data subjects, breaches that an authority must be told of, and
-- assessments to be looked at again. What is due within so many days of the run's day, and what is overdue.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.compliance_deadlines (
    day        date NOT NULL,
    kind       text NOT NULL,
    item_id    bigint NOT NULL,
    subject    text NOT NULL,
    status     text NOT NULL,
    due_on     date NOT NULL,
    days_left  integer NOT NULL,
    is_overdue boolean NOT NULL,
    PRIMARY KEY (day, kind, item_id)
);

DELETE FROM gold.compliance_deadlines WHERE day = (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date;

INSERT INTO gold.compliance_deadlines
SELECT run.day, kind, item_id, subject, status, due_on, due_on - run.day, due_on < run.day
FROM (
    SELECT 'request' AS kind, request_id AS item_id, request_type AS subject, status, due_date AS due_on
    FROM compliance_data_subject_requests
    WHERE status NOT IN ('completed', 'rejected')
    UNION ALL
    SELECT 'breach', incident_id, severity, status, (notification_deadline AT TIME ZONE 'Europe/Berlin')::date
    FROM compliance_breach_incidents
    WHERE NOT is_authority_notified AND status <> 'closed'
    UNION ALL
    SELECT 'assessment', assessment_id, assessment_type, status, next_review_date
    FROM compliance_privacy_assessments
    WHERE next_review_date IS NOT NULL AND status <> 'rejected'
) AS items
CROSS JOIN (SELECT (%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date AS day) AS run
WHERE due_on <= run.day + %(days)s;

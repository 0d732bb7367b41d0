-- How departments fare by week (from Monday): who takes part, their mood, what was done and what is late.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.department_engagement (
    week             date NOT NULL,
    department_id    integer NOT NULL,
    department       text NOT NULL,
    company_id       integer NOT NULL,
    employees        bigint NOT NULL,
    employees_active bigint NOT NULL,
    average_mood     numeric(3, 2),
    engagement_score double precision,
    tasks_completed  bigint,
    overtime_hours   numeric(12, 2),
    absence_rate     double precision,
    PRIMARY KEY (week, department_id)
);

CREATE TEMPORARY TABLE window_of_weeks ON COMMIT DROP AS
SELECT date_trunc('week', until)::date - 7 * (%(weeks)s - 1) AS since, until FROM (
    SELECT least((%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date, max(date)) AS until FROM company_employee_engagement
) AS newest;

DELETE FROM gold.department_engagement USING window_of_weeks WHERE week >= since AND week <= until;

INSERT INTO gold.department_engagement
WITH engaged AS (
    SELECT
        date_trunc('week', engagement.date)::date AS week,
        employees.department_id,
        count(DISTINCT employees.employee_id) AS employees,
        count(DISTINCT employees.employee_id) FILTER (WHERE engagement.active_minutes > 0) AS employees_active,
        avg(engagement.mood) AS average_mood,
        avg(engagement.engagement_score) AS engagement_score
    FROM window_of_weeks
    JOIN company_employee_engagement AS engagement ON engagement.date >= since AND engagement.date <= until
    JOIN company_employees AS employees USING (employee_id)
    GROUP BY 1, 2
), performed AS (
    SELECT
        date_trunc('week', performance.date)::date AS week,
        department_id,
        sum(tasks_completed) AS tasks_completed,
        sum(overtime_hours) AS overtime_hours,
        avg(absence_rate) AS absence_rate
    FROM window_of_weeks
    JOIN company_department_performance AS performance ON performance.date >= since AND performance.date <= until
    GROUP BY 1, 2
)
SELECT
    engaged.week,
    departments.department_id,
    departments.name,
    departments.company_id,
    engaged.employees,
    engaged.employees_active,
    round(engaged.average_mood, 2),
    engaged.engagement_score,
    performed.tasks_completed,
    performed.overtime_hours,
    performed.absence_rate
FROM engaged
JOIN company_departments AS departments USING (department_id)
LEFT JOIN performed USING (week, department_id);

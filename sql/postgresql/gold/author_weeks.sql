-- What each author wrote, and how it was read, by week (from Monday). The last weeks are made anew: figures still come.
DO $$ BEGIN
    IF to_regnamespace('gold') IS NULL THEN  -- several of these jobs may be the first
        PERFORM pg_advisory_xact_lock(hashtext('gold'));
        CREATE SCHEMA IF NOT EXISTS gold;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS gold.author_weeks (
    week            date NOT NULL,
    author_id       integer NOT NULL,
    author          text NOT NULL,
    brand_id        integer NOT NULL,
    is_freelance    boolean NOT NULL,
    articles        bigint NOT NULL,
    page_views      numeric NOT NULL,
    comments        bigint NOT NULL,
    conversions     bigint NOT NULL,
    revenue_eur     numeric(14, 2) NOT NULL,
    seconds_on_page double precision,
    best_engagement double precision,
    PRIMARY KEY (week, author_id)
);

CREATE TEMPORARY TABLE window_of_weeks ON COMMIT DROP AS
SELECT date_trunc('week', until)::date - 7 * (%(weeks)s - 1) AS since, until FROM (
    SELECT least((%(scheduled_at)s::timestamptz AT TIME ZONE 'Europe/Berlin')::date, max(date)) AS until FROM editorial_author_performance
) AS newest;

DELETE FROM gold.author_weeks USING window_of_weeks WHERE week >= since AND week <= until;

INSERT INTO gold.author_weeks
SELECT
    date_trunc('week', performance.date)::date AS week,
    authors.author_id,
    authors.full_name,
    authors.brand_id,
    authors.is_freelance,
    sum(performance.articles_published),
    sum(performance.page_views),
    sum(performance.comments),
    sum(performance.conversions),
    sum(performance.revenue_eur),
    sum(performance.average_seconds_on_page * performance.page_views) / nullif(sum(performance.page_views), 0),
    max(performance.engagement_score)
FROM window_of_weeks
JOIN editorial_author_performance AS performance ON performance.date >= since AND performance.date <= until
JOIN editorial_authors AS authors USING (author_id)
GROUP BY 1, 2, 3, 4, 5;

"""Who waits for whom: asked of a session that does not wait itself."""

from __future__ import annotations


def find_waits(pids: str, names: str, seconds: str) -> str:
    """Sessions that wait for a lock, or at their COMMIT for a standby, and who stands in their way.

    Each argument is the driver's placeholder: the sessions' process ids, an integer[]; where that is NULL, since a
    pooler hides them, the application_names they go by, a text[]; and from how many seconds on a wait counts. No `%`
    stands here.
    """
    return f"""SELECT a.pid, a.application_name AS session, since.seconds,
    coalesce(
        CASE WHEN l.locktype = 'relation' THEN l.relation::regclass::text
            WHEN held.relation IS NOT NULL THEN 'a row of ' || held.relation::regclass::text END,
        l.locktype, a.wait_event) AS wanted,
    l.mode,
    blocking.pids,
    blocking.told
FROM pg_catalog.pg_stat_activity AS a
LEFT JOIN LATERAL (SELECT * FROM pg_catalog.pg_locks WHERE pid = a.pid AND NOT granted LIMIT 1) AS l ON true
LEFT JOIN LATERAL (
    SELECT relation FROM pg_catalog.pg_locks
    WHERE pid = a.pid AND granted AND locktype = 'tuple' LIMIT 1) AS held ON true
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM clock_timestamp() - coalesce(l.waitstart, a.state_change))::float8 AS seconds) AS since
CROSS JOIN LATERAL (
    SELECT array_agg(b.pid) AS pids, string_agg(
        CASE WHEN b.pid = 0 THEN 'a prepared transaction' ELSE
            'pid ' || b.pid || ' (' || coalesce(nullif(h.application_name, ''), 'no application name')
            || coalesce(', ' || h.usename, '') || ')' || coalesce(', ' || h.state, '')
            || coalesce(', its transaction began '
                || to_char(h.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), '')
        END, '; ' ORDER BY b.pid) AS told
    FROM (SELECT DISTINCT unnest(pg_catalog.pg_blocking_pids(a.pid)) AS pid) AS b
    LEFT JOIN pg_catalog.pg_stat_activity AS h ON h.pid = b.pid) AS blocking
WHERE (a.wait_event_type = 'Lock' OR a.wait_event = 'SyncRep') AND a.datname = current_database()
    AND CASE WHEN {pids}::integer[] IS NULL THEN a.application_name = ANY ({names}::text[]) AND a.usename = current_user
        ELSE a.pid = ANY ({pids}::integer[]) END
    AND since.seconds >= {seconds}::float8
ORDER BY a.pid"""

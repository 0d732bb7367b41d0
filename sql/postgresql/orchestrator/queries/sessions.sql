-- An attempt's sessions, on whatever server its tools have opened them.

-- name: sessions_of_attempt
-- Of all databases of the server; `session` is a pattern of the names they go by. What kind of backend another
-- role's is, not everybody may know.
SELECT pid, usename AS user_name, application_name AS name, state
FROM pg_catalog.pg_stat_activity
WHERE coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()
    AND application_name ~ %(session)s
ORDER BY pid;

-- name: cancel_session
SELECT pg_catalog.pg_cancel_backend(%(pid)s) AS was_there;

-- name: terminate_session
SELECT pg_catalog.pg_terminate_backend(%(pid)s) AS was_there;

-- The page's users, their sessions, and what was done to either. The schema comes from search_path.

-- name: add_user
INSERT INTO etl_users (name, role, password_hash) VALUES (%(name)s, %(role)s, %(password_hash)s)
ON CONFLICT (name) DO NOTHING RETURNING name;

-- name: list_users
SELECT name, role, created_at, password_changed_at, signed_in_at,
    (SELECT count(*) FROM etl_sessions WHERE etl_user = etl_users.name AND expires_at > clock_timestamp()) AS sessions
FROM etl_users ORDER BY name;

-- name: has_users
SELECT EXISTS (SELECT FROM etl_users) AS has_users;

-- name: find_user
SELECT name, role, password_hash FROM etl_users WHERE name = %(name)s;

-- name: set_role
UPDATE etl_users SET role = %(role)s WHERE name = %(name)s RETURNING name;

-- name: set_password
-- Whoever knows the old one is signed out.
WITH ended AS (DELETE FROM etl_sessions WHERE etl_user = %(name)s)
UPDATE etl_users SET password_hash = %(password_hash)s, password_changed_at = clock_timestamp()
WHERE name = %(name)s RETURNING name;

-- name: rehash_password
-- The same password under today's parameters; not where it was changed meanwhile.
UPDATE etl_users SET password_hash = %(password_hash)s WHERE name = %(name)s AND password_hash = %(old_hash)s;

-- name: remove_user
-- Sessions go with their user.
DELETE FROM etl_users WHERE name = %(name)s RETURNING name;

-- name: record_user_event
INSERT INTO etl_user_events (event, etl_user, done_by, address, detail)
VALUES (%(event)s, %(etl_user)s, %(done_by)s, %(address)s, %(detail)s);

-- name: start_session
-- Nothing where the user was removed, or the password changed, since it was looked up.
INSERT INTO etl_sessions (token_digest, etl_user, name, role, expires_at)
SELECT %(token_digest)s, %(etl_user)s, %(name)s, %(role)s, clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE %(etl_user)s::text IS NULL
    OR EXISTS (SELECT FROM etl_users WHERE name = %(etl_user)s AND password_hash = %(password_hash)s)
RETURNING name;

-- name: mark_signed_in
UPDATE etl_users SET signed_in_at = clock_timestamp() WHERE name = %(name)s;

-- name: find_session
-- `is_due`: that it is used is written down once a minute.
SELECT etl_sessions.name, coalesce(etl_users.role, etl_sessions.role) AS role,
    etl_sessions.etl_user IS NULL AS is_foreign, seen_at < clock_timestamp() - interval '1 minute' AS is_due
FROM etl_sessions LEFT JOIN etl_users ON etl_users.name = etl_sessions.etl_user
WHERE token_digest = %(token_digest)s AND expires_at > clock_timestamp()
    AND seen_at > clock_timestamp() - make_interval(secs => %(idle_seconds)s);

-- name: touch_session
UPDATE etl_sessions SET seen_at = clock_timestamp() WHERE token_digest = %(token_digest)s;

-- name: end_session
DELETE FROM etl_sessions WHERE token_digest = %(token_digest)s RETURNING name, etl_user;

-- name: end_old_sessions
DELETE FROM etl_sessions
WHERE expires_at < clock_timestamp() OR seen_at < clock_timestamp() - make_interval(secs => %(idle_seconds)s);

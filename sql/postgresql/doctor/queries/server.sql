-- What `etl doctor` asks of any PostgreSQL. Nothing is written.

-- name: server_facts
-- TimeZone and the limits as a session of this user has them where it sets nothing itself.
SELECT
    current_setting('server_version_num')::integer AS version,
    split_part(current_setting('server_version'), ' ', 1) AS version_name,
    pg_is_in_recovery() AS is_standby,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone') AS time_zone,
    extract(epoch FROM clock_timestamp())::double precision AS seconds,
    current_user AS user_name,
    current_database() AS database_name,
    pg_database_size(current_database()) AS database_bytes,
    has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) AS connections,
    (SELECT coalesce(sum(numbackends), 0)::integer FROM pg_stat_database) AS connections_used,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS connections_of_role,
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS connections_of_database;


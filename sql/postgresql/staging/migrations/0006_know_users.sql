-- Who may use the page: users with hashed passwords, their sessions, and what was done to either.
CREATE TABLE etl_users (
    name                text PRIMARY KEY,
    role                text NOT NULL,
    password_hash       text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    password_changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    signed_in_at        timestamptz,
    CONSTRAINT etl_users_name_check CHECK (name ~ '^[^[:space:][:cntrl:]]{1,200}$'),
    CONSTRAINT etl_users_role_check CHECK (role IN ('viewer', 'operator')),
    CONSTRAINT etl_users_password_hash_check CHECK (password_hash LIKE '$argon2id$%')
);

-- A browser has the token, this table a digest of it. `etl_user`: a user of etl_users; of an OpenID provider's, NULL,
-- and the role stands here.
CREATE TABLE etl_sessions (
    token_digest bytea PRIMARY KEY,
    etl_user     text,
    name         text NOT NULL,
    role         text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT etl_sessions_etl_user_fkey FOREIGN KEY (etl_user) REFERENCES etl_users (name) ON DELETE CASCADE,
    CONSTRAINT etl_sessions_token_digest_check CHECK (length(token_digest) = 32),
    CONSTRAINT etl_sessions_role_check CHECK (
        (etl_user IS NULL) = (role IS NOT NULL) AND (role IS NULL OR role IN ('viewer', 'operator'))
    )
);
CREATE INDEX etl_sessions_etl_user_idx ON etl_sessions (etl_user);

-- `etl_user`: whom it is about; of a name that no user has only that there was one. `done_by`: of changes, who made them.
CREATE TABLE etl_user_events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    event    text NOT NULL,
    etl_user text,
    done_by  text,
    address  text,
    detail   text,
    CONSTRAINT etl_user_events_event_check CHECK (event IN (
        'user_added', 'role_changed', 'password_changed', 'user_removed', 'signed_in', 'sign_in_refused', 'signed_out'
    ))
);
CREATE INDEX etl_user_events_at_idx ON etl_user_events (at);

-- Domain security: who may do what, and the keys and sessions with which they do it. Apply after company.

CREATE TABLE IF NOT EXISTS security_roles (
    role_id integer PRIMARY KEY,
    parent_role_id integer REFERENCES security_roles (role_id),
    code varchar(60) NOT NULL UNIQUE,
    name varchar(120) NOT NULL,
    description text,
    scope varchar(20) NOT NULL CHECK (scope IN ('global', 'company', 'brand')),
    max_session_minutes smallint,
    is_system boolean NOT NULL,
    settings jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS security_permissions (
    permission_id integer PRIMARY KEY,
    code varchar(100) NOT NULL UNIQUE,
    resource varchar(60) NOT NULL,
    action varchar(30) NOT NULL,
    description text,
    risk_level varchar(10) NOT NULL CHECK (risk_level IN ('low', 'medium', 'high', 'critical')),
    requires_mfa boolean NOT NULL,
    is_deprecated boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS security_role_permissions (
    role_id integer NOT NULL REFERENCES security_roles (role_id),
    permission_id integer NOT NULL REFERENCES security_permissions (permission_id),
    granted_by_employee_id bigint REFERENCES company_employees (employee_id),
    is_denied boolean NOT NULL DEFAULT false,
    valid_until date,
    condition jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (role_id, permission_id)
);

CREATE TABLE IF NOT EXISTS security_user_roles (
    user_role_id bigint PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    role_id integer NOT NULL REFERENCES security_roles (role_id),
    brand_id integer REFERENCES brands (brand_id),
    granted_by_employee_id bigint REFERENCES company_employees (employee_id),
    status varchar(20) NOT NULL CHECK (status IN ('pending', 'active', 'suspended', 'revoked')),
    granted_at timestamptz NOT NULL,
    expires_at timestamptz,
    justification text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS security_api_keys (
    api_key_id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    brand_id integer REFERENCES brands (brand_id),
    name varchar(120) NOT NULL,
    key_prefix varchar(12) NOT NULL UNIQUE,
    key_hash bytea NOT NULL,
    status varchar(20) NOT NULL CHECK (status IN ('active', 'expired', 'revoked')),
    scopes text[] NOT NULL,
    allowed_network inet,
    rate_limit_per_minute integer NOT NULL CHECK (rate_limit_per_minute > 0),
    expires_at timestamptz,
    last_used_at timestamptz,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS security_api_key_usage (
    usage_id bigint PRIMARY KEY,
    api_key_id uuid NOT NULL REFERENCES security_api_keys (api_key_id),
    usage_timestamp timestamptz NOT NULL,
    method varchar(10) NOT NULL,
    endpoint text NOT NULL,
    status_code smallint NOT NULL CHECK (status_code BETWEEN 100 AND 599),
    response_ms integer NOT NULL,
    request_bytes bigint,
    response_bytes bigint,
    ip_address inet,
    user_agent text,
    error_code varchar(40),
    query jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS security_user_sessions (
    session_id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    session_start timestamptz NOT NULL,
    session_end timestamptz,
    login_method varchar(30) NOT NULL,
    device_type_id smallint REFERENCES device_types (device_type_id),
    browser_id smallint REFERENCES browsers (browser_id),
    country_id smallint REFERENCES countries (country_id),
    ip_address inet NOT NULL,
    is_mfa_used boolean NOT NULL,
    failed_attempts smallint NOT NULL DEFAULT 0,
    risk_score smallint CHECK (risk_score BETWEEN 0 AND 100),
    token_hash bytea NOT NULL,
    termination_reason varchar(40),
    attributes jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS security_user_roles_updated_at ON security_user_roles (updated_at);
CREATE INDEX IF NOT EXISTS security_api_key_usage_created_at ON security_api_key_usage (created_at);
CREATE INDEX IF NOT EXISTS security_user_sessions_created_at ON security_user_sessions (created_at);

-- Domain audit: what was done, by whom, to which data. Append-only. Apply after security and compliance.

-- session_id and resource_id are kept as logged: what they name may be long gone.
CREATE TABLE IF NOT EXISTS audit_logs (
    audit_log_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_timestamp timestamptz NOT NULL,
    "user" text,
    user_id bigint REFERENCES users (user_id),
    action varchar(40) NOT NULL,
    resource_type varchar(40) NOT NULL,
    resource_id text,
    brand_id integer REFERENCES brands (brand_id),
    outcome varchar(10) NOT NULL CHECK (outcome IN ('success', 'denied', 'failure')),
    request_id uuid NOT NULL,
    session_id uuid,
    ip_address inet,
    user_agent text,
    details jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS audit_data_changes (
    data_change_id bigint PRIMARY KEY,
    audit_log_id bigint REFERENCES audit_logs (audit_log_id),
    change_timestamp timestamptz NOT NULL,
    table_name varchar(63) NOT NULL,
    record_id text NOT NULL,
    operation varchar(10) NOT NULL CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE')),
    changed_columns text[],
    old_values jsonb,
    new_values jsonb,
    changed_by_user_id bigint REFERENCES users (user_id),
    transaction_number bigint NOT NULL,
    application varchar(60),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS audit_data_access (
    data_access_id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    access_timestamp timestamptz NOT NULL,
    table_name varchar(63) NOT NULL,
    column_names text[],
    purpose varchar(60),
    legal_basis varchar(40),
    row_count integer NOT NULL,
    query_hash bytea,
    duration_ms double precision,
    ip_address inet,
    contains_personal_data boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS audit_security_events (
    security_event_id bigint PRIMARY KEY,
    session_id uuid REFERENCES security_user_sessions (session_id),
    user_id bigint REFERENCES users (user_id),
    country_id smallint REFERENCES countries (country_id),
    event_timestamp timestamptz NOT NULL,
    event_type varchar(40) NOT NULL,
    severity varchar(10) NOT NULL,
    description text,
    source_ip inet,
    risk_score real,
    rule_ids integer[],
    indicators jsonb,
    is_resolved boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS audit_data_lineage (
    data_lineage_id bigint PRIMARY KEY,
    parent_lineage_id bigint REFERENCES audit_data_lineage (data_lineage_id),
    run_id uuid NOT NULL,
    job_name varchar(120) NOT NULL,
    source_table varchar(63) NOT NULL,
    source_column varchar(63),
    target_table varchar(63) NOT NULL,
    target_column varchar(63),
    transformation text,
    row_count bigint,
    bytes_processed bigint,
    upstream_tables text[],
    started_at timestamp,
    finished_at timestamp,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS audit_compliance_events (
    compliance_event_id bigint PRIMARY KEY,
    user_id bigint REFERENCES users (user_id),
    request_id bigint REFERENCES compliance_data_subject_requests (request_id),
    policy_id integer REFERENCES compliance_retention_policies (policy_id),
    reviewed_by_employee_id bigint REFERENCES company_employees (employee_id),
    event_timestamp timestamptz NOT NULL,
    regulation varchar(20) NOT NULL,
    event_type varchar(40) NOT NULL,
    severity varchar(10) NOT NULL,
    description text,
    due_date date,
    penalty_eur numeric(14, 2),
    evidence jsonb,
    is_violation boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS audit_logs_created_at ON audit_logs (created_at);
CREATE INDEX IF NOT EXISTS audit_data_changes_created_at ON audit_data_changes (created_at);
CREATE INDEX IF NOT EXISTS audit_data_access_created_at ON audit_data_access (created_at);
CREATE INDEX IF NOT EXISTS audit_security_events_created_at ON audit_security_events (created_at);
CREATE INDEX IF NOT EXISTS audit_data_lineage_created_at ON audit_data_lineage (created_at);
CREATE INDEX IF NOT EXISTS audit_compliance_events_created_at ON audit_compliance_events (created_at);

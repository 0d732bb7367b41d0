-- Domain compliance: consent, requests of data subjects, retention and incidents. Apply after company.

CREATE TABLE IF NOT EXISTS compliance_user_consent (
    consent_id bigint PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    consent_type varchar(40) NOT NULL,
    legal_basis varchar(40) NOT NULL,
    policy_version varchar(20) NOT NULL,
    is_granted boolean NOT NULL,
    purposes text[],
    vendor_ids integer[],
    channel varchar(20),
    ip_address inet,
    user_agent text,
    consent_string text,
    proof jsonb,
    granted_at timestamptz,
    withdrawn_at timestamptz,
    expires_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS compliance_data_subject_requests (
    request_id bigint PRIMARY KEY,
    user_id bigint REFERENCES users (user_id),
    country_id smallint REFERENCES countries (country_id),
    handled_by_employee_id bigint REFERENCES company_employees (employee_id),
    request_type varchar(20) NOT NULL
        CHECK (request_type IN ('access', 'erasure', 'rectification', 'portability', 'objection', 'restriction')),
    status varchar(20) NOT NULL CHECK (status IN ('received', 'verifying', 'in_progress', 'completed', 'rejected')),
    requester_name varchar(160),
    requester_email varchar(254) NOT NULL,
    identity_document bytea,
    received_at timestamptz NOT NULL,
    due_date date NOT NULL,
    completed_at timestamptz,
    notes text,
    response jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS compliance_retention_policies (
    policy_id integer PRIMARY KEY,
    owner_employee_id bigint REFERENCES company_employees (employee_id),
    code varchar(60) NOT NULL UNIQUE,
    name varchar(160) NOT NULL,
    table_name varchar(63) NOT NULL,
    retention_days integer NOT NULL CHECK (retention_days > 0),
    action varchar(20) NOT NULL CHECK (action IN ('delete', 'anonymize', 'archive')),
    legal_basis text,
    jurisdictions text[],
    conditions jsonb,
    effective_from date NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS compliance_retention_executions (
    execution_id bigint PRIMARY KEY,
    policy_id integer NOT NULL REFERENCES compliance_retention_policies (policy_id),
    execution_timestamp timestamptz NOT NULL,
    cutoff_date date NOT NULL,
    status varchar(20) NOT NULL,
    rows_examined bigint NOT NULL,
    rows_affected bigint NOT NULL,
    duration_seconds double precision,
    partitions text[],
    error_message text,
    is_dry_run boolean NOT NULL,
    detail jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS compliance_anonymized_data (
    anonymized_data_id bigint PRIMARY KEY,
    request_id bigint REFERENCES compliance_data_subject_requests (request_id),
    execution_id bigint REFERENCES compliance_retention_executions (execution_id),
    source_table varchar(63) NOT NULL,
    record_id text NOT NULL,
    method varchar(30) NOT NULL,
    fields text[] NOT NULL,
    pseudonym uuid NOT NULL,
    salt bytea,
    anonymity_group_size smallint,
    is_reversible boolean NOT NULL,
    anonymized_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS compliance_privacy_assessments (
    assessment_id integer PRIMARY KEY,
    brand_id integer REFERENCES brands (brand_id),
    assessor_employee_id bigint REFERENCES company_employees (employee_id),
    title text NOT NULL,
    assessment_type varchar(20) NOT NULL CHECK (assessment_type IN ('dpia', 'lia', 'tia', 'vendor')),
    status varchar(20) NOT NULL CHECK (status IN ('draft', 'in_review', 'approved', 'rejected')),
    risk_level varchar(10) NOT NULL,
    risk_score numeric(4, 2) CHECK (risk_score BETWEEN 0 AND 10),
    data_categories text[],
    findings jsonb,
    mitigation text,
    started_on date NOT NULL,
    completed_on date,
    next_review_date date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS compliance_breach_incidents (
    incident_id integer PRIMARY KEY,
    company_id integer NOT NULL REFERENCES companies (company_id),
    reported_by_employee_id bigint REFERENCES company_employees (employee_id),
    title text NOT NULL,
    severity varchar(10) NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    status varchar(20) NOT NULL CHECK (status IN ('detected', 'contained', 'reported', 'closed')),
    occurred_at timestamp,
    detected_at timestamptz NOT NULL,
    notification_deadline timestamptz NOT NULL,
    reported_at timestamptz,
    affected_users integer,
    attacker_ip inet,
    data_types text[],
    root_cause text,
    estimated_cost_eur numeric(14, 2),
    timeline jsonb,
    is_authority_notified boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS compliance_user_consent_updated_at ON compliance_user_consent (updated_at);
CREATE INDEX IF NOT EXISTS compliance_data_subject_requests_updated_at
    ON compliance_data_subject_requests (updated_at);
CREATE INDEX IF NOT EXISTS compliance_retention_executions_created_at ON compliance_retention_executions (created_at);
CREATE INDEX IF NOT EXISTS compliance_anonymized_data_created_at ON compliance_anonymized_data (created_at);
CREATE INDEX IF NOT EXISTS compliance_privacy_assessments_updated_at ON compliance_privacy_assessments (updated_at);
CREATE INDEX IF NOT EXISTS compliance_breach_incidents_updated_at ON compliance_breach_incidents (updated_at);

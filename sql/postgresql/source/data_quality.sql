-- Domain data_quality: rules, their checks, and what they found. Apply after company.

CREATE TABLE IF NOT EXISTS data_quality_rules (
    rule_id integer PRIMARY KEY,
    code varchar(80) NOT NULL UNIQUE,
    table_name varchar(63) NOT NULL,
    column_name varchar(63),
    rule_type varchar(20) NOT NULL
        CHECK (rule_type IN ('not_null', 'unique', 'range', 'pattern', 'reference', 'freshness', 'volume')),
    expression text NOT NULL,
    severity varchar(10) NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    threshold numeric(7, 4),
    owner_employee_id bigint REFERENCES company_employees (employee_id),
    dimensions text[],
    parameters jsonb,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS data_quality_checks (
    check_id bigint PRIMARY KEY,
    rule_id integer NOT NULL REFERENCES data_quality_rules (rule_id),
    run_id uuid NOT NULL,
    check_timestamp timestamptz NOT NULL,
    status varchar(10) NOT NULL CHECK (status IN ('passed', 'failed', 'error', 'skipped')),
    rows_checked bigint NOT NULL,
    rows_failed bigint NOT NULL,
    score numeric(5, 2) CHECK (score BETWEEN 0 AND 100),
    duration_ms integer,
    sample_keys text[],
    details jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS data_quality_metrics (
    metric_id bigint PRIMARY KEY,
    check_id bigint REFERENCES data_quality_checks (check_id),
    table_name varchar(63) NOT NULL,
    column_name varchar(63),
    metric_name varchar(60) NOT NULL,
    check_timestamp timestamptz NOT NULL,
    metric_value double precision,
    previous_value double precision,
    change_percent real,
    histogram integer[],
    tags jsonb,
    is_anomaly boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS data_quality_alerts (
    alert_id bigint PRIMARY KEY,
    check_id bigint NOT NULL REFERENCES data_quality_checks (check_id),
    rule_id integer NOT NULL REFERENCES data_quality_rules (rule_id),
    acknowledged_by_employee_id bigint REFERENCES company_employees (employee_id),
    alert_timestamp timestamptz NOT NULL,
    severity varchar(10) NOT NULL,
    status varchar(20) NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved', 'muted')),
    title text NOT NULL,
    message text,
    channels text[],
    escalation_level smallint NOT NULL,
    acknowledged_at timestamptz,
    resolved_at timestamptz,
    payload jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- check_id outlives the checks, which are pruned: no foreign key.
CREATE TABLE IF NOT EXISTS data_validation_results (
    validation_result_id bigint PRIMARY KEY,
    rule_id integer NOT NULL REFERENCES data_quality_rules (rule_id),
    check_id bigint,
    validation_timestamp timestamptz NOT NULL,
    table_name varchar(63) NOT NULL,
    column_name varchar(63),
    record_key text NOT NULL,
    expected_value text,
    actual_value text,
    error_code varchar(40),
    is_valid boolean NOT NULL,
    detail jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS data_quality_checks_updated_at ON data_quality_checks (updated_at);
CREATE INDEX IF NOT EXISTS data_quality_metrics_updated_at ON data_quality_metrics (updated_at);
CREATE INDEX IF NOT EXISTS data_quality_alerts_updated_at ON data_quality_alerts (updated_at);
CREATE INDEX IF NOT EXISTS data_validation_results_created_at ON data_validation_results (created_at);

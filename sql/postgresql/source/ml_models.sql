-- Domain ml_models: the models, what they were trained on, what they said and how well. Apply after company.

CREATE TABLE IF NOT EXISTS ml_model_registry (
    model_id integer PRIMARY KEY,
    parent_model_id integer REFERENCES ml_model_registry (model_id),
    name varchar(120) NOT NULL,
    version varchar(20) NOT NULL,
    model_type varchar(30) NOT NULL
        CHECK (model_type IN ('classification', 'regression', 'ranking', 'clustering', 'forecast', 'embedding')),
    framework varchar(30) NOT NULL,
    stage varchar(20) NOT NULL CHECK (stage IN ('development', 'staging', 'production', 'archived')),
    owner_employee_id bigint REFERENCES company_employees (employee_id),
    artifact_uri text NOT NULL,
    artifact_sha256 bytea,
    size_bytes bigint,
    hyperparameters jsonb NOT NULL,
    metrics jsonb,
    tags text[],
    trained_at timestamptz,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, version)
);

CREATE TABLE IF NOT EXISTS ml_model_features (
    feature_id integer PRIMARY KEY,
    model_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    name varchar(120) NOT NULL,
    "dataType" varchar(30) NOT NULL,
    importance double precision CHECK (importance >= 0),
    source_table varchar(63),
    source_column varchar(63),
    transformation text,
    null_rate real,
    minimum_value double precision,
    maximum_value double precision,
    allowed_values text[],
    histogram integer[],
    is_personal_data boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_id, name)
);

CREATE TABLE IF NOT EXISTS ml_model_training_runs (
    training_run_id uuid PRIMARY KEY,
    model_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    triggered_by_employee_id bigint REFERENCES company_employees (employee_id),
    status varchar(20) NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    started_at timestamptz,
    finished_at timestamptz,
    rows_trained bigint,
    epochs smallint,
    accuracy double precision,
    f1_score double precision,
    loss double precision,
    gpu_hours real,
    cost_eur numeric(10, 4),
    random_seeds integer[],
    hyperparameters jsonb NOT NULL,
    git_commit varchar(40),
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- user_id and article_id are what the caller sent with the request; the service checks neither.
CREATE TABLE IF NOT EXISTS ml_model_predictions (
    prediction_id uuid PRIMARY KEY,
    model_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    request_id uuid NOT NULL,
    user_id bigint,
    article_id bigint,
    prediction_timestamp timestamptz NOT NULL,
    score double precision NOT NULL,
    label varchar(40),
    probabilities jsonb,
    features jsonb,
    latency_ms real,
    is_fallback boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS ml_model_monitoring (
    monitoring_id bigint PRIMARY KEY,
    model_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    check_timestamp timestamptz NOT NULL,
    metric_name varchar(60) NOT NULL,
    metric_value double precision,
    threshold double precision,
    drift numeric(8, 6),
    status varchar(20) NOT NULL CHECK (status IN ('ok', 'warning', 'critical', 'unknown')),
    sample_size integer,
    window_start timestamp NOT NULL,
    window_end timestamp NOT NULL,
    details jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (window_end > window_start)
);

CREATE TABLE IF NOT EXISTS ml_model_ab_tests (
    ab_test_id integer PRIMARY KEY,
    name varchar(160) NOT NULL,
    model_a_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    model_b_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    winner_model_id integer REFERENCES ml_model_registry (model_id),
    brand_id integer REFERENCES brands (brand_id),
    status varchar(20) NOT NULL CHECK (status IN ('planned', 'running', 'stopped', 'concluded')),
    hypothesis text,
    primary_metric varchar(60) NOT NULL,
    traffic_percent smallint NOT NULL CHECK (traffic_percent BETWEEN 0 AND 100),
    starts_on date NOT NULL,
    ends_on date,
    p_value double precision,
    segment_ids integer[],
    results jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (model_a_id <> model_b_id)
);

CREATE INDEX IF NOT EXISTS ml_model_training_runs_updated_at ON ml_model_training_runs (updated_at);
CREATE INDEX IF NOT EXISTS ml_model_predictions_created_at ON ml_model_predictions (created_at);
CREATE INDEX IF NOT EXISTS ml_model_monitoring_updated_at ON ml_model_monitoring (updated_at);
CREATE INDEX IF NOT EXISTS ml_model_ab_tests_updated_at ON ml_model_ab_tests (updated_at);

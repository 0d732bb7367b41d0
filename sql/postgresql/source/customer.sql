-- Domain customer: what readers do, and what is concluded from it. Apply after editorial and ml_models.

CREATE TABLE IF NOT EXISTS customer_sessions (
    session_id uuid PRIMARY KEY,
    user_id bigint REFERENCES users (user_id),
    anonymous_id uuid NOT NULL,
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    device_type_id smallint REFERENCES device_types (device_type_id),
    operating_system_id smallint REFERENCES operating_systems (operating_system_id),
    browser_id smallint REFERENCES browsers (browser_id),
    country_id smallint REFERENCES countries (country_id),
    session_start timestamptz NOT NULL,
    session_end timestamptz,
    page_views integer NOT NULL CHECK (page_views >= 0),
    landing_page text,
    exit_page text,
    referrer text,
    campaign jsonb,
    ip_address inet,
    experiment_ids integer[],
    is_logged_in boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The tracker names articles and users itself and knows nothing of deletions: neither is a foreign key.
CREATE TABLE IF NOT EXISTS customer_events (
    event_id uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES customer_sessions (session_id),
    user_id bigint,
    article_id bigint,
    event_type varchar(40) NOT NULL,
    event_date date NOT NULL,
    event_timestamp timestamptz NOT NULL,
    client_time timestamp,
    page_url text,
    duration_ms integer,
    scroll_depth real,
    revenue_eur numeric(10, 4),
    properties jsonb,
    is_bot boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS customer_user_features (
    user_id bigint NOT NULL REFERENCES users (user_id),
    feature_date date NOT NULL,
    sessions_7d integer NOT NULL,
    sessions_30d integer NOT NULL,
    articles_read_30d integer NOT NULL,
    average_session_seconds double precision,
    days_since_last_visit smallint,
    favourite_category_id integer REFERENCES categories (category_id),
    reading_hours integer[],
    top_topics text[],
    category_shares jsonb,
    engagement_score real,
    lifetime_value_eur numeric(12, 4),
    is_subscriber boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, feature_date)
);

CREATE TABLE IF NOT EXISTS customer_user_segments (
    segment_id integer PRIMARY KEY,
    brand_id integer REFERENCES brands (brand_id),
    created_by_employee_id bigint REFERENCES company_employees (employee_id),
    code varchar(60) NOT NULL UNIQUE,
    name varchar(120) NOT NULL,
    description text,
    rule jsonb NOT NULL,
    priority smallint NOT NULL,
    estimated_size integer,
    tags text[],
    valid_from date,
    valid_until date,
    is_dynamic boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS customer_user_segment_assignments (
    assignment_id bigint PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    segment_id integer NOT NULL REFERENCES customer_user_segments (segment_id),
    model_id integer REFERENCES ml_model_registry (model_id),
    source varchar(20) NOT NULL CHECK (source IN ('rule', 'model', 'manual', 'import')),
    score real CHECK (score BETWEEN 0 AND 1),
    assigned_at timestamptz NOT NULL,
    expires_at timestamptz,
    reason jsonb,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS customer_churn_predictions (
    user_id bigint NOT NULL REFERENCES users (user_id),
    prediction_date date NOT NULL,
    model_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    churn_probability double precision NOT NULL CHECK (churn_probability BETWEEN 0 AND 1),
    confidence real,
    days_to_churn smallint,
    recommended_action varchar(40),
    features_used text[],
    risk_factors jsonb,
    has_churned boolean,
    scored_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, prediction_date)
);

CREATE TABLE IF NOT EXISTS customer_recommendations (
    recommendation_id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (user_id),
    article_id bigint NOT NULL REFERENCES editorial_articles (article_id),
    model_id integer REFERENCES ml_model_registry (model_id),
    rank smallint NOT NULL CHECK (rank > 0),
    score numeric(9, 8) NOT NULL,
    reason varchar(40),
    placement varchar(30) NOT NULL,
    candidate_ids integer[],
    context jsonb,
    shown_at timestamptz,
    clicked_at timestamptz,
    is_dismissed boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS customer_conversion_predictions (
    user_id bigint NOT NULL REFERENCES users (user_id),
    prediction_date date NOT NULL,
    model_id integer NOT NULL REFERENCES ml_model_registry (model_id),
    conversion_probability numeric(7, 6) NOT NULL CHECK (conversion_probability BETWEEN 0 AND 1),
    predicted_value_eur numeric(10, 2) NOT NULL,
    expected_revenue_eur numeric(12, 4)
        GENERATED ALWAYS AS (round(conversion_probability * predicted_value_eur, 4)) STORED,
    offer_code varchar(30),
    offer_valid_until date,
    channel varchar(20) NOT NULL,
    drivers jsonb,
    converted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, prediction_date)
);

CREATE INDEX IF NOT EXISTS customer_sessions_created_at ON customer_sessions (created_at);
CREATE INDEX IF NOT EXISTS customer_events_created_at ON customer_events (created_at);
CREATE INDEX IF NOT EXISTS customer_user_features_updated_at ON customer_user_features (updated_at);
CREATE INDEX IF NOT EXISTS customer_user_segment_assignments_updated_at
    ON customer_user_segment_assignments (updated_at);
CREATE INDEX IF NOT EXISTS customer_churn_predictions_updated_at ON customer_churn_predictions (updated_at);
CREATE INDEX IF NOT EXISTS customer_recommendations_updated_at ON customer_recommendations (updated_at);
CREATE INDEX IF NOT EXISTS customer_conversion_predictions_updated_at ON customer_conversion_predictions (updated_at);

-- Domain configuration: feature flags and settings, with their histories. Apply after company.

CREATE TABLE IF NOT EXISTS configuration_feature_flags (
    feature_flag_id integer PRIMARY KEY,
    parent_flag_id integer REFERENCES configuration_feature_flags (feature_flag_id),
    brand_id integer REFERENCES brands (brand_id),
    owner_employee_id bigint REFERENCES company_employees (employee_id),
    flag_key varchar(80) NOT NULL,
    environment varchar(20) NOT NULL CHECK (environment IN ('development', 'staging', 'production')),
    description text,
    is_enabled boolean NOT NULL,
    rollout_percent smallint NOT NULL CHECK (rollout_percent BETWEEN 0 AND 100),
    variants text[],
    segment_ids integer[],
    targeting jsonb,
    expires_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (flag_key, environment)
);

CREATE TABLE IF NOT EXISTS configuration_feature_flag_history (
    history_id bigint PRIMARY KEY,
    feature_flag_id integer NOT NULL REFERENCES configuration_feature_flags (feature_flag_id),
    changed_by_employee_id bigint REFERENCES company_employees (employee_id),
    changed_at timestamptz NOT NULL,
    change_type varchar(20) NOT NULL,
    old_value jsonb,
    new_value jsonb,
    reason text,
    request_id uuid,
    ip_address inet,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS configuration_system_settings (
    system_setting_id integer PRIMARY KEY,
    brand_id integer REFERENCES brands (brand_id),
    "settingKey" varchar(120) NOT NULL UNIQUE,
    "group" varchar(40) NOT NULL,
    value jsonb NOT NULL,
    default_value jsonb,
    value_type varchar(10) NOT NULL CHECK (value_type IN ('string', 'integer', 'number', 'boolean', 'object', 'array')),
    minimum_value numeric(18, 6),
    maximum_value numeric(18, 6),
    allowed_values text[],
    encrypted_value bytea,
    description text,
    is_secret boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS configuration_system_settings_history (
    history_id bigint PRIMARY KEY,
    system_setting_id integer NOT NULL REFERENCES configuration_system_settings (system_setting_id),
    changed_by_employee_id bigint REFERENCES company_employees (employee_id),
    changed_at timestamptz NOT NULL,
    change_type varchar(20) NOT NULL,
    old_value jsonb,
    new_value jsonb,
    reason text,
    source_address inet,
    is_rollback boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS configuration_feature_flag_history_created_at
    ON configuration_feature_flag_history (created_at);
CREATE INDEX IF NOT EXISTS configuration_system_settings_history_created_at
    ON configuration_system_settings_history (created_at);

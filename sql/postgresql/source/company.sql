-- Domain company: departments, employees and what they tell each other.
-- Apply after base. Departments and employees point at each other, and companies at their data protection officer:
-- both cycles are closed at the end of this file, on the nullable side.

CREATE TABLE IF NOT EXISTS company_departments (
    department_id integer PRIMARY KEY,
    company_id integer NOT NULL REFERENCES companies (company_id),
    parent_department_id integer REFERENCES company_departments (department_id),
    head_employee_id bigint,
    code varchar(20) NOT NULL,
    name varchar(120) NOT NULL,
    city_id integer REFERENCES cities (city_id),
    cost_center varchar(20),
    budget_eur numeric(14, 2) CHECK (budget_eur >= 0),
    headcount smallint,
    floor_numbers integer[],
    email varchar(254),
    established_on date,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (company_id, code)
);

CREATE TABLE IF NOT EXISTS company_employees (
    employee_id bigint PRIMARY KEY,
    company_id integer NOT NULL REFERENCES companies (company_id),
    department_id integer NOT NULL REFERENCES company_departments (department_id),
    manager_id bigint REFERENCES company_employees (employee_id),
    employee_number varchar(20) NOT NULL,
    first_name varchar(80) NOT NULL,
    last_name varchar(80) NOT NULL,
    work_email varchar(254) NOT NULL UNIQUE,
    phone varchar(32),
    birth_date date,
    job_title varchar(120) NOT NULL,
    employment_type varchar(20) NOT NULL
        CHECK (employment_type IN ('full_time', 'part_time', 'freelance', 'trainee', 'intern')),
    hire_date date NOT NULL,
    termination_date date,
    salary_eur numeric(10, 2) CHECK (salary_eur >= 0),
    weekly_hours real,
    office_city_id integer REFERENCES cities (city_id),
    skills text[],
    emergency_contact jsonb,
    badge_uid bytea,
    is_remote boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (company_id, employee_number)
);

CREATE TABLE IF NOT EXISTS company_internal_content (
    content_id bigint PRIMARY KEY,
    company_id integer NOT NULL REFERENCES companies (company_id),
    department_id integer REFERENCES company_departments (department_id),
    author_employee_id bigint NOT NULL REFERENCES company_employees (employee_id),
    title text NOT NULL,
    body text,
    content_type varchar(20) NOT NULL
        CHECK (content_type IN ('announcement', 'policy', 'newsletter', 'training', 'event', 'survey')),
    status varchar(20) NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
    language varchar(5) NOT NULL,
    audience text[],
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 5),
    requires_acknowledgement boolean NOT NULL,
    attachments jsonb,
    published_at timestamptz,
    expires_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS company_content_performance (
    content_id bigint NOT NULL REFERENCES company_internal_content (content_id),
    date date NOT NULL,
    views integer NOT NULL CHECK (views >= 0),
    unique_readers integer NOT NULL,
    acknowledgements integer NOT NULL,
    comments integer NOT NULL,
    shares smallint NOT NULL,
    read_rate numeric(5, 4) CHECK (read_rate BETWEEN 0 AND 1),
    average_read_seconds real,
    views_by_hour integer[],
    reactions jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (content_id, date)
);

CREATE TABLE IF NOT EXISTS company_department_performance (
    department_id integer NOT NULL REFERENCES company_departments (department_id),
    date date NOT NULL,
    active_employees smallint NOT NULL,
    content_published smallint NOT NULL,
    tasks_completed integer NOT NULL,
    tickets_open integer NOT NULL,
    average_engagement double precision,
    overtime_hours numeric(8, 2),
    absence_rate real,
    budget_spent_eur numeric(14, 2),
    kpis jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (department_id, date)
);

-- employee_id comes from the intranet's tracker and is not checked against the personnel file.
CREATE TABLE IF NOT EXISTS company_content_events (
    event_id uuid PRIMARY KEY,
    content_id bigint NOT NULL REFERENCES company_internal_content (content_id),
    employee_id bigint,
    event_type varchar(40) NOT NULL,
    event_date date NOT NULL,
    event_timestamp timestamptz NOT NULL,
    device_type_id smallint REFERENCES device_types (device_type_id),
    duration_seconds integer CHECK (duration_seconds >= 0),
    rating smallint,
    comment_text text,
    ip_address inet,
    properties jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS company_employee_engagement (
    employee_id bigint NOT NULL REFERENCES company_employees (employee_id),
    date date NOT NULL,
    logins smallint NOT NULL,
    content_views integer NOT NULL,
    reactions integer NOT NULL,
    comments integer NOT NULL,
    active_minutes integer NOT NULL,
    mood smallint CHECK (mood BETWEEN 1 AND 5),
    engagement_score real,
    channels text[],
    detail jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (employee_id, date)
);

CREATE TABLE IF NOT EXISTS company_communications_analytics (
    company_id integer NOT NULL REFERENCES companies (company_id),
    channel varchar(30) NOT NULL,
    date date NOT NULL,
    messages_sent integer NOT NULL,
    delivered integer NOT NULL,
    opened integer NOT NULL,
    clicked integer NOT NULL,
    bounced integer NOT NULL,
    unsubscribes integer NOT NULL,
    open_rate numeric(5, 4) CHECK (open_rate BETWEEN 0 AND 1),
    average_response_minutes double precision,
    peak_hours integer[],
    languages jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, channel, date)
);

CREATE INDEX IF NOT EXISTS company_internal_content_updated_at ON company_internal_content (updated_at);
CREATE INDEX IF NOT EXISTS company_content_performance_updated_at ON company_content_performance (updated_at);
CREATE INDEX IF NOT EXISTS company_department_performance_updated_at ON company_department_performance (updated_at);
CREATE INDEX IF NOT EXISTS company_content_events_created_at ON company_content_events (created_at);
CREATE INDEX IF NOT EXISTS company_employee_engagement_updated_at ON company_employee_engagement (updated_at);
CREATE INDEX IF NOT EXISTS company_communications_analytics_updated_at ON company_communications_analytics (updated_at);

ALTER TABLE company_departments ADD CONSTRAINT company_departments_head_employee_id_fkey
    FOREIGN KEY (head_employee_id) REFERENCES company_employees (employee_id);
ALTER TABLE companies ADD CONSTRAINT companies_data_protection_officer_id_fkey
    FOREIGN KEY (data_protection_officer_id) REFERENCES company_employees (employee_id);

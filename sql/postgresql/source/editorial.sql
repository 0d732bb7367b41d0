-- Domain editorial: authors, articles in all their versions, pictures, and how they fared. Apply after company.

CREATE TABLE IF NOT EXISTS editorial_authors (
    author_id integer PRIMARY KEY,
    employee_id bigint REFERENCES company_employees (employee_id),
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    full_name varchar(160) NOT NULL,
    pen_name varchar(160),
    slug varchar(120) NOT NULL UNIQUE,
    email varchar(254),
    biography text,
    languages text[] NOT NULL,
    specialty_category_ids integer[],
    social_profiles jsonb,
    fee_per_article_eur numeric(8, 2),
    rating real CHECK (rating BETWEEN 0 AND 5),
    joined_on date,
    is_freelance boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_articles (
    article_id bigint PRIMARY KEY,
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    category_id integer NOT NULL REFERENCES categories (category_id),
    author_id integer NOT NULL REFERENCES editorial_authors (author_id),
    related_article_id bigint REFERENCES editorial_articles (article_id),
    location_city_id integer REFERENCES cities (city_id),
    title text NOT NULL,
    subtitle text,
    body text,
    language varchar(5) NOT NULL,
    article_type varchar(30) NOT NULL,
    status varchar(20) NOT NULL CHECK (status IN ('draft', 'review', 'scheduled', 'published', 'archived')),
    word_count integer CHECK (word_count >= 0),
    is_premium boolean NOT NULL,
    is_breaking boolean NOT NULL,
    tags text[],
    co_author_ids integer[],
    source_agency varchar(40),
    canonical_url text,
    seo jsonb,
    published_at timestamptz,
    embargo_until timestamp,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_article_performance (
    article_id bigint NOT NULL REFERENCES editorial_articles (article_id),
    date date NOT NULL,
    page_views integer NOT NULL CHECK (page_views >= 0),
    unique_visitors integer NOT NULL,
    average_seconds_on_page double precision,
    average_scroll_depth real,
    bounce_rate numeric(5, 4) CHECK (bounce_rate BETWEEN 0 AND 1),
    shares integer NOT NULL,
    comments integer NOT NULL,
    conversions smallint NOT NULL,
    revenue_eur numeric(12, 2) NOT NULL,
    views_by_hour integer[],
    referrers jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (article_id, date)
);

CREATE TABLE IF NOT EXISTS editorial_author_performance (
    author_id integer NOT NULL REFERENCES editorial_authors (author_id),
    date date NOT NULL,
    articles_published smallint NOT NULL,
    page_views bigint NOT NULL,
    unique_visitors bigint NOT NULL,
    average_seconds_on_page double precision,
    comments integer NOT NULL,
    conversions integer NOT NULL,
    revenue_eur numeric(12, 2) NOT NULL,
    engagement_score real,
    top_article_id bigint REFERENCES editorial_articles (article_id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (author_id, date)
);

CREATE TABLE IF NOT EXISTS editorial_category_performance (
    category_id integer NOT NULL REFERENCES categories (category_id),
    date date NOT NULL,
    articles_published integer NOT NULL,
    page_views bigint NOT NULL,
    unique_visitors bigint NOT NULL,
    average_seconds_on_page double precision,
    bounce_rate numeric(5, 4),
    ad_impressions bigint NOT NULL,
    revenue_eur numeric(14, 2) NOT NULL,
    share_of_traffic real,
    views_by_device jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (category_id, date)
);

-- article_id is what the content system logged, also for articles deleted since: no foreign key.
CREATE TABLE IF NOT EXISTS editorial_content_events (
    event_id uuid PRIMARY KEY,
    article_id bigint,
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    actor_employee_id bigint REFERENCES company_employees (employee_id),
    event_type varchar(40) NOT NULL,
    event_date date NOT NULL,
    event_timestamp timestamptz NOT NULL,
    tool varchar(40),
    duration_seconds integer,
    note text,
    ip_address inet,
    changes jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_headline_tests (
    headline_test_id integer PRIMARY KEY,
    article_id bigint NOT NULL REFERENCES editorial_articles (article_id),
    created_by_author_id integer REFERENCES editorial_authors (author_id),
    headline_a text NOT NULL,
    headline_b text NOT NULL,
    status varchar(20) NOT NULL CHECK (status IN ('planned', 'running', 'finished', 'aborted')),
    started_at timestamptz,
    ended_at timestamptz,
    impressions_a integer NOT NULL,
    impressions_b integer NOT NULL,
    clicks_a integer NOT NULL,
    clicks_b integer NOT NULL,
    winner varchar(1) CHECK (winner IN ('A', 'B')),
    significance double precision,
    traffic_split integer[] NOT NULL,
    settings jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_trending_topics (
    topic varchar(160) NOT NULL,
    date date NOT NULL,
    language varchar(5) NOT NULL,
    category_id integer REFERENCES categories (category_id),
    rank smallint NOT NULL CHECK (rank > 0),
    mentions integer NOT NULL,
    velocity real,
    sentiment numeric(4, 3) CHECK (sentiment BETWEEN -1 AND 1),
    related_topics text[],
    mentions_by_hour integer[],
    sources jsonb,
    is_breaking boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, date)
);

CREATE TABLE IF NOT EXISTS editorial_content_recommendations (
    recommendation_id bigint PRIMARY KEY,
    article_id bigint NOT NULL REFERENCES editorial_articles (article_id),
    recommended_article_id bigint NOT NULL REFERENCES editorial_articles (article_id),
    algorithm varchar(30) NOT NULL CHECK (algorithm IN ('similarity', 'collaborative', 'trending', 'editorial', 'hybrid')),
    similarity double precision,
    rank smallint NOT NULL,
    placement varchar(30) NOT NULL,
    impressions integer NOT NULL,
    clicks integer NOT NULL,
    is_editorial_override boolean NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    explanation jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (article_id <> recommended_article_id)
);

CREATE TABLE IF NOT EXISTS editorial_article_content (
    content_id uuid PRIMARY KEY,
    article_id bigint NOT NULL REFERENCES editorial_articles (article_id),
    language varchar(5) NOT NULL,
    revision integer NOT NULL CHECK (revision > 0),
    body text NOT NULL,
    body_format varchar(10) NOT NULL CHECK (body_format IN ('html', 'markdown', 'plain')),
    character_count integer GENERATED ALWAYS AS (char_length(body)) STORED,
    summary text,
    content_hash bytea NOT NULL,
    keywords text[],
    readability real,
    structure jsonb,
    is_current boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_content_versions (
    version_id bigint PRIMARY KEY,
    content_id uuid NOT NULL REFERENCES editorial_article_content (content_id),
    previous_version_id bigint REFERENCES editorial_content_versions (version_id),
    edited_by_author_id integer REFERENCES editorial_authors (author_id),
    version_number integer NOT NULL,
    change_summary text,
    word_delta integer,
    diff jsonb,
    compressed_body bytea,
    is_major boolean NOT NULL,
    edited_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_media_assets (
    asset_id bigint PRIMARY KEY,
    uploaded_by_employee_id bigint REFERENCES company_employees (employee_id),
    asset_type varchar(20) NOT NULL CHECK (asset_type IN ('image', 'video', 'audio', 'graphic', 'document')),
    file_name varchar(255) NOT NULL,
    mime_type varchar(100) NOT NULL,
    file_size_bytes bigint NOT NULL CHECK (file_size_bytes > 0),
    width integer,
    height integer,
    megapixels numeric(8, 2) GENERATED ALWAYS AS (round(width::numeric * height::numeric / 1000000, 2)) STORED,
    duration_seconds numeric(9, 3),
    checksum bytea NOT NULL,
    storage_url text NOT NULL,
    copyright_holder varchar(160),
    license varchar(40),
    alt_text text,
    captions jsonb,
    exif jsonb,
    tags text[],
    taken_on date,
    license_expires_on date,
    is_ai_generated boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_media_variants (
    variant_id bigint PRIMARY KEY,
    asset_id bigint NOT NULL REFERENCES editorial_media_assets (asset_id),
    variant_name varchar(30) NOT NULL,
    format varchar(10) NOT NULL,
    width integer,
    height integer,
    file_size_bytes bigint NOT NULL,
    quality smallint CHECK (quality BETWEEN 1 AND 100),
    storage_url text NOT NULL,
    checksum bytea,
    is_default boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (asset_id, variant_name)
);

CREATE TABLE IF NOT EXISTS editorial_content_media (
    content_media_id bigint PRIMARY KEY,
    content_id uuid NOT NULL REFERENCES editorial_article_content (content_id),
    asset_id bigint NOT NULL REFERENCES editorial_media_assets (asset_id),
    variant_id bigint REFERENCES editorial_media_variants (variant_id),
    role varchar(20) NOT NULL CHECK (role IN ('lead', 'inline', 'gallery', 'thumbnail', 'background')),
    position smallint NOT NULL,
    caption_override text,
    crop_box integer[],
    focal_point jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS editorial_media_collections (
    collection_id integer PRIMARY KEY,
    parent_collection_id integer REFERENCES editorial_media_collections (collection_id),
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    curator_employee_id bigint REFERENCES company_employees (employee_id),
    cover_asset_id bigint REFERENCES editorial_media_assets (asset_id),
    name varchar(160) NOT NULL,
    slug varchar(120) NOT NULL,
    description text,
    collection_type varchar(20) NOT NULL CHECK (collection_type IN ('gallery', 'series', 'archive', 'campaign')),
    tags text[],
    valid_from date,
    valid_until date,
    is_public boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (brand_id, slug)
);

CREATE TABLE IF NOT EXISTS editorial_media_collection_items (
    collection_item_id bigint PRIMARY KEY,
    collection_id integer NOT NULL REFERENCES editorial_media_collections (collection_id),
    asset_id bigint NOT NULL REFERENCES editorial_media_assets (asset_id),
    added_by_employee_id bigint REFERENCES company_employees (employee_id),
    "order" integer NOT NULL,
    note text,
    weight real,
    starts_on date,
    ends_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, "order")
);

-- article_id is reported by partner sites too, who use ids of their own: no foreign key.
CREATE TABLE IF NOT EXISTS editorial_media_usage (
    usage_id uuid PRIMARY KEY,
    asset_id bigint NOT NULL REFERENCES editorial_media_assets (asset_id),
    variant_id bigint REFERENCES editorial_media_variants (variant_id),
    article_id bigint,
    brand_id integer NOT NULL REFERENCES brands (brand_id),
    country_id smallint REFERENCES countries (country_id),
    usage_type varchar(30) NOT NULL,
    usage_timestamp timestamptz NOT NULL,
    channel varchar(30),
    impressions integer NOT NULL,
    bandwidth_bytes bigint,
    license_fee_eur numeric(10, 2),
    placement jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS editorial_articles_updated_at ON editorial_articles (updated_at);
CREATE INDEX IF NOT EXISTS editorial_articles_created_at ON editorial_articles (created_at);
CREATE INDEX IF NOT EXISTS editorial_article_performance_updated_at ON editorial_article_performance (updated_at);
CREATE INDEX IF NOT EXISTS editorial_author_performance_updated_at ON editorial_author_performance (updated_at);
CREATE INDEX IF NOT EXISTS editorial_category_performance_updated_at ON editorial_category_performance (updated_at);
CREATE INDEX IF NOT EXISTS editorial_content_events_created_at ON editorial_content_events (created_at);
CREATE INDEX IF NOT EXISTS editorial_headline_tests_updated_at ON editorial_headline_tests (updated_at);
CREATE INDEX IF NOT EXISTS editorial_trending_topics_updated_at ON editorial_trending_topics (updated_at);
CREATE INDEX IF NOT EXISTS editorial_content_recommendations_updated_at
    ON editorial_content_recommendations (updated_at);
CREATE INDEX IF NOT EXISTS editorial_article_content_updated_at ON editorial_article_content (updated_at);
CREATE INDEX IF NOT EXISTS editorial_content_versions_created_at ON editorial_content_versions (created_at);
CREATE INDEX IF NOT EXISTS editorial_content_media_updated_at ON editorial_content_media (updated_at);
CREATE INDEX IF NOT EXISTS editorial_media_usage_created_at ON editorial_media_usage (created_at);

"""Domain editorial: authors and articles, what is recommended, tested and trending."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.prose import draw_languages, headlines, language_codes, paragraphs, sentence
from etl.sample.rows import Rows
from etl.sample.tables.company import VIEWS_BY_HOUR, figures_stamps
from etl.sample.values import MICROSECONDS_A_DAY, Columns, array_literal, array_pool, join, json_objects, take, words
from etl.sample.vocabulary.headlines import TAGS, TOPICS
from etl.sample.vocabulary.people import FIRST_NAMES, LAST_NAMES, MAIL_NAMES

TAG_POOL = array_pool(TAGS)
_TOPIC_POOL = array_pool([topic for topic, _ in TOPICS], longest=4)
_LANGUAGE_POOL = array_pool(["de", "en", "fr", "es", "tr", "ar", "zh"], longest=3)
_SPLITS = words([array_literal(split) for split in ((50, 50), (80, 20), (90, 10))])


def editorial_authors(rows: Rows) -> Columns:
    name = join(rows.choice("first_name", FIRST_NAMES), " ", rows.choice("last_name", LAST_NAMES))
    profiles = {"mastodon": rows.choice("mastodon", ["@desk@social.example", "@news@example.org"], nulls=0.4)}
    employees = rows.world.total("company_employees")
    joined = rows.past(8.0)
    return {
        "author_id": rows.keys(),
        "employee_id": values.integers(rows.index * 3 % employees + 1, rows.nulls("employee_id", 0.3)),
        "brand_id": rows.parents("brands", "brand_id", power=1.5),
        "full_name": name,
        "pen_name": rows.choice("pen_name", ["Streiflicht", "Le Promeneur", "Cassandra", "الراصد"], nulls=0.9),
        "slug": join(rows.choice("slug", MAIL_NAMES), "-", rows.keys()),
        "email": rows.maybe("email", join("author.", rows.keys(), "@example.com"), 0.2),
        "biography": rows.maybe("biography", sentence(rows, "biography", draw_languages(rows)), 0.3),
        "languages": rows.choice("languages", _LANGUAGE_POOL),
        "specialty_category_ids": rows.choice("specialty_category_ids", array_pool(range(1, 39), longest=3), nulls=0.1),
        "social_profiles": rows.maybe("social_profiles", json_objects(profiles), 0.4),
        "fee_per_article_eur": rows.decimals("fee_per_article_eur", 40, 1_400, 2, nulls=0.5),
        "rating": rows.decimals("rating", 1, 5, 2, nulls=0.2),
        "joined_on": values.dates(rows.days_of(joined), rows.nulls("joined_on", 0.1)),
        "is_freelance": rows.flags("is_freelance", 0.35),
        **rows.stamps(joined),
    }


def editorial_articles(rows: Rows) -> Columns:
    created = rows.moments()
    languages = draw_languages(rows)
    status = rows.weighted("status", (6, 4, 2, 80, 8))
    seo = {"description": headlines(rows, "seo", languages), "noindex": rows.flags("noindex", 0.03)}
    return {
        "article_id": rows.keys(),
        "brand_id": rows.parents("brands", "brand_id", power=2),
        "category_id": rows.parents("categories", "category_id", power=1.3),
        "author_id": rows.parents("editorial_authors", "author_id", power=1.6),
        "related_article_id": rows.earlier("related_article_id", nulls=0.8),
        "location_city_id": rows.parents("cities", "location_city_id", nulls=0.6, power=2),
        "title": headlines(rows, "title", languages),
        "subtitle": rows.maybe("subtitle", sentence(rows, "subtitle", languages), 0.25),
        "body": rows.maybe("body", paragraphs(rows, "body", languages, 3), 0.03),
        "language": language_codes(languages),
        "article_type": rows.choice(
            "article_type",
            ["news", "feature", "interview", "opinion", "live", "gallery", "podcast"],
            (52, 16, 8, 9, 6, 5, 4),
        ),
        "status": take(words(["draft", "review", "scheduled", "published", "archived"]), status),
        "word_count": values.integers(
            60 + rows.exponential("word_count", 620).astype(np.int64), rows.nulls("word_count", 0.06)
        ),
        "is_premium": rows.flags("is_premium", 0.28),
        "is_breaking": rows.flags("is_breaking", 0.04),
        "tags": rows.choice("tags", TAG_POOL, nulls=0.08),
        "co_author_ids": rows.choice("co_author_ids", array_pool(range(1, 9), longest=3), nulls=0.7),
        "source_agency": rows.choice(
            "source_agency", ["dpa", "AFP", "Reuters", "AP", "EFE", "AA", "新华社"], nulls=0.55
        ),
        "canonical_url": rows.maybe("canonical_url", join("https://news.example.com/a/", rows.keys()), 0.05),
        "seo": rows.maybe("seo", json_objects(seo), 0.15),
        "published_at": values.instants(rows.later("published_at", created, 5_400), status < 3),
        "embargo_until": values.local_times(
            created // 3_600_000_000 * 3_600_000_000, rows.nulls("embargo_until", 0.93)
        ),
        **rows.stamps(created, share=0.5),
    }


def editorial_article_performance(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    article = rows.world.existing("editorial_articles", day * MICROSECONDS_A_DAY) - 1 - place
    views = (8_000 * rows.uniform("page_views") ** 6).astype(np.int64)
    referrers = {"search": rows.decimals("search", 0, 0.5, 3), "social": rows.decimals("social", 0, 0.3, 3)}
    return {
        "article_id": values.integers(article + 1),
        "date": values.dates(day),
        "page_views": values.integers(views),
        "unique_visitors": values.integers((views * rows.between("visitors", 0.55, 0.95)).astype(np.int64)),
        "average_seconds_on_page": values.decimals(rows.exponential("seconds", 75), 9, views == 0),
        "average_scroll_depth": values.decimals(rows.between("scroll", 0.1, 1), 4, views == 0),
        "bounce_rate": values.decimals(rows.between("bounce_rate", 0.2, 0.9), 4, views == 0),
        "shares": rows.amounts("shares", 5),
        "comments": rows.amounts("comments", 3),
        "conversions": rows.amounts("conversions", 0.6),
        "revenue_eur": rows.money("revenue_eur", 14),
        "views_by_hour": rows.choice("views_by_hour", VIEWS_BY_HOUR, nulls=0.1),
        "referrers": rows.maybe("referrers", json_objects(referrers), 0.1),
        **figures_stamps(rows, day),
    }


def editorial_author_performance(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    views = rows.exponential("page_views", 2_600).astype(np.int64)
    return {
        "author_id": values.integers(rows.entities_of_day(day, place, rows.world.total("editorial_authors")) + 1),
        "date": values.dates(day),
        "articles_published": rows.amounts("articles_published", 0.9),
        "page_views": values.integers(views),
        "unique_visitors": values.integers((views * 0.71).astype(np.int64)),
        "average_seconds_on_page": rows.decimals("seconds", 8, 240, 9, nulls=0.05),
        "comments": rows.amounts("comments", 6),
        "conversions": rows.amounts("conversions", 1.2),
        "revenue_eur": rows.money("revenue_eur", 60),
        "engagement_score": rows.decimals("engagement_score", 0, 1, 4, nulls=0.05),
        "top_article_id": rows.recent("editorial_articles", "top_article_id", day * MICROSECONDS_A_DAY, nulls=0.3),
        **figures_stamps(rows, day),
    }


def editorial_category_performance(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    views = 200 + rows.exponential("page_views", 42_000).astype(np.int64)
    devices = {"smartphone": rows.decimals("smartphone", 0.3, 0.8, 3), "desktop": rows.decimals("desktop", 0.1, 0.5, 3)}
    return {
        "category_id": values.integers(rows.entities_of_day(day, place, rows.world.total("categories")) + 1),
        "date": values.dates(day),
        "articles_published": rows.amounts("articles_published", 4),
        "page_views": values.integers(views),
        "unique_visitors": values.integers((views * 0.64).astype(np.int64)),
        "average_seconds_on_page": rows.decimals("seconds", 8, 180, 9, nulls=0.03),
        "bounce_rate": rows.decimals("bounce_rate", 0.2, 0.9, 4, nulls=0.03),
        "ad_impressions": values.integers(views * rows.whole("ads", 1, 6)),
        "revenue_eur": rows.money("revenue_eur", 900),
        "share_of_traffic": rows.decimals("share_of_traffic", 0, 0.3, 5),
        "views_by_device": json_objects(devices),
        **figures_stamps(rows, day),
    }


def editorial_content_events(rows: Rows) -> Columns:
    created = rows.moments()
    happened = rows.happened(created)
    kinds = ["opened", "saved", "submitted", "approved", "published", "unpublished", "image_added", "headline_changed"]
    changes = {
        "field": rows.choice("field", ["title", "body", "tags", "status"]),
        "characters": rows.numbers("characters", -900, 900),
    }
    return {
        "event_id": rows.keys(),
        "article_id": rows.recent("editorial_articles", "article_id", happened, nulls=0.01, power=2.5),
        "brand_id": rows.parents("brands", "brand_id", power=2),
        "actor_employee_id": rows.parents("company_employees", "actor_employee_id", nulls=0.1, power=2),
        "event_type": rows.choice("event_type", kinds, (30, 34, 8, 7, 7, 1, 6, 7)),
        "event_date": values.dates(rows.days_of(happened)),
        "event_timestamp": values.instants(happened),
        "tool": rows.choice("tool", ["cms-web", "cms-app", "import", "api"], (80, 8, 8, 4), nulls=0.05),
        "duration_seconds": rows.amounts("duration_seconds", 240, nulls=0.3),
        "note": rows.maybe("note", sentence(rows, "note", draw_languages(rows)), 0.9),
        "ip_address": rows.addresses("ip_address", nulls=0.2),
        "changes": rows.maybe("changes", json_objects(changes), 0.3),
        "created_at": values.instants(created),
    }


def editorial_headline_tests(rows: Rows) -> Columns:
    created = rows.moments()
    languages = draw_languages(rows)
    status = rows.weighted("status", (5, 20, 70, 5))
    started = rows.later("started_at", created, 900)
    shown_a, shown_b = (
        rows.exponential(column, 9_000).astype(np.int64) for column in ("impressions_a", "impressions_b")
    )
    return {
        "headline_test_id": rows.keys(),
        "article_id": rows.recent("editorial_articles", "article_id", created),
        "created_by_author_id": rows.parents("editorial_authors", "created_by_author_id", nulls=0.2),
        "headline_a": headlines(rows, "headline_a", languages),
        "headline_b": headlines(rows, "headline_b", languages),
        "status": take(words(["planned", "running", "finished", "aborted"]), status),
        "started_at": values.instants(started, status == 0),
        "ended_at": values.instants(rows.later("ended_at", started, 7_200), status < 2),
        "impressions_a": values.integers(shown_a),
        "impressions_b": values.integers(shown_b),
        "clicks_a": values.integers((shown_a * rows.between("clicks_a", 0, 0.12)).astype(np.int64)),
        "clicks_b": values.integers((shown_b * rows.between("clicks_b", 0, 0.12)).astype(np.int64)),
        "winner": values.nullify(rows.choice("winner", ["A", "B"]), status != 2),
        "significance": values.decimals(rows.uniform("significance") ** 0.3, 12, status < 2),
        "traffic_split": rows.choice("traffic_split", _SPLITS),
        "settings": rows.maybe("settings", json_objects({"minimum_views": rows.numbers("minimum", 500, 5_000)}), 0.3),
        **rows.stamps(created),
    }


def editorial_trending_topics(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    topic = rows.entities_of_day(day, place, len(TOPICS))
    sources = {"search": rows.amounts("search", 300), "social": rows.amounts("social", 500)}
    return {
        "topic": take(words([name for name, _ in TOPICS]), topic),
        "date": values.dates(day),
        "language": take(words([language for _, language in TOPICS]), topic),
        "category_id": rows.parents("categories", "category_id", nulls=0.2),
        "rank": values.integers(place + 1),
        "mentions": rows.amounts("mentions", 1_900),
        "velocity": values.decimals(rows.normal("velocity", 0, 3), 4, rows.nulls("velocity", 0.05)),
        "sentiment": rows.decimals("sentiment", -1, 1, 3, nulls=0.1),
        "related_topics": rows.choice("related_topics", _TOPIC_POOL, nulls=0.1),
        "mentions_by_hour": rows.choice("mentions_by_hour", VIEWS_BY_HOUR, nulls=0.1),
        "sources": json_objects(sources),
        "is_breaking": rows.flags("is_breaking", 0.06),
        **figures_stamps(rows, day),
    }


def editorial_content_recommendations(rows: Rows) -> Columns:
    created = rows.moments()
    existing = np.maximum(rows.world.existing("editorial_articles", created), 2)
    article = rows.recent_index("editorial_articles", "article_id", created) % existing
    step = 1 + np.floor(rows.uniform("recommended") * (existing - 1)).astype(np.int64)
    return {
        "recommendation_id": rows.keys(),
        "article_id": values.integers(article + 1),
        "recommended_article_id": values.integers((article + step) % existing + 1),
        "algorithm": rows.choice("algorithm", ["similarity", "collaborative", "trending", "editorial", "hybrid"]),
        "similarity": rows.decimals("similarity", 0, 1, 12, nulls=0.1),
        "rank": rows.numbers("rank", 1, 10),
        "placement": rows.choice("placement", ["below_article", "sidebar", "newsletter", "app_home"]),
        "impressions": rows.amounts("impressions", 700),
        "clicks": rows.amounts("clicks", 9),
        "is_editorial_override": rows.flags("is_editorial_override", 0.05),
        "valid_from": values.instants(created),
        "valid_until": values.instants(
            created + rows.whole("valid_until", 1, 30) * MICROSECONDS_A_DAY, rows.nulls("valid_until", 0.3)
        ),
        "explanation": rows.maybe("explanation", json_objects({"shared_tags": rows.numbers("shared", 0, 6)}), 0.3),
        **rows.stamps(created),
    }


BUILDERS = {
    "editorial_authors": editorial_authors, "editorial_articles": editorial_articles,
    "editorial_article_performance": editorial_article_performance,
    "editorial_author_performance": editorial_author_performance,
    "editorial_category_performance": editorial_category_performance,
    "editorial_content_events": editorial_content_events, "editorial_headline_tests": editorial_headline_tests,
    "editorial_trending_topics": editorial_trending_topics,
    "editorial_content_recommendations": editorial_content_recommendations,
}  # fmt: skip

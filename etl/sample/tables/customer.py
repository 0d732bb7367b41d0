"""Domain customer: sessions and their events, features, segments, predictions and recommendations."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.draw import Whole
from etl.sample.rows import SECOND, Rows
from etl.sample.values import MICROSECONDS_A_DAY, Columns, array_pool, join, json_objects, raw_json, take, words
from etl.sample.vocabulary.headlines import TAGS, TOPICS
from etl.sample.vocabulary.things import CATEGORIES

_EVENT_TYPES = (
    "page_view", "scroll", "click", "video_play", "share", "comment", "search", "paywall_view", "subscribe",
    "newsletter_signup",
)  # fmt: skip
_EVENT_WEIGHTS = (48, 18, 16, 5, 3, 2, 3, 3.5, 0.5, 1)
_REFERRERS = (
    "https://www.google.com/", "https://news.google.com/", "https://duckduckgo.com/?q=wahl+%C3%BCbersicht", "https://t.co/x1",
    "https://www.bing.com/", "android-app://com.google.android.gm", "https://mastodon.social/@news", "",
)  # fmt: skip
_CAMPAIGNS = words([
    '{"source":"newsletter","medium":"email","name":"morgen"}', '{"source":"google","medium":"cpc","name":"abo 50%"}',
    '{"source":"social","medium":"post","name":"été 2026"}', '{"source":"partner","medium":null}', "{}",
])  # fmt: skip
_SECTIONS = words([slug for slug, _, _, _ in CATEGORIES])
_TOPIC_POOL = array_pool([topic for topic, _ in TOPICS])
_HOURS = array_pool(range(24), longest=6)
_EXPERIMENTS = array_pool(range(1, 60), longest=3)
_CANDIDATES = array_pool(range(1, 5_000), longest=8)
_FEATURES = array_pool(["sessions_30d", "days_since_visit", "scroll_depth", "newsletter_open_rate", "price_views"])


def customer_sessions(rows: Rows) -> Columns:
    start, end = _session_times(rows)
    is_logged_in = rows.chance("is_logged_in", 0.42)
    landing = join("/", rows.choice("landing_page", _SECTIONS))
    return {
        "session_id": rows.keys(),
        "user_id": values.integers(rows.skewed("user_id", rows.world.total("users"), 3) + 1, ~is_logged_in),
        "anonymous_id": rows.uuids("anonymous_id"),
        "brand_id": rows.parents("brands", "brand_id", power=2.2),
        "device_type_id": rows.parents("device_types", "device_type_id", nulls=0.02, power=2.5),
        "operating_system_id": rows.parents("operating_systems", "operating_system_id", nulls=0.03, power=1.5),
        "browser_id": rows.parents("browsers", "browser_id", nulls=0.03, power=1.5),
        "country_id": rows.parents("countries", "country_id", nulls=0.04, power=3.5),
        "session_start": values.instants(start),
        "session_end": values.instants(end, rows.nulls("session_end", 0.03)),
        "page_views": values.integers(1 + rows.exponential("page_views", 2.2).astype(np.int64)),
        "landing_page": landing,
        "exit_page": rows.maybe("exit_page", join("/", rows.choice("exit_page", _SECTIONS)), 0.1),
        "referrer": rows.choice("referrer", _REFERRERS, nulls=0.35),
        "campaign": rows.choice("campaign", _CAMPAIGNS, nulls=0.7),
        "ip_address": rows.addresses("ip_address", nulls=0.05),
        "experiment_ids": rows.choice("experiment_ids", _EXPERIMENTS, nulls=0.4),
        "is_logged_in": values.flags(is_logged_in),
        "created_at": values.instants(rows.later("created_at/lag", end, 30)),
    }


def _session_times(rows: Rows) -> tuple[Whole, Whole]:
    """When a session began and ended; its events ask for the same. One in four is a bounce of no length."""
    start = rows.moments()
    end = rows.later("session_end", start, 260)
    return start, np.where(rows.chance("bounce", 0.25), start, end)


def customer_events(rows: Rows) -> Columns:
    """Each event falls into its session; user and article are as the tracker knew them."""
    session = rows.along("customer_sessions")
    sessions = rows.world.rows("customer_sessions", session)
    start, end = _session_times(sessions)
    happened = start + ((end - start) * rows.uniform("happened")).astype(np.int64) + rows.whole("moment", 0, 999_999)
    happened = np.minimum(happened, rows.window.end - 1)
    kind = rows.weighted("event_type", _EVENT_WEIGHTS)
    user = sessions.skewed("user_id", rows.world.total("users"), 3) + 1
    properties = {
        "position": rows.numbers("position", 0, 40),
        "label": rows.choice("label", TAGS, nulls=0.4),
        "ab": rows.flags("ab", 0.5),
    }
    article = rows.recent_index("editorial_articles", "article_id", happened)
    return {
        "event_id": rows.keys(),
        "session_id": rows.world.keys("customer_sessions", session),
        "user_id": values.integers(user, ~sessions.chance("is_logged_in", 0.42)),
        "article_id": values.integers(article + 1, rows.nulls("article_id", 0.25)),
        "event_type": take(words(_EVENT_TYPES), kind),
        "event_date": values.dates(rows.days_of(happened)),
        "event_timestamp": values.instants(happened),
        "client_time": values.local_times(
            happened + rows.whole("clock", -7_200, 7_200) * SECOND, rows.nulls("client_time", 0.1)
        ),
        "page_url": join("/", rows.choice("section", _SECTIONS), "/", values.integers(article + 1)),
        "duration_ms": rows.amounts("duration_ms", 21_000, nulls=0.3),
        "scroll_depth": rows.decimals("scroll_depth", 0, 1, 3, nulls=0.45),
        "revenue_eur": values.decimals(rows.exponential("revenue", 9), 4, kind != 8),
        "properties": rows.maybe("properties", json_objects(properties), 0.1),
        "is_bot": rows.flags("is_bot", 0.015),
        "created_at": values.instants(rows.later("created_at/lag", happened, 15)),
    }


def customer_user_features(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    sessions = rows.exponential("sessions_7d", 4).astype(np.int64)
    created = day * MICROSECONDS_A_DAY + rows.whole("created_at", 3_600, 10_800) * SECOND
    shares = {"politics": rows.decimals("politics", 0, 1, 3), "sport": rows.decimals("sport", 0, 1, 3)}
    return {
        "user_id": values.integers(rows.entities_of_day(day, place, rows.world.total("users")) + 1),
        "feature_date": values.dates(day),
        "sessions_7d": values.integers(sessions),
        "sessions_30d": values.integers(sessions * 3 + rows.whole("sessions_30d", 0, 9)),
        "articles_read_30d": rows.amounts("articles_read_30d", 30),
        "average_session_seconds": values.decimals(rows.exponential("seconds", 190), 9, sessions == 0),
        "days_since_last_visit": rows.amounts("days_since_last_visit", 9, nulls=0.05),
        "favourite_category_id": rows.parents("categories", "favourite_category_id", nulls=0.15, power=1.5),
        "reading_hours": rows.choice("reading_hours", _HOURS, nulls=0.1),
        "top_topics": rows.choice("top_topics", _TOPIC_POOL, nulls=0.15),
        "category_shares": rows.maybe("category_shares", json_objects(shares), 0.1),
        "engagement_score": rows.decimals("engagement_score", 0, 100, 3, nulls=0.05),
        "lifetime_value_eur": rows.money("lifetime_value_eur", 85, 4, nulls=0.2),
        "is_subscriber": rows.flags("is_subscriber", 0.22),
        **rows.stamps(created),
    }


def customer_user_segments(rows: Rows) -> Columns:
    created = rows.past(3.0)
    day = rows.days_of(created)
    rule = {
        "field": rows.choice("field", ["sessions_30d", "country", "plan"]),
        "values": raw_json(rows.choice("values", ["[1,30]", '["DE","AT"]'])),
    }
    return {
        "segment_id": rows.keys(),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.4),
        "created_by_employee_id": rows.parents("company_employees", "created_by_employee_id", nulls=0.1),
        "code": join("segment_", rows.keys()),
        "name": join(
            rows.choice("name", ["Vielleser", "At risk", "Fidèles", "Neukunden", "Sport fans"]), " ", rows.keys()
        ),
        "description": rows.choice(
            "description", ["Reads every day", "Hat gekündigt", "Ouvre la newsletter"], nulls=0.3
        ),
        "rule": json_objects(rule),
        "priority": rows.numbers("priority", 1, 100),
        "estimated_size": rows.amounts("estimated_size", 9_000, nulls=0.1),
        "tags": rows.choice("tags", array_pool(["churn", "sales", "print", "Test"]), nulls=0.1),
        "valid_from": values.dates(day, rows.nulls("valid_from", 0.1)),
        "valid_until": values.dates(day + 1_400, rows.nulls("valid_until", 0.7)),
        "is_dynamic": rows.flags("is_dynamic", 0.7),
        **rows.stamps(created),
    }


def customer_user_segment_assignments(rows: Rows) -> Columns:
    created = rows.moments()
    reason = {
        "rule": rows.numbers("rule", 1, 40),
        "note": rows.choice("note", ["auto", "vom Vertrieb", "campagne"], nulls=0.5),
    }
    return {
        "assignment_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", power=1.5),
        "segment_id": rows.parents("customer_user_segments", "segment_id", power=1.5),
        "model_id": rows.parents("ml_model_registry", "model_id", nulls=0.6),
        "source": rows.choice("source", ["rule", "model", "manual", "import"], (60, 30, 5, 5)),
        "score": rows.decimals("score", 0, 1, 5, nulls=0.3),
        "assigned_at": values.instants(created),
        "expires_at": values.instants(
            created + rows.whole("expires_at", 7, 400) * MICROSECONDS_A_DAY, rows.nulls("expires_at", 0.5)
        ),
        "reason": rows.maybe("reason", json_objects(reason), 0.3),
        "is_active": rows.flags("is_active", 0.8),
        **rows.stamps(created),
    }


def customer_churn_predictions(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    scored = day * MICROSECONDS_A_DAY + rows.whole("scored_at", 7_200, 18_000) * SECOND
    probability = rows.uniform("churn_probability") ** 2.2
    factors = {"price": rows.decimals("price", 0, 1, 3), "inactivity": rows.decimals("inactivity", 0, 1, 3)}
    return {
        "user_id": values.integers(rows.entities_of_day(day, place, rows.world.total("users")) + 1),
        "prediction_date": values.dates(day),
        "model_id": rows.parents("ml_model_registry", "model_id"),
        "churn_probability": values.decimals(probability, 12),
        "confidence": rows.decimals("confidence", 0.4, 1, 4, nulls=0.05),
        "days_to_churn": values.integers(rows.whole("days_to_churn", 1, 365), probability < 0.3),
        "recommended_action": rows.choice("recommended_action", ["call", "discount", "newsletter", "none"], nulls=0.3),
        "features_used": rows.choice("features_used", _FEATURES, nulls=0.05),
        "risk_factors": rows.maybe("risk_factors", json_objects(factors), 0.1),
        "has_churned": rows.flags("has_churned", 0.12, nulls=0.5),
        "scored_at": values.instants(scored),
        **rows.stamps(scored),
    }


def customer_recommendations(rows: Rows) -> Columns:
    created = rows.moments()
    shown = rows.later("shown_at", created, 1_200)
    was_shown = rows.chance("shown_at?", 0.75)
    context = {"page": rows.choice("page", ["home", "article", "app"]), "hour": rows.numbers("hour", 0, 23)}
    return {
        "recommendation_id": rows.keys(),
        "user_id": rows.parents("users", "user_id", power=2),
        "article_id": rows.recent("editorial_articles", "article_id", created),
        "model_id": rows.parents("ml_model_registry", "model_id", nulls=0.1),
        "rank": rows.numbers("rank", 1, 20),
        "score": values.decimals(rows.uniform("score"), 8),
        "reason": rows.choice("reason", ["similar_readers", "topic", "trending", "local"], nulls=0.1),
        "placement": rows.choice("placement", ["home", "article_end", "newsletter", "push"]),
        "candidate_ids": rows.choice("candidate_ids", _CANDIDATES, nulls=0.1),
        "context": rows.maybe("context", json_objects(context), 0.2),
        "shown_at": values.instants(shown, ~was_shown),
        "clicked_at": values.instants(
            rows.later("clicked_at", shown, 300), ~(was_shown & rows.chance("clicked", 0.09))
        ),
        "is_dismissed": rows.flags("is_dismissed", 0.05),
        **rows.stamps(created),
    }


def customer_conversion_predictions(rows: Rows) -> Columns:
    day, place = rows.day_and_place()
    created = day * MICROSECONDS_A_DAY + rows.whole("created_at", 10_800, 21_600) * SECOND
    drivers = {
        "paywall_hits": rows.amounts("hits", 4),
        "topic": rows.choice("topic", [topic for topic, _ in TOPICS], nulls=0.2),
    }
    return {
        "user_id": values.integers(rows.entities_of_day(day, place, rows.world.total("users")) + 1),
        "prediction_date": values.dates(day),
        "model_id": rows.parents("ml_model_registry", "model_id"),
        "conversion_probability": values.decimals(rows.uniform("conversion_probability") ** 3, 6),
        "predicted_value_eur": rows.money("predicted_value_eur", 70),
        "offer_code": rows.choice("offer_code", ["SOMMER26", "RENTRÉE", "STUDENT", "2FOR1"], nulls=0.5),
        "offer_valid_until": values.dates(day + rows.whole("offer", 7, 60), rows.nulls("offer", 0.5)),
        "channel": rows.choice("channel", ["email", "web", "app", "phone"]),
        "drivers": rows.maybe("drivers", json_objects(drivers), 0.1),
        "converted_at": values.instants(rows.later("converted_at", created, 80_000), ~rows.chance("converted", 0.04)),
        **rows.stamps(created),
    }


BUILDERS = {
    "customer_sessions": customer_sessions, "customer_events": customer_events,
    "customer_user_features": customer_user_features, "customer_user_segments": customer_user_segments,
    "customer_user_segment_assignments": customer_user_segment_assignments,
    "customer_churn_predictions": customer_churn_predictions, "customer_recommendations": customer_recommendations,
    "customer_conversion_predictions": customer_conversion_predictions,
}  # fmt: skip

"""What changes in rows that exist when days go by: every table that has updated_at, and never an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from etl.sample.rows import World

CHANGED_SHARE = 0.02
_AGGREGATE_DAYS = 3
"""Figures of a day are corrected for this many days."""


@dataclass(frozen=True)
class Revision:
    """`assignments` is SQL; chosen.moved_at in it is the new updated_at. `recent_by`: only its last days."""

    assignments: str
    recent_by: str | None = None


def _plain(assignments: str) -> Revision:
    return Revision(assignments)


def _figures(assignments: str) -> Revision:
    return Revision(assignments, recent_by="date")


REVISIONS: Mapping[str, Revision] = {
    "countries": _plain("population = population + 1000"),
    "companies": _plain("employee_count = coalesce(employee_count, 0) + 1"),
    "brands": _plain("is_paywalled = NOT is_paywalled"),
    "brand_countries": _plain("is_primary_market = NOT is_primary_market"),
    "cities": _plain("population = coalesce(population, 0) + 100"),
    "categories": _plain("is_active = NOT is_active"),
    "users": _plain("is_newsletter_subscriber = NOT is_newsletter_subscriber, last_login_at = chosen.moved_at"),
    "user_accounts": _plain("loyalty_points = loyalty_points + 10, balance_eur = balance_eur - 4.99"),
    "device_types": _plain("default_width = coalesce(default_width, 0) + 1"),
    "operating_systems": _plain("market_share = coalesce(market_share, 0) + 0.5"),
    "browsers": _plain("capabilities = coalesce(capabilities, '{}') || jsonb_build_object('seen', chosen.moved_at)"),
    "company_departments": _plain("headcount = coalesce(headcount, 0) + 1"),
    "company_employees": _plain("salary_eur = coalesce(salary_eur, 30000) + 100, is_remote = NOT is_remote"),
    "company_internal_content": _plain("requires_acknowledgement = NOT requires_acknowledgement"),
    "company_content_performance": _figures("views = views + 3, unique_readers = unique_readers + 2"),
    "company_department_performance": _figures("tasks_completed = tasks_completed + 1"),
    "company_employee_engagement": _figures("active_minutes = active_minutes + 5"),
    "company_communications_analytics": _figures("clicked = clicked + 1"),
    "security_roles": _plain("max_session_minutes = coalesce(max_session_minutes, 0) + 15"),
    "security_permissions": _plain("requires_mfa = NOT requires_mfa"),
    "security_role_permissions": _plain("is_denied = NOT is_denied"),
    "security_user_roles": _plain("status = CASE status WHEN 'active' THEN 'revoked' ELSE 'active' END"),
    "security_api_keys": _plain("last_used_at = chosen.moved_at"),
    "ml_model_registry": _plain("is_active = NOT is_active"),
    "ml_model_features": _plain("importance = coalesce(importance, 0) + 0.001"),
    "ml_model_training_runs": _plain("cost_eur = coalesce(cost_eur, 0) + 1"),
    "ml_model_monitoring": _plain("check_timestamp = chosen.moved_at, metric_value = coalesce(metric_value, 0) + 0.01"),
    "ml_model_ab_tests": _plain("traffic_percent = (traffic_percent + 1) % 101"),
    "editorial_authors": _plain("is_freelance = NOT is_freelance"),
    "editorial_articles": _plain("title = title || ' (Update)', word_count = coalesce(word_count, 0) + 40"),
    "editorial_article_performance": _figures("page_views = page_views + 7, unique_visitors = unique_visitors + 5"),
    "editorial_author_performance": _figures("page_views = page_views + 7"),
    "editorial_category_performance": _figures("page_views = page_views + 70, revenue_eur = revenue_eur + 0.35"),
    "editorial_headline_tests": _plain("impressions_a = impressions_a + 100, clicks_a = clicks_a + 3"),
    "editorial_trending_topics": _figures("mentions = mentions + 11"),
    "editorial_content_recommendations": _plain("clicks = clicks + 1, impressions = impressions + 20"),
    "editorial_article_content": _plain("body = body || ' [+]', revision = revision + 1"),
    "editorial_media_assets": _plain("width = width + 1, alt_text = coalesce(alt_text, '') || '.'"),
    "editorial_media_variants": _plain("is_default = NOT is_default"),
    "editorial_content_media": _plain("position = position + 1"),
    "editorial_media_collections": _plain("is_public = NOT is_public"),
    "editorial_media_collection_items": _plain("note = coalesce(note, '') || '!'"),
    "customer_user_features": _plain("sessions_7d = sessions_7d + 1, sessions_30d = sessions_30d + 1"),
    "customer_user_segments": _plain("estimated_size = coalesce(estimated_size, 0) + 50"),
    "customer_user_segment_assignments": _plain("is_active = NOT is_active"),
    "customer_churn_predictions": _plain("has_churned = NOT coalesce(has_churned, false)"),
    "customer_recommendations": _plain("clicked_at = chosen.moved_at"),
    "customer_conversion_predictions": _plain(
        "converted_at = chosen.moved_at, predicted_value_eur = predicted_value_eur + 1"
    ),
    "data_quality_rules": _plain("is_active = NOT is_active"),
    "data_quality_checks": _plain("check_timestamp = chosen.moved_at, rows_checked = rows_checked + 1"),
    "data_quality_metrics": _plain("is_anomaly = NOT is_anomaly"),
    "data_quality_alerts": _plain("status = 'resolved', resolved_at = chosen.moved_at"),
    "compliance_user_consent": _plain("is_granted = false, withdrawn_at = chosen.moved_at"),
    "compliance_data_subject_requests": _plain("status = 'completed', completed_at = chosen.moved_at"),
    "compliance_retention_policies": _plain("retention_days = retention_days + 1"),
    "compliance_privacy_assessments": _plain("risk_score = CASE WHEN risk_score > 5 THEN 1.5 ELSE 8.5 END"),
    "compliance_breach_incidents": _plain("affected_users = coalesce(affected_users, 0) + 10"),
    "configuration_feature_flags": _plain("rollout_percent = (rollout_percent + 1) % 101"),
    "configuration_system_settings": _plain("description = coalesce(description, '') || '.'"),
}

# updated_at falls into the new days, at a moment that follows from the key alone.
_STATEMENT = """
UPDATE {table} AS target SET {assignments}, updated_at = chosen.moved_at
FROM (
    SELECT {keys}, %(start)s::timestamptz
        + ('x' || substr(md5({identity}), 1, 8))::bit(32)::bigint / 4294967296.0 * %(days)s * interval '1 day'
        AS moved_at
    FROM {table} WHERE {condition} ORDER BY md5({identity}), {keys} LIMIT %(limit)s
) AS chosen
WHERE {match}
"""


def revise_table(cursor: Cursor, world: World, table: str) -> int:
    """Changes a share of the rows written before this window (at least one); how many."""
    revision = REVISIONS[table]
    keys = [sql.Identifier(column) for column in _primary_key(cursor, table)]
    identity = sql.SQL("concat_ws('/', %(salt)s, {})").format(sql.SQL(", ").join(keys))
    statement = sql.SQL(_STATEMENT).format(
        table=sql.Identifier(table),
        assignments=sql.SQL(revision.assignments.replace("%", "%%")),
        keys=sql.SQL(", ").join(keys),
        identity=identity,
        condition=_condition(revision),
        match=sql.SQL(" AND ").join(sql.SQL("target.{0} = chosen.{0}").format(key) for key in keys),
    )
    first_date = world.window.first_date
    cursor.execute(
        statement,
        {
            "start": f"{first_date} 00:00:00+00",
            "days": world.window.days,
            "salt": f"{world.seed}/{table}/{first_date}",
            "first_date": first_date,
            "recent": _AGGREGATE_DAYS,
            "limit": max(1, round(world.before[table] * CHANGED_SHARE)),
        },
    )
    return cursor.rowcount


def _condition(revision: Revision) -> sql.Composable:
    if revision.recent_by is None:
        return sql.SQL("created_at < %(start)s::timestamptz")
    return sql.SQL("{0} < %(first_date)s AND {0} >= %(first_date)s::date - %(recent)s").format(
        sql.Identifier(revision.recent_by)
    )


def _primary_key(cursor: Cursor, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
        " WHERE indisprimary AND indrelid = %s::regclass ORDER BY array_position(indkey::int2[], attnum)",
        (table,),
    )
    return [row[0] for row in cursor.fetchall()]

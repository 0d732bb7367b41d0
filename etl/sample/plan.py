"""How many rows each table has: about 1,000,000 over all 79 at scale 1, about 50,000 at the demo's 0.05.

Only events, snapshots and aggregates grow from day to day (--advance); reference tables merely change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Growth(StrEnum):
    FIXED = "fixed"
    """A catalogue of the real world: the same at every scale."""
    ROOT = "root"
    """The company's own structure: grows with the square root of the scale."""
    LINEAR = "linear"
    """Readers and what they do."""
    DAILY = "daily"
    """A fixed number of rows each day (one an entity): figures and predictions of the day."""


@dataclass(frozen=True)
class TablePlan:
    """`rows` is the number at scale 1 (for DAILY too, spread evenly over the days). `grows`: --advance adds to it."""

    table: str
    growth: Growth
    rows: int
    grows: bool

    def count(self, scale: float, days: int) -> int:
        if self.growth is Growth.FIXED:
            return self.rows
        if self.growth is Growth.ROOT:
            return max(8, round(self.rows * math.sqrt(scale)))
        if self.growth is Growth.DAILY:
            return self.rows_a_day(scale, days) * days
        return max(3, round(self.rows * scale))

    def rows_a_day(self, scale: float, days: int) -> int:
        """What --advance adds each day: at least one row, and for DAILY no more than there are entities."""
        wanted = max(1, round(self.rows * scale / days))
        if self.growth is not Growth.DAILY:
            return wanted
        parent, entities = _ENTITIES[self.table]
        return min(wanted, max(1, math.floor(PLANS[parent].count(scale, days) * entities)))


def demo_days(scale: float) -> int:
    """14 days at scale 0.05 and 90 at scale 1: each day costs the lake a file a table."""
    return max(3, min(90, round(90 * math.pow(scale, 0.621))))


_REFERENCE: dict[str, tuple[Growth, int]] = {
    "countries": (Growth.FIXED, 53), "companies": (Growth.FIXED, 12), "brands": (Growth.FIXED, 40),
    "brand_countries": (Growth.FIXED, 160), "cities": (Growth.FIXED, 99), "categories": (Growth.FIXED, 38),
    "users": (Growth.LINEAR, 31_600), "user_accounts": (Growth.LINEAR, 37_900), "device_types": (Growth.FIXED, 8),
    "operating_systems": (Growth.FIXED, 15), "browsers": (Growth.FIXED, 15),
    "company_departments": (Growth.FIXED, 120), "company_employees": (Growth.ROOT, 2_600),
    "security_roles": (Growth.FIXED, 20), "security_permissions": (Growth.FIXED, 96),
    "security_role_permissions": (Growth.FIXED, 480), "security_api_keys": (Growth.ROOT, 600),
    "ml_model_registry": (Growth.FIXED, 36), "ml_model_features": (Growth.FIXED, 400),
    "editorial_authors": (Growth.ROOT, 500), "editorial_media_assets": (Growth.LINEAR, 9_500),
    "editorial_media_variants": (Growth.LINEAR, 28_400), "editorial_media_collections": (Growth.ROOT, 240),
    "editorial_media_collection_items": (Growth.LINEAR, 4_000), "customer_user_segments": (Growth.FIXED, 40),
    "data_quality_rules": (Growth.FIXED, 150), "compliance_retention_policies": (Growth.FIXED, 24),
    "configuration_feature_flags": (Growth.FIXED, 120), "configuration_system_settings": (Growth.FIXED, 140),
}  # fmt: skip

_GROWING: dict[str, tuple[Growth, int]] = {
    "company_internal_content": (Growth.LINEAR, 2_400), "company_content_performance": (Growth.DAILY, 11_800),
    "company_department_performance": (Growth.DAILY, 5_700), "company_content_events": (Growth.LINEAR, 19_800),
    "company_employee_engagement": (Growth.DAILY, 28_400), "company_communications_analytics": (Growth.DAILY, 3_600),
    "security_user_roles": (Growth.LINEAR, 6_300), "security_api_key_usage": (Growth.LINEAR, 20_500),
    "security_user_sessions": (Growth.LINEAR, 17_400),
    "ml_model_training_runs": (Growth.LINEAR, 1_400), "ml_model_predictions": (Growth.LINEAR, 33_200),
    "ml_model_monitoring": (Growth.LINEAR, 7_900), "ml_model_ab_tests": (Growth.LINEAR, 140),
    "editorial_articles": (Growth.LINEAR, 11_100), "editorial_article_performance": (Growth.DAILY, 42_700),
    "editorial_author_performance": (Growth.DAILY, 7_100), "editorial_category_performance": (Growth.DAILY, 2_700),
    "editorial_content_events": (Growth.LINEAR, 44_200), "editorial_headline_tests": (Growth.LINEAR, 1_900),
    "editorial_trending_topics": (Growth.DAILY, 2_800), "editorial_content_recommendations": (Growth.LINEAR, 19_000),
    "editorial_article_content": (Growth.LINEAR, 14_200), "editorial_content_versions": (Growth.LINEAR, 20_500),
    "editorial_content_media": (Growth.LINEAR, 15_800), "editorial_media_usage": (Growth.LINEAR, 20_500),
    "customer_sessions": (Growth.LINEAR, 66_400), "customer_events": (Growth.LINEAR, 150_100),
    "customer_user_features": (Growth.DAILY, 35_600), "customer_user_segment_assignments": (Growth.LINEAR, 28_400),
    "customer_churn_predictions": (Growth.DAILY, 28_400), "customer_recommendations": (Growth.LINEAR, 36_300),
    "customer_conversion_predictions": (Growth.DAILY, 21_300),
    "data_quality_checks": (Growth.LINEAR, 11_100), "data_quality_metrics": (Growth.LINEAR, 14_200),
    "data_quality_alerts": (Growth.LINEAR, 1_700), "data_validation_results": (Growth.LINEAR, 9_500),
    "compliance_user_consent": (Growth.LINEAR, 20_500), "compliance_data_subject_requests": (Growth.LINEAR, 1_300),
    "compliance_retention_executions": (Growth.LINEAR, 2_100), "compliance_anonymized_data": (Growth.LINEAR, 4_000),
    "compliance_privacy_assessments": (Growth.LINEAR, 190), "compliance_breach_incidents": (Growth.LINEAR, 50),
    "audit_logs": (Growth.LINEAR, 25_300), "audit_data_changes": (Growth.LINEAR, 15_800),
    "audit_data_access": (Growth.LINEAR, 15_800), "audit_security_events": (Growth.LINEAR, 6_300),
    "audit_data_lineage": (Growth.LINEAR, 4_700), "audit_compliance_events": (Growth.LINEAR, 4_000),
    "configuration_feature_flag_history": (Growth.LINEAR, 1_300),
    "configuration_system_settings_history": (Growth.LINEAR, 1_000),
}  # fmt: skip
# The most rows a day a DAILY table can have: so many entities for each row of that parent table.
_ENTITIES: dict[str, tuple[str, float]] = {
    "company_content_performance": ("company_internal_content", 0.4),
    "company_department_performance": ("company_departments", 1),
    "company_employee_engagement": ("company_employees", 1),
    "company_communications_analytics": ("companies", 6),
    "editorial_article_performance": ("editorial_articles", 0.4),
    "editorial_author_performance": ("editorial_authors", 1),
    "editorial_category_performance": ("categories", 1),
    "editorial_trending_topics": ("categories", 1),
    "customer_user_features": ("users", 1),
    "customer_churn_predictions": ("users", 1),
    "customer_conversion_predictions": ("users", 1),
}

PLANS: dict[str, TablePlan] = {
    **{table: TablePlan(table, growth, rows, grows=False) for table, (growth, rows) in _REFERENCE.items()},
    **{table: TablePlan(table, growth, rows, grows=True) for table, (growth, rows) in _GROWING.items()},
}

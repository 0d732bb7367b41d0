"""Domain data_quality: rules, checks, metrics, alerts and single validation results."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.rows import Rows
from etl.sample.values import Columns, array_pool, fixed_length_integers, join, json_objects, take, words
from etl.sample.vocabulary.things import COLUMN_NAMES, TABLE_NAMES

_RULES = ("not_null", "unique", "range", "pattern", "reference", "freshness", "volume")
_SEVERITIES = ("info", "warning", "error", "critical")
_HISTOGRAM = fixed_length_integers(12, 0, 900)
_KEYS = array_pool([f"key-{number}" for number in range(60)])


def data_quality_rules(rows: Rows) -> Columns:
    kind = rows.weighted("rule_type", (3, 2, 2, 2, 2, 1, 1))
    table, column = rows.choice("table_name", TABLE_NAMES), rows.choice("column_name", COLUMN_NAMES, nulls=0.15)
    parameters = {"window_days": rows.numbers("window", 1, 30), "sample": rows.flags("sample", 0.3)}
    return {
        "rule_id": rows.keys(),
        "code": join("DQ-", values.integers(1_000 + rows.index)),
        "table_name": table,
        "column_name": column,
        "rule_type": take(words(_RULES), kind),
        "expression": rows.choice(
            "expression", ["x IS NOT NULL", "x ~ '^[^@]+@[^@]+$'", "x BETWEEN 0 AND 1", "count(*) > 0"]
        ),
        "severity": rows.choice("severity", _SEVERITIES),
        "threshold": rows.decimals("threshold", 0, 100, 4, nulls=0.2),
        "owner_employee_id": rows.parents("company_employees", "owner_employee_id", nulls=0.2),
        "dimensions": rows.choice("dimensions", array_pool(["completeness", "validity", "timeliness"]), nulls=0.1),
        "parameters": rows.maybe("parameters", json_objects(parameters), 0.3),
        "is_active": rows.flags("is_active", 0.9),
        **rows.stamps(rows.past(3.0)),
    }


def data_quality_checks(rows: Rows) -> Columns:
    created = rows.moments()
    checked = rows.exponential("rows_checked", 90_000).astype(np.int64)
    failed = np.where(rows.chance("failed", 0.12), (checked * rows.uniform("rows_failed") * 0.1).astype(np.int64), 0)
    return {
        "check_id": rows.keys(),
        "rule_id": rows.parents("data_quality_rules", "rule_id"),
        "run_id": rows.uuids("run_id"),
        "check_timestamp": values.instants(created),
        "status": take(words(["passed", "failed"]), (failed > 0).astype(np.int64)),
        "rows_checked": values.integers(checked),
        "rows_failed": values.integers(failed),
        "score": values.decimals(100 * (1 - failed / np.maximum(checked, 1)), 2, rows.nulls("score", 0.02)),
        "duration_ms": rows.amounts("duration_ms", 1_800, nulls=0.02),
        "sample_keys": values.nullify(rows.choice("sample_keys", _KEYS), failed == 0),
        "details": rows.maybe("details", json_objects({"engine": rows.choice("engine", ["sql", "spark"])}), 0.5),
        **rows.stamps(created, share=0.15),
    }


def data_quality_metrics(rows: Rows) -> Columns:
    created = rows.moments()
    value = rows.normal("metric_value", 100, 30)
    before = value * rows.between("previous_value", 0.8, 1.25)
    return {
        "metric_id": rows.keys(),
        "check_id": rows.recent("data_quality_checks", "check_id", created, nulls=0.2),
        "table_name": rows.choice("table_name", TABLE_NAMES),
        "column_name": rows.choice("column_name", COLUMN_NAMES, nulls=0.2),
        "metric_name": rows.choice("metric_name", ["row_count", "null_rate", "distinct", "mean", "freshness_minutes"]),
        "check_timestamp": values.instants(created),
        "metric_value": values.decimals(value, 9, rows.nulls("metric_value", 0.02)),
        "previous_value": values.decimals(before, 9, rows.nulls("previous_value", 0.1)),
        "change_percent": rows.decimals("change_percent", -30, 30, 3, nulls=0.1),
        "histogram": rows.choice("histogram", _HISTOGRAM, nulls=0.3),
        "tags": rows.maybe("tags", json_objects({"layer": rows.choice("layer", ["source", "lake", "mart"])}), 0.3),
        "is_anomaly": rows.flags("is_anomaly", 0.03),
        **rows.stamps(created, share=0.15),
    }


def data_quality_alerts(rows: Rows) -> Columns:
    created = rows.moments()
    status = rows.weighted("status", (2, 3, 6, 1))
    acknowledged = rows.later("acknowledged_at", created, 3_600)
    table = rows.choice("table", TABLE_NAMES)
    payload = {"table": table, "failed": rows.amounts("failed", 90)}
    return {
        "alert_id": rows.keys(),
        "check_id": rows.recent("data_quality_checks", "check_id", created),
        "rule_id": rows.parents("data_quality_rules", "rule_id"),
        "acknowledged_by_employee_id": values.integers(
            rows.skewed("acknowledged_by", rows.world.total("company_employees")) + 1, status == 0
        ),
        "alert_timestamp": values.instants(created),
        "severity": rows.choice("severity", _SEVERITIES, (20, 45, 28, 7)),
        "status": take(words(["open", "acknowledged", "resolved", "muted"]), status),
        "title": join("Check failed on ", table),
        "message": rows.choice(
            "message", ["Zu viele NULL-Werte", "Volume dropped by 40 %", "Retard de 3 h"], nulls=0.2
        ),
        "channels": rows.choice("channels", array_pool(["email", "chat", "pager"]), nulls=0.1),
        "escalation_level": rows.numbers("escalation_level", 0, 3),
        "acknowledged_at": values.instants(acknowledged, status == 0),
        "resolved_at": values.instants(rows.later("resolved_at", acknowledged, 9_000), status != 2),
        "payload": rows.maybe("payload", json_objects(payload), 0.2),
        **rows.stamps(created),
    }


def data_validation_results(rows: Rows) -> Columns:
    created = rows.moments()
    valid = rows.chance("is_valid", 0.93)
    return {
        "validation_result_id": rows.keys(),
        "rule_id": rows.parents("data_quality_rules", "rule_id"),
        "check_id": rows.recent("data_quality_checks", "check_id", created, nulls=0.05),
        "validation_timestamp": values.instants(created),
        "table_name": rows.choice("table_name", TABLE_NAMES),
        "column_name": rows.choice("column_name", COLUMN_NAMES, nulls=0.1),
        "record_key": join("user-", values.integers(rows.whole("record_key", 1, 9_999_999))),
        "expected_value": rows.choice("expected_value", ["> 0", "not null", "ISO 3166", ""], nulls=0.2),
        "actual_value": rows.choice("actual_value", ["-1", "", "xx", "12,50", "NULL", "\\N"], nulls=0.3),
        "error_code": values.nullify(rows.choice("error_code", ["E_RANGE", "E_NULL", "E_FORMAT"]), valid),
        "is_valid": values.flags(valid),
        "detail": rows.maybe("detail", json_objects({"line": rows.numbers("line", 1, 90_000)}), 0.5),
        "created_at": values.instants(created),
    }


BUILDERS = {
    "data_quality_rules": data_quality_rules, "data_quality_checks": data_quality_checks,
    "data_quality_metrics": data_quality_metrics, "data_quality_alerts": data_quality_alerts,
    "data_validation_results": data_validation_results,
}  # fmt: skip

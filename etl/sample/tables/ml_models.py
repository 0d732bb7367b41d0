"""Domain ml_models: the registry, features, training runs, predictions, monitoring and A/B tests."""

from __future__ import annotations

import numpy as np

from etl.sample import values
from etl.sample.rows import SECOND, Rows
from etl.sample.values import Columns, array_pool, fixed_length_integers, hex_text, join, json_objects, take, words
from etl.sample.vocabulary.things import COLUMN_NAMES, TABLE_NAMES

_MODELS = (
    "churn", "conversion", "article_ranking", "headline_ctr", "topic_embedding", "paywall_meter",
    "reader_lifetime_value",
    "push_timing", "comment_toxicity", "ad_yield", "similar_articles", "demand_forecast",
)  # fmt: skip
_TYPES = ("classification", "classification", "ranking", "regression", "embedding", "classification", "regression",
          "regression", "classification", "regression", "clustering", "forecast")  # fmt: skip
_TAGS = array_pool(["production", "experiment", "gpu", "explainable", "personal-data", "nightly"])
_SEEDS = array_pool([1, 7, 13, 42, 1_234, 2_147_483_647])
_HISTOGRAM = fixed_length_integers(10, 0, 5_000)
_LABELS = ("low", "medium", "high", "recommended", "toxic", "clean")


def ml_model_registry(rows: Rows) -> Columns:
    """Three versions of each of twelve models; each version's parent is the one before."""
    kind, version = rows.index % len(_MODELS), rows.index // len(_MODELS)
    names = take(words(_MODELS), kind)
    parent = rows.index - len(_MODELS)
    hyperparameters = {"learning_rate": rows.decimals("rate", 0.001, 0.3, 4), "depth": rows.numbers("depth", 3, 12)}
    metrics = {
        "auc": rows.decimals("auc", 0.6, 0.97, 4),
        "log_loss": rows.decimals("log_loss", 0.05, 0.7, 5, nulls=0.1),
    }
    return {
        "model_id": rows.keys(),
        "parent_model_id": values.integers(parent + 1, parent < 0),
        "name": names,
        "version": join(values.integers(version + 1), ".", rows.numbers("minor", 0, 9), ".0"),
        "model_type": take(words(_TYPES), kind),
        "framework": rows.choice("framework", ["xgboost", "lightgbm", "pytorch", "sklearn", "spark-ml"]),
        "stage": rows.choice("stage", ["development", "staging", "production", "archived"]),
        "owner_employee_id": rows.parents("company_employees", "owner_employee_id", nulls=0.1),
        "artifact_uri": join("s3://models/", names, "/", rows.keys(), "/model.bin"),
        "artifact_sha256": rows.blobs("artifact_sha256", nulls=0.1),
        "size_bytes": values.integers(rows.whole("size_bytes", 10_000, 6_000_000_000), rows.nulls("size_bytes", 0.1)),
        "hyperparameters": json_objects(hyperparameters),
        "metrics": rows.maybe("metrics", json_objects(metrics), 0.1),
        "tags": rows.choice("tags", _TAGS, nulls=0.1),
        "trained_at": values.instants(rows.past(1.0), rows.nulls("trained_at", 0.1)),
        "is_active": rows.flags("is_active", 0.7),
        **rows.stamps(rows.past(2.0)),
    }


def ml_model_features(rows: Rows) -> Columns:
    low = rows.normal("minimum_value", -3, 2)
    return {
        "feature_id": rows.keys(),
        "model_id": values.integers(rows.index % rows.world.total("ml_model_registry") + 1),
        "name": join(
            rows.choice("name", ["sessions_30d", "scroll_depth", "days_since_visit", "tf_idf", "hour"]),
            "_",
            rows.keys(),
        ),
        "dataType": rows.choice("dataType", ["double", "integer", "category", "boolean", "text", "vector"]),
        "importance": values.decimals(rows.exponential("importance", 0.04), 12, rows.nulls("importance", 0.1)),
        "source_table": rows.choice("source_table", TABLE_NAMES, nulls=0.1),
        "source_column": rows.choice("source_column", COLUMN_NAMES, nulls=0.2),
        "transformation": rows.choice("transformation", ["log1p(x)", "one-hot", "x / 30", "coalesce(x, 0)"], nulls=0.4),
        "null_rate": rows.decimals("null_rate", 0, 0.4, 5),
        "minimum_value": values.decimals(low, 9, rows.nulls("minimum_value", 0.2)),
        "maximum_value": values.decimals(low + rows.exponential("range", 12), 9, rows.nulls("maximum_value", 0.2)),
        "allowed_values": rows.choice("allowed_values", array_pool(_LABELS), nulls=0.7),
        "histogram": rows.choice("histogram", _HISTOGRAM, nulls=0.2),
        "is_personal_data": rows.flags("is_personal_data", 0.2),
        **rows.stamps(rows.past(2.0)),
    }


def ml_model_training_runs(rows: Rows) -> Columns:
    created = rows.moments()
    status = rows.weighted("status", (3, 4, 78, 12, 3))
    started = rows.later("started_at", created, 120)
    succeeded = status == 2
    hyperparameters = {"seed": rows.numbers("seed", 1, 99), "learning_rate": rows.decimals("rate", 1e-5, 0.3, 6)}
    return {
        "training_run_id": rows.keys(),
        "model_id": rows.parents("ml_model_registry", "model_id"),
        "triggered_by_employee_id": rows.parents("company_employees", "triggered_by_employee_id", nulls=0.5),
        "status": take(words(["queued", "running", "succeeded", "failed", "cancelled"]), status),
        "started_at": values.instants(started, status == 0),
        "finished_at": values.instants(rows.later("finished_at", started, 5_400), status < 2),
        "rows_trained": values.integers(rows.whole("rows_trained", 10_000, 90_000_000), ~succeeded),
        "epochs": rows.numbers("epochs", 1, 60, nulls=0.2),
        "accuracy": values.decimals(rows.between("accuracy", 0.55, 0.99), 12, ~succeeded),
        "f1_score": values.decimals(rows.between("f1_score", 0.4, 0.98), 12, ~succeeded),
        "loss": values.decimals(rows.exponential("loss", 0.4), 12, ~succeeded),
        "gpu_hours": rows.decimals("gpu_hours", 0, 30, 3, nulls=0.3),
        "cost_eur": rows.money("cost_eur", 18, 4, nulls=0.1),
        "random_seeds": rows.choice("random_seeds", _SEEDS, nulls=0.1),
        "hyperparameters": json_objects(hyperparameters),
        "git_commit": rows.maybe("git_commit", hex_text(rows.bits("commit/0"), rows.bits("commit/1")), 0.1),
        "error_message": values.nullify(
            rows.choice("error_message", ["CUDA out of memory", "schéma invalide", "killed"]), status != 3
        ),
        **rows.stamps(created),
    }


def ml_model_predictions(rows: Rows) -> Columns:
    created = rows.moments()
    happened = rows.happened(created)
    score = rows.uniform("score") ** 1.7
    probabilities = {"yes": values.decimals(score, 6), "no": values.decimals(1 - score, 6)}
    features = {
        "sessions_30d": rows.amounts("sessions", 7),
        "language": rows.choice("lang", ["de", "en", "fr", "ar", "zh"]),
    }
    return {
        "prediction_id": rows.keys(),
        "model_id": rows.parents("ml_model_registry", "model_id", power=2),
        "request_id": rows.uuids("request_id"),
        "user_id": rows.parents("users", "user_id", nulls=0.15, power=2),
        "article_id": rows.recent("editorial_articles", "article_id", happened, nulls=0.3),
        "prediction_timestamp": values.instants(happened),
        "score": values.decimals(score, 15),
        "label": rows.choice("label", _LABELS, nulls=0.2),
        "probabilities": rows.maybe("probabilities", json_objects(probabilities), 0.2),
        "features": rows.maybe("features", json_objects(features), 0.1),
        "latency_ms": rows.decimals("latency_ms", 0.4, 80, 3, nulls=0.05),
        "is_fallback": rows.flags("is_fallback", 0.02),
        "created_at": values.instants(created),
    }


def ml_model_monitoring(rows: Rows) -> Columns:
    created = rows.moments()
    window_end = created // (3_600 * SECOND) * (3_600 * SECOND)
    hours = rows.whole("hours", 1, 24) * 3_600 * SECOND
    return {
        "monitoring_id": rows.keys(),
        "model_id": rows.parents("ml_model_registry", "model_id"),
        "check_timestamp": values.instants(created),
        "metric_name": rows.choice("metric_name", ["auc", "psi", "latency_p95", "null_rate", "calibration"]),
        "metric_value": values.decimals(rows.normal("metric_value", 0.7, 0.2), 12, rows.nulls("metric_value", 0.03)),
        "threshold": rows.decimals("threshold", 0.5, 0.9, 2, nulls=0.1),
        "drift": values.decimals(np.minimum(rows.exponential("drift", 0.05), 9), 6, rows.nulls("drift", 0.1)),
        "status": rows.choice("status", ["ok", "warning", "critical", "unknown"], (86, 9, 3, 2)),
        "sample_size": rows.amounts("sample_size", 8_000),
        "window_start": values.local_times(window_end - hours),
        "window_end": values.local_times(window_end),
        "details": rows.maybe("details", json_objects({"segment": rows.choice("segment", _LABELS)}), 0.4),
        **rows.stamps(created, share=0.2),
    }


def ml_model_ab_tests(rows: Rows) -> Columns:
    created = rows.moments()
    models = rows.world.total("ml_model_registry")
    model_a = rows.whole("model_a_id", 0, models - 1)
    model_b = (model_a + rows.whole("model_b_id", 1, models - 1)) % models
    winner = np.where(rows.chance("winner", 0.5), model_a, model_b)
    day = rows.days_of(created)
    results = {"uplift": rows.decimals("uplift", -0.1, 0.2, 4), "samples": rows.amounts("samples", 40_000)}
    return {
        "ab_test_id": rows.keys(),
        "name": join(rows.choice("name", _MODELS), " test ", rows.keys()),
        "model_a_id": values.integers(model_a + 1),
        "model_b_id": values.integers(model_b + 1),
        "winner_model_id": values.integers(winner + 1, rows.nulls("winner_model_id", 0.5)),
        "brand_id": rows.parents("brands", "brand_id", nulls=0.3),
        "status": rows.choice("status", ["planned", "running", "stopped", "concluded"], (1, 4, 1, 4)),
        "hypothesis": rows.choice(
            "hypothesis", ["Mehr Klicks bei kürzeren Listen", "Fewer repeats keep readers"], nulls=0.3
        ),
        "primary_metric": rows.choice("primary_metric", ["ctr", "conversion", "dwell_time"]),
        "traffic_percent": rows.numbers("traffic_percent", 1, 50),
        "starts_on": values.dates(day + 1),
        "ends_on": values.dates(day + rows.whole("ends_on", 8, 60), rows.nulls("ends_on", 0.3)),
        "p_value": values.decimals(rows.uniform("p_value") ** 3, 12, rows.nulls("p_value", 0.4)),
        "segment_ids": rows.choice("segment_ids", array_pool(range(1, 30)), nulls=0.3),
        "results": rows.maybe("results", json_objects(results), 0.4),
        **rows.stamps(created),
    }


BUILDERS = {
    "ml_model_registry": ml_model_registry, "ml_model_features": ml_model_features,
    "ml_model_training_runs": ml_model_training_runs, "ml_model_predictions": ml_model_predictions,
    "ml_model_monitoring": ml_model_monitoring, "ml_model_ab_tests": ml_model_ab_tests,
}  # fmt: skip

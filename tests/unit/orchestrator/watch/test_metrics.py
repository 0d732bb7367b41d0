from __future__ import annotations

from datetime import timedelta

import pytest

from etl.orchestrator.values import ErrorType, Failure
from etl.orchestrator.watch.metrics import Metrics
from tests.unit.orchestrator.work.claims import TICK, claim_of

JOB = {"etl_job": "a", "layer": "bronze"}
KILLED = Failure(ErrorType.SIGNAL, "SIGKILL", "killed", is_transient=True)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("worker")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"orchestrator_{name}", labels)


def test_series_stand_at_zero_when_a_job_is_first_seen(metrics: Metrics) -> None:
    metrics.attempt_began(claim_of())
    assert [value(metrics, "attempts_total", **JOB, status=how) for how in ("success", "failed", "queued")] == [0, 0, 0]
    assert value(metrics, "retries_total", **JOB) == 0


@pytest.mark.parametrize(
    ("changes", "count", "seconds"),
    [
        ({"started_at": TICK + timedelta(seconds=90)}, 1, 90),
        ({"started_at": TICK - timedelta(seconds=1)}, 1, 0),
        ({"attempt": 2}, None, None),
        ({"cycle_id": "manual-12345678"}, None, None),
        ({"cycle_id": "backfill-12345678-2026-11-01T02:00:00Z"}, None, None),
    ],
)
def test_late_is_the_first_attempt_of_what_a_tick_made(
    metrics: Metrics, changes: dict[str, object], count: float | None, seconds: float | None
) -> None:
    metrics.attempt_began(claim_of(**changes))
    assert value(metrics, "lateness_seconds_count", layer="bronze") == count
    assert value(metrics, "lateness_seconds_sum", layer="bronze") == seconds


@pytest.mark.parametrize(
    ("how", "failures", "retries"), [("failed", 1, 0), ("queued", 1, 1), ("cancelled", None, 0), ("fenced", None, 0)]
)
def test_a_failure_is_counted_where_it_decides_something(
    metrics: Metrics, how: str, failures: float | None, retries: float
) -> None:
    metrics.attempt_began(claim_of())
    metrics.attempt_ended(claim_of(), how, 2.5, KILLED)
    kind = {"error_type": "signal", "error_class": "SIGKILL", "judged": "transient"}
    assert value(metrics, "failures_total", **JOB, **kind) == failures
    assert value(metrics, "retries_total", **JOB) == retries
    assert value(metrics, "attempts_total", **JOB, status=how) == 1
    assert value(metrics, "run_duration_seconds_sum", **JOB, status=how) == 2.5


def test_alerts_are_counted_by_channel_and_kind(metrics: Metrics) -> None:
    metrics.alert_sent("ops", "failure")
    metrics.alert_not_sent("ops", "failure", is_given_up=False)
    metrics.alert_not_sent("ops", "failure", is_given_up=True)
    of = {"channel": "ops", "kind": "failure"}
    found = [value(metrics, f"{name}_total", **of) for name in ("alerts_sent", "alert_failures", "alerts_given_up")]
    assert found == [1, 2, 1]


def test_ticks_and_lost_runs_are_counted(metrics: Metrics) -> None:
    metrics.ticks_seen(3, 1)
    metrics.run_taken_away("a", "queued")
    assert (value(metrics, "ticks_made_total"), value(metrics, "ticks_missed_total")) == (3, 1)
    assert value(metrics, "lost_attempts_total", etl_job="a") == 1

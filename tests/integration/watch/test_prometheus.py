"""What a real Prometheus shows: every panel has a number after one run, pushed or scraped; every rule works."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.model import Destination
from etl.project import PROJECT_DIR
from etl.report.metrics import LoadMetrics
from etl.report.values import report_of
from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.failures import Failure
from etl.staging.watch.metrics import Metrics
from tests.debian import free_port
from tests.patience import until
from tests.prometheus import Prometheus, prometheus
from tests.promql import dashboard_queries
from tests.unit.report.facts import MAINTAINED, NOT_MAINTAINED, Finished, Record
from tests.unit.report.test_metrics import Mark
from tests.unit.staging.runs import RUN

pytestmark = pytest.mark.slow

GRAFANA = PROJECT_DIR / "conf" / "grafana"
INTERVAL = {"$__rate_interval": "1m"}
MAIN = {**INTERVAL, "$table": ".*", "$destination": ".*"}
STAGING = [*dashboard_queries(GRAFANA / "staging.json", {**INTERVAL, "$staging_job": "JOB"})]
OF_ITS_END = ("staging_run_success", "staging_run_finished")
OF_STAGING = [
    *(("ended", query) for query in STAGING),
    *(("goes_on", query) for query in STAGING if not any(name in query for name in OF_ITS_END)),
]
"""A run that goes on has no end yet."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """After a run of the main job that failed in one store, and staging runs: one that was pushed, one that goes on."""
    port = free_port()
    goes_on = _staging("goes_on")
    goes_on.serve(port)
    with prometheus(tmp_path_factory.mktemp("prometheus"), [port]) as server:
        _main_job().push(server.gateway)
        ended = _staging("ended")
        ended.run_finished(
            replace(RUN, rows_attempted=200, rows_inserted=90, rows_updated=5, rows_unchanged=5, rows_invalid=7)
        )
        ended.push(server.gateway)
        until(lambda: server.values("count_over_time(etl_run_success[1m]) > 2"))
        until(lambda: server.values('count_over_time(staging_error_rate{staging_job="goes_on"}[1m]) > 2'))
        yield server


def _main_job() -> LoadMetrics:
    ended = datetime.now(UTC)
    run = Finished(started_at=ended - timedelta(seconds=30), finished_at=ended)
    failed = replace(
        Record(), destination=Destination.CLICKHOUSE, status="failed", error_class="StoreError", error_message="no"
    )
    old = Mark(mark="2026-11-01T00:00:00", updated_at=ended - timedelta(hours=30))
    report = replace(report_of(run, [Record(), failed]), maintenance=(MAINTAINED, NOT_MAINTAINED))
    return LoadMetrics(report, [Record(), failed], [old])


def _staging(job: str) -> Metrics:
    metrics = Metrics()
    metrics.run_started("run", job)
    metrics.batch_stored(PreparedBatch(0, {}, 100, rows_invalid=7), Stored(90, 5, 5, 0), 0.03)
    metrics.batch_failed(PreparedBatch(1, {}, 100), Failure("x", "y"))
    return metrics


@pytest.mark.parametrize("query", [*dashboard_queries(GRAFANA / "main.json", MAIN)])
def test_every_panel_of_the_main_job_shows_a_number(asked: Prometheus, query: str) -> None:
    found = asked.values(query)
    assert found and not any(map(math.isnan, found))


@pytest.mark.parametrize(("job", "query"), OF_STAGING)
def test_every_panel_of_the_staging_loader_shows_a_number(asked: Prometheus, job: str, query: str) -> None:
    found = asked.values(query.replace("JOB", job))
    assert found and not any(map(math.isnan, found))


@pytest.mark.parametrize("job", ["ended", "goes_on"])
def test_p95_and_error_rate_show_for_short_and_long_runs(asked: Prometheus, job: str) -> None:
    (p95,) = asked.values(f'staging_batch_duration_ms_p95{{staging_job="{job}"}}')
    (rate,) = asked.values(f'staging_error_rate{{staging_job="{job}"}}')
    assert p95 == 30
    assert 0 < rate < 1


def test_every_rule_is_evaluated_and_those_of_the_main_job_fire_in_words(asked: Prometheus) -> None:
    def rules() -> dict[str, dict[str, Any]]:
        return asked.rules()

    until(lambda: all(rule["health"] == "ok" for rule in rules().values()))
    until(lambda: rules()["EtlTableNotLoaded"]["state"] == "firing")
    found = {name: rule["alerts"] for name, rule in rules().items() if name.startswith("Etl")}
    assert set(found) >= {"EtlRunFailed", "EtlNoRun", "EtlLoadFailed", "EtlTableNotLoaded", "EtlWatermarkStands"}
    assert found["EtlNoRun"] == []
    assert [alert["state"] for alert in found["EtlRunFailed"]] == ["firing"]
    (failed,) = found["EtlLoadFailed"]
    assert failed["annotations"]["summary"] == "orders was not loaded into clickhouse: StoreError"
    assert "--tables orders --load-destinations clickhouse" in failed["annotations"]["description"]
    (unkept,) = found["EtlMaintenanceFailed"]
    assert unkept["annotations"]["summary"] == "Upkeep of users in s3 failed"
    (old,) = found["EtlTableNotLoaded"]
    assert old["annotations"]["summary"].startswith("orders was last loaded into clickhouse 1d 6h 0m")
    assert {alert["labels"]["destination"] for alert in found["EtlManyRejected"]} == {"s3", "clickhouse"}

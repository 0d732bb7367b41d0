"""The names and labels that docs/metrics.md promises, and what they hold after a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl.model import Destination, LoadStatus, RunStatus
from etl.project import PROJECT_DIR
from etl.report.metrics import LoadMetrics
from etl.report.values import report_of
from etl.retrying import RETRIES
from tests.gateway import gateway
from tests.promql import alert_rules, dashboard_queries, missing
from tests.unit.report.facts import MAINTAINED, NOT_MAINTAINED, Finished, Record

LOADED = datetime(2026, 11, 19, 3, 0, tzinfo=UTC)
FAILED = replace(
    Record(),
    destination=Destination.CLICKHOUSE,
    status="failed",
    error_class="StoreError",
    error_message="no",
    seconds=0,
)
GONE = replace(Record(), destination=Destination.POSTGRESQL, status="running")


DASHBOARD = PROJECT_DIR / "conf" / "grafana" / "main.json"
RULES = PROJECT_DIR / "conf" / "prometheus" / "main.rules.yaml"
VARIABLES = {"$table": ".*", "$destination": ".*"}
QUERIES = [*dashboard_queries(DASHBOARD, VARIABLES), *(rule["expr"] for rule in alert_rules(RULES))]


@dataclass(frozen=True)
class Mark:
    table_name: str = "orders"
    destination: Destination = Destination.CLICKHOUSE
    mark: str | None = "2026-11-18T22:15:00+00:00"
    updated_at: datetime = LOADED


def metrics_of(*records: Record, marks: tuple[Mark, ...] = ()) -> LoadMetrics:
    report = replace(report_of(Finished(), records, rejects=7), maintenance=(MAINTAINED, NOT_MAINTAINED))
    return LoadMetrics(report, records, marks)


def samples(metrics: LoadMetrics, folder: Path) -> dict[tuple[str, ...], float]:
    """By name, table, destination, and what else there is."""
    metrics.write(folder / "etl.prom")
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels, key=_place))): sample.value
        for family in text_string_to_metric_families((folder / "etl.prom").read_text())
        for sample in family.samples
    }


def _place(label: str) -> int:
    return ("table", "destination").index(label) if label in ("table", "destination") else 2


def test_how_each_load_went(tmp_path: Path) -> None:
    found = samples(metrics_of(replace(Record(), bytes_written=4096), FAILED, GONE), tmp_path)
    outcomes = {name[3]: value for name, value in found.items() if name[:3] == ("etl_load_rows", "orders", "s3")}
    assert outcomes == {
        "inserted": 4, "updated": 1, "unchanged": 1, "skipped": 1, "rejected": 2, "deduplicated": 1, "deleted": 3,
    }  # fmt: skip
    at = ("orders", "s3")
    assert (found["etl_load_rows_read", *at], found["etl_load_bytes", *at]) == (10, 4096)
    assert (found["etl_load_duration_seconds", *at], found["etl_load_rows_per_second", *at]) == (0.5, 20)
    assert found["etl_load_rows_per_second", "orders", "clickhouse"] == 0
    assert {name[2]: value for name, value in found.items() if name[0] == "etl_load_success"} == {
        "s3": 1, "clickhouse": 0, "postgresql": 0,
    }  # fmt: skip
    assert {name[2:]: value for name, value in found.items() if name[0] == "etl_load_failures"} == {
        ("clickhouse", "StoreError"): 1, ("postgresql", "NeverEnded"): 1,
    }  # fmt: skip


def test_how_upkeep_went(tmp_path: Path) -> None:
    found = samples(metrics_of(), tmp_path)
    assert {name[1:]: value for name, value in found.items() if name[0] == "etl_maintenance_success"} == {
        ("orders", "s3"): 1, ("users", "s3"): 0,
    }  # fmt: skip


def test_how_the_run_went(tmp_path: Path) -> None:
    run = Finished(status=RunStatus.SUCCESS)
    found = samples(LoadMetrics(report_of(run, [Record()], rejects=7), [Record()], []), tmp_path)
    assert run.finished_at is not None
    assert found["etl_run_success",] == 1
    assert found["etl_run_duration_seconds",] == 12.5
    assert found["etl_run_finished_timestamp_seconds",] == run.finished_at.timestamp()
    assert found["etl_run_rejects",] == 7
    assert samples(metrics_of(FAILED), tmp_path)["etl_run_success",] == 0


def test_how_old_what_is_loaded_is(tmp_path: Path) -> None:
    """Also of tables that the run left out; a load that failed makes nothing younger."""
    elsewhere = Mark("invoices", Destination.S3, "41")
    found = samples(metrics_of(Record(), FAILED, marks=(Mark(), elsewhere)), tmp_path)
    run = Finished()
    assert run.finished_at is not None
    assert {name[1:]: value for name, value in found.items() if name[0] == "etl_last_success_timestamp_seconds"} == {
        ("orders", "s3"): run.finished_at.timestamp(),
        ("orders", "clickhouse"): LOADED.timestamp(),
        ("invoices", "s3"): LOADED.timestamp(),
    }
    marked = datetime(2026, 11, 18, 22, 15, tzinfo=UTC).timestamp()
    watermarks = {name[1:]: value for name, value in found.items() if name[0] == "etl_watermark_timestamp_seconds"}
    assert watermarks == {("orders", "clickhouse"): marked}


@pytest.mark.parametrize(
    ("mark", "instant"),
    [
        ("2026-11-18", datetime(2026, 11, 18, tzinfo=UTC)),
        ("2026-11-18 22:15:00.000001", datetime(2026, 11, 18, 22, 15, 0, 1, tzinfo=UTC)),
        ("2026-11-18T22:15:00+02:00", datetime(2026, 11, 18, 20, 15, tzinfo=UTC)),
        ("20241231", None),
        ("-5", None),
        ("a-b", None),
        (None, None),
    ],
)
def test_only_instants_have_an_age(tmp_path: Path, mark: str | None, instant: datetime | None) -> None:
    found = samples(metrics_of(Record(), marks=(Mark(mark=mark),)), tmp_path)
    watermark = found.get(("etl_watermark_timestamp_seconds", "orders", "clickhouse"))
    assert watermark == (instant.timestamp() if instant else None)


def test_a_skipped_load_is_no_failure_and_makes_nothing_younger(tmp_path: Path) -> None:
    found = samples(metrics_of(replace(Record(), status=LoadStatus.SKIPPED)), tmp_path)
    assert found["etl_load_success", "orders", "s3"] == 1
    assert ("etl_last_success_timestamp_seconds", "orders", "s3") not in found


def test_all_runs_are_pushed_under_one_name() -> None:
    with gateway() as (address, received):
        metrics_of(Record()).push(address)
    ((method, path, body),) = received
    assert (method, path) == ("PUT", "/metrics/job/etl")
    assert 'etl_load_rows{destination="s3",outcome="inserted",table="orders"} 4.0' in body


def test_every_series_is_described(tmp_path: Path) -> None:
    told = (PROJECT_DIR / "docs" / "metrics.md").read_text()
    found = samples(metrics_of(Record(), FAILED, marks=(Mark(),)), tmp_path)
    names = {name[0] for name in found if not name[0].endswith("_created")}  # the library's own, of counters
    assert {name for name in names if f"`{name}`" not in told} == set()


@pytest.mark.parametrize("query", QUERIES)
def test_dashboard_and_rules_ask_for_what_there_is(query: str) -> None:
    RETRIES.labels("query retried").inc()
    found = list(metrics_of(Record(), FAILED, marks=(Mark(),)).registry.collect())
    assert missing(query, found) == []

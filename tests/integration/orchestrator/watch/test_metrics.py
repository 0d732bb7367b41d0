"""A real scheduler and a real worker, scraped after runs that ended in every way: what they say, and what dashboard and
alert rules ask of it."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from tests.debian import free_port
from tests.integration.orchestrator.watch.night import ended_runs, night
from tests.promql import alert_rules, dashboard_queries, missing

pytestmark = pytest.mark.stack

DASHBOARD = PROJECT_DIR / "conf" / "grafana" / "orchestrator.json"
RULES = PROJECT_DIR / "conf" / "prometheus" / "orchestrator.rules.yaml"
VARIABLES = {"$__rate_interval": "5m", "$etl_job": ".*", "$layer": ".*"}


@dataclass(frozen=True)
class Night:
    """What was scraped, and what the database said at that time."""

    scraped: list[Metric]
    runs: list[tuple[str, str, int]]
    """Job, status and attempts of each run that ended."""

    def value(self, name: str, **labels: str) -> float:
        """Of all series with these labels together; of scheduler and worker each has those that it counts."""
        found = [
            sample.value for metric in self.scraped for sample in metric.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]  # fmt: skip
        assert found, f"no series {name} {labels}"
        return sum(found)


@pytest.fixture(name="night", scope="module")
def scraped_night(
    orchestrator_settings: PostgreSQLSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Night]:
    ports = free_port(), free_port()
    with night(orchestrator_settings, tmp_path_factory.mktemp("night"), ports) as under_way:
        yield Night([metric for port in ports for metric in _scrape(port)], ended_runs(under_way.execute))


def _scrape(port: int) -> list[Metric]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def test_counters_say_what_became_of_the_runs(night: Night) -> None:
    ended = night.runs
    assert night.value("orchestrator_attempts_total", status="success") == len(
        [run for run in ended if run[1] == "success"]
    )
    assert night.value("orchestrator_attempts_total", etl_job="bad", status="queued") == 1
    assert night.value("orchestrator_attempts_total", etl_job="bad", status="failed") == 1
    assert night.value("orchestrator_retries_total", etl_job="bad", layer="silver") == 1
    assert night.value("orchestrator_failures_total", etl_job="bad", judged="unknown") == 2
    assert (
        night.value("orchestrator_failures_total", etl_job="mistaken", error_type="exit_code", judged="permanent") == 1
    )
    assert night.value("orchestrator_lost_attempts_total", etl_job="lost") == 1
    assert night.value("orchestrator_run_duration_seconds_count", etl_job="good", status="success") == 1
    assert night.value("orchestrator_queued_seconds_count") > len(ended)  # an attempt more: that of `bad`
    ticked = len([run for run in ended if run[0] == "ticking"])
    assert night.value("orchestrator_lateness_seconds_count") == ticked
    assert night.value("orchestrator_ticks_made_total") >= ticked >= 1


def test_gauges_say_what_stands_in_the_database(night: Night) -> None:
    assert night.value("orchestrator_database_up") == 1
    assert night.value("orchestrator_processes", kind="scheduler") == 1
    assert night.value("orchestrator_processes", kind="worker") == 1
    assert 0 <= night.value("orchestrator_heartbeat_age_seconds", kind="worker") < 30
    assert night.value("orchestrator_active_locks") >= 1
    assert night.value("orchestrator_lock_held_seconds", etl_job="holds", concurrency_key="shared") > 0
    assert night.value("orchestrator_lock_wait_runs") == night.value("orchestrator_queue_runs", state="ready") == 1
    assert 0 < night.value("orchestrator_lock_wait_seconds") <= night.value("orchestrator_queue_seconds")
    failing = {job: night.value("orchestrator_job_failing", etl_job=job) for job in ("good", "bad", "lost", "behind")}
    assert failing == {"good": 0, "bad": 1, "lost": 1, "behind": 0}
    assert night.value("orchestrator_alerts_sent_total", channel="ops", kind="failure") == 3
    assert night.value("orchestrator_alert_failures_total", channel="ops", kind="failure") == 1
    assert night.value("orchestrator_alerts", status="pending") == 0


def test_every_query_of_the_dashboard_finds_its_series(night: Night) -> None:
    queries = list(dashboard_queries(DASHBOARD, VARIABLES))
    assert len(queries) >= 20
    assert {query: gone for query in queries if (gone := missing(query, night.scraped))} == {}


def test_every_alert_rule_finds_its_series(night: Night) -> None:
    queries = [rule["expr"] for rule in alert_rules(RULES)]
    assert len(queries) >= 10
    assert {query: gone for query in queries if (gone := missing(query, night.scraped))} == {}


def test_every_metric_is_shown_or_watched(night: Night) -> None:
    asked = " ".join([*dashboard_queries(DASHBOARD, VARIABLES), *(rule["expr"] for rule in alert_rules(RULES))])
    ours = {metric.name for metric in night.scraped if metric.name.startswith(("orchestrator_", "etl_retries"))}
    assert {name for name in ours if name not in asked and not name.endswith("_created")} == set()


def test_rules_name_only_labels_that_their_queries_keep() -> None:
    for rule in alert_rules(RULES):
        assert rule["labels"]["severity"] in ("warning", "critical")
        told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        kept = {label.strip() for by in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in by.split(",")}
        assert told <= kept, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}

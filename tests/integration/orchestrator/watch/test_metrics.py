"""A real scheduler and a real worker, scraped after runs that ended in every way: what they say, and what dashboard and
alert rules ask of it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from psycopg2.extras import Json

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.project import PROJECT_DIR
from tests.databases import Execute, statements_of
from tests.integration.orchestrator.conftest import EMPTY, SCHEMA, environment_of
from tests.integration.orchestrator.queue.queued import add_job, ask
from tests.integration.orchestrator.schedule.scheduled import add_scheduled
from tests.promql import alert_rules, dashboard_queries, missing
from tests.receivers import http_receiver

pytestmark = pytest.mark.stack

DASHBOARD = PROJECT_DIR / "conf" / "grafana" / "orchestrator.json"
RULES = PROJECT_DIR / "conf" / "prometheus" / "orchestrator.rules.yaml"
VARIABLES = {"$__rate_interval": "5m", "$etl_job": ".*", "$layer": ".*"}
PATIENCE_SECONDS = 90


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


@pytest.fixture(scope="module")
def night(orchestrator_settings: PostgreSQLSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    with ExitStack() as stack:
        execute = stack.enter_context(statements_of(orchestrator_settings))
        execute(f"SET search_path = {SCHEMA}")
        execute(EMPTY)
        web = stack.enter_context(http_receiver(refusals=1))
        (folder / "etl.yaml").write_text(
            'alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops, on: failure, dedupe: 0}]}'
        )
        environ = {**environment_of(orchestrator_settings), "OPS_URL": f"json://127.0.0.1:{web.port}/"}
        database = OrchestratorDatabase(orchestrator_settings, SCHEMA)
        stack.callback(database.close)
        _jobs(execute)
        ask(database, "good", "bad", "mistaken", cycle_id="manual-1")
        ports = [_free_port(), _free_port()]
        scheduler = ["scheduler", "--metrics-port", str(ports[0])]
        worker = ["worker", "--slots", "4", "--metrics-port", str(ports[1])]
        stack.enter_context(_process(scheduler, folder, environ))
        _until(lambda: execute("SELECT channel FROM dw_etl_alert_rules"))
        stack.enter_context(_process(worker, folder, environ))
        _until(lambda: _statuses(execute) >= {("good", "success"), ("bad", "failed"), ("mistaken", "failed")})
        _until(lambda: ("ticking", "success") in _statuses(execute))
        _lose_one(database, execute)
        ask(database, "holds", cycle_id="manual-3")
        ask(database, "behind", cycle_id="manual-3")
        _until(lambda: ("holds", "running") in _statuses(execute))
        _until(lambda: _told(execute) >= 3)
        yield Night([metric for port in ports for metric in _scrape(port)], _ended(execute))


def _jobs(execute: Execute) -> None:
    add_job(execute, "good", command=Json({"argv": ["true"]}))
    add_job(execute, "bad", command=Json({"argv": ["false"]}), retries=1, backoff_seconds=0, layer="silver")
    add_job(execute, "mistaken", command=Json({"argv": ["sh", "-c", "exit 2"]}))
    add_job(execute, "lost", command=Json({"argv": ["sleep", "600"]}), retries=0)
    add_job(execute, "holds", command=Json({"argv": ["sleep", "600"]}), concurrency_key="shared", priority=1)
    add_job(execute, "behind", command=Json({"argv": ["true"]}), concurrency_key="shared")
    add_scheduled(execute, "ticking", "0 0 1 1 *", grace_seconds=60)
    execute("UPDATE dw_etl_jobs SET command = %s WHERE slug = 'ticking'", (Json({"argv": ["true"]}),))
    execute("UPDATE dw_etl_schedules SET cron = '* * * * *', next_run_at = date_trunc('minute', clock_timestamp())")


def _lose_one(database: OrchestratorDatabase, execute: Execute) -> None:
    ask(database, "lost", cycle_id="manual-2")
    _until(lambda: ("lost", "running") in _statuses(execute))
    execute(
        "UPDATE dw_etl_job_locks SET expires_at = clock_timestamp() - interval '1 minute' FROM dw_etl_jobs"
        " WHERE dw_etl_jobs.job_id = dw_etl_job_locks.job_id AND slug = 'lost' AND status = 'active'"
    )
    _until(lambda: ("lost", "failed") in _statuses(execute))


def _told(execute: Execute) -> int:
    """Alerts that arrived; what was refused is made due."""
    execute("UPDATE dw_etl_alerts SET next_attempt_at = clock_timestamp() WHERE last_error IS NOT NULL")
    ((count,),) = execute("SELECT count(*) FROM dw_etl_alerts WHERE status = 'sent'")
    return int(count)


def _statuses(execute: Execute) -> set[tuple[str, str]]:
    return set(execute("SELECT slug, status FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id)"))


def _ended(execute: Execute) -> list[tuple[str, str, int]]:
    return execute(
        "SELECT slug, status, attempts FROM dw_etl_runs JOIN dw_etl_jobs USING (job_id) WHERE ended_at IS NOT NULL"
    )


def _until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@contextmanager
def _process(command: list[str], folder: Path, environ: dict[str, str]) -> Iterator[None]:
    words = [sys.executable, "-m", "etl.orchestrator", *command, "--config-dir", str(folder)]
    with subprocess.Popen(words, env=environ, cwd=PROJECT_DIR, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_SECONDS)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


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

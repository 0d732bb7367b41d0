"""What a real Prometheus shows of a scheduler and a worker that it scrapes: every panel a number, every rule works."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from tests.debian import free_port
from tests.integration.orchestrator.queue.queued import ask
from tests.integration.orchestrator.watch.night import night
from tests.patience import until
from tests.prometheus import Prometheus, prometheus
from tests.promql import alert_rules, dashboard_queries

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DASHBOARD = PROJECT_DIR / "conf" / "grafana" / "orchestrator.json"
RULES = PROJECT_DIR / "conf" / "prometheus" / "orchestrator.rules.yaml"
VARIABLES = {"$__rate_interval": "5m", "$etl_job": ".*", "$layer": ".*"}
TICKED = "sum(increase(orchestrator_lateness_seconds_count[5m]))"


@pytest.fixture(scope="module")
def asked(orchestrator_settings: PostgreSQLSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """What was seen once has no rate: runs end, and ticks come, twice."""
    ports = free_port(), free_port()
    with (
        prometheus(tmp_path_factory.mktemp("prometheus"), ports) as server,
        night(orchestrator_settings, tmp_path_factory.mktemp("night"), ports) as under_way,
    ):
        until(lambda: server.values('orchestrator_run_duration_seconds_count{etl_job="ticking"}'))
        ask(under_way.database, "good", "bad", "mistaken", cycle_id="manual-4")
        under_way.until_ended(("good", "success"), ("bad", "failed"), ("mistaken", "failed"), times=2)
        until(lambda: sum(server.values(TICKED)) > 0, seconds=120)
        yield server


@pytest.mark.parametrize("query", [*dashboard_queries(DASHBOARD, VARIABLES)])
def test_every_panel_shows_a_number(asked: Prometheus, query: str) -> None:
    found = asked.values(query)
    assert found and not any(map(math.isnan, found))


def test_every_rule_is_evaluated_and_one_fires_for_each_job_that_fails(asked: Prometheus) -> None:
    ours = {rule["alert"] for rule in alert_rules(RULES)}
    until(lambda: all(asked.rules()[name]["health"] == "ok" for name in ours))
    until(lambda: asked.rules()["OrchestratorJobFailing"]["state"] == "firing", seconds=120)
    found = {name: asked.rules()[name] for name in ours}
    failing = {alert["labels"]["etl_job"]: alert["annotations"] for alert in found["OrchestratorJobFailing"]["alerts"]}
    assert set(failing) == {"bad", "mistaken", "lost"}
    assert failing["bad"]["summary"] == "The last run of bad failed"
    assert "`etl orchestrator job show bad`" in failing["bad"]["description"]
    quiet = {name for name, rule in found.items() if rule["state"] == "inactive"}
    assert quiet == ours - {"OrchestratorJobFailing"}

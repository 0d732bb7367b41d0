from __future__ import annotations

from pathlib import Path

import pytest

from etl.alerts.channels import Channels
from etl.orchestrator.database.database import OrchestratorDatabase
from tests.databases import Execute
from tests.integration.orchestrator.alerting.conftest import courier
from tests.integration.orchestrator.command.conftest import Orchestrate
from tests.integration.orchestrator.queue.queued import add_job, ask, claim_one, fail
from tests.receivers import http_receiver

pytestmark = pytest.mark.stack

ALERTS = 'alerts: {channels: {ops: "${OPS_URL:-}"}}'


@pytest.fixture
def configured(tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").write_text(ALERTS)


@pytest.mark.usefixtures("configured")
def test_a_channel_is_tried(orchestrate: Orchestrate, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(refusals=1) as web:
        monkeypatch.setenv("OPS_URL", f"json://u:hunter22@127.0.0.1:{web.port}/hooks/s3cr3t-hook-0")
        refused = orchestrate("alert", "test", "ops")
        taken = orchestrate("alert", "test", "ops")
        as_json = orchestrate("alert", "test", "ops", "--json")
    assert (refused.code, taken.code) == (1, 0)
    assert refused.err.startswith("channel 'ops' did not take it: Failed to send JSON POST notification: ")
    assert "error=503" in refused.err
    assert taken.out == "channel ops took it\n"
    assert as_json.json == {"channel": "ops", "taken": True}
    ((subject, body), _) = web.taken
    assert subject == "test: ownlens-etl"
    assert body.startswith("So alerts of ownlens-etl arrive in channel ops. Sent by ")
    assert not [secret for secret in ("hunter22", "s3cr3t-hook-0") if secret in refused.err + taken.err]


@pytest.mark.usefixtures("configured")
def test_a_channel_that_is_unknown_or_off_is_bad_use(orchestrate: Orchestrate) -> None:
    unknown, off = orchestrate("alert", "test", "opps"), orchestrate("alert", "test", "ops")
    assert (unknown.code, off.code) == (2, 2)
    assert unknown.err == "unknown channel 'opps'; did you mean 'ops'? (alerts.channels of etl.yaml)\n"
    said = "channel 'ops' has no URL; set the variable that alerts.channels.ops names in etl.yaml\n"
    assert off.err == said


def test_alerts_are_listed(orchestrate: Orchestrate, database: OrchestratorDatabase, execute: Execute) -> None:
    assert orchestrate("alert", "list").out == "no alerts\n"
    execute(
        "INSERT INTO dw_etl_alert_rules (channel, kinds, dedupe_seconds)"
        " VALUES ('ops', '{failure}', 60), ('dead', '{failure}', 0)"
    )
    add_job(execute, "a_job")
    for cycle_id in ("1", "2"):
        ask(database, "a_job", cycle_id=cycle_id)
        fail(database, claim_one(database))
    with http_receiver() as web:
        courier(database, Channels({"ops": f"json://127.0.0.1:{web.port}/"}), "ops").deliver()

    every = orchestrate("alert", "list", "--json").json
    assert {(each["run_id"], each["channel"], each["status"]) for each in every} == {
        (1, "ops", "sent"), (2, "ops", "suppressed"), (1, "dead", "pending"), (2, "dead", "pending"),
    }  # fmt: skip
    pending = orchestrate("alert", "list", "--status", "pending", "--channel", "dead", "--run", "2", "--json").json
    assert [(each["run_id"], each["slug"], each["kind"]) for each in pending] == [(2, "a_job", "failure")]
    assert len(orchestrate("alert", "list", "--limit", "3", "--json").json) == 3

    table = [line.split() for line in orchestrate("alert", "list", "--channel", "ops").out.splitlines()]
    assert table[0][:2] == ["alert", "written"]
    assert [(row[4], row[5], row[6], row[7]) for row in table[1:]] == [
        ("a_job", "2", "ops", "suppressed"),
        ("a_job", "1", "ops", "sent"),
    ]

"""The main job under a real Airflow: a retry resumes, a report is in XCom, and no secret anywhere.

The tests share one Airflow and one source; each has tables of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, urlsplit

import pytest

from etl.config.configuration import load_configuration
from etl.ledger import Ledger
from tests.databases import Execute, statements_of
from tests.e2e.airflow import Airflow, airflow
from tests.e2e.conftest import Newcomer

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(3600)]

URLS = ("ETL_SOURCE_POSTGRES_URL", "ETL_POSTGRES_URL", "ETL_CLICKHOUSE_URL")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CONNECTIONS = ("OWNLENS_SOURCE", "OWNLENS_POSTGRESQL", "OWNLENS_CLICKHOUSE")


@pytest.fixture(scope="module")
def servers(newcomer: Newcomer) -> dict[str, str]:
    newcomer.run(sys.executable, "-m", "etl.stack", "up")
    variables = newcomer.variables()
    someone = Newcomer({**newcomer.environment, **variables}, newcomer.reports)
    someone.run(sys.executable, "-m", "etl.sample")
    return variables


@pytest.fixture(scope="module")
def flow(newcomer: Newcomer, servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Whatever has a password or key is a connection of Airflow's; its processes know no variable of ours that has."""
    keys = {"conn_type": "aws", "login": servers[KEYS[0]], "password": servers[KEYS[1]]}
    connections = {
        **{f"AIRFLOW_CONN_{name}": servers[variable] for name, variable in zip(CONNECTIONS, URLS, strict=True)},
        "AIRFLOW_CONN_OWNLENS_S3": json.dumps(keys),
        "AIRFLOW_CONN_OWNLENS_SPARK": json.dumps({"conn_type": "spark", "host": "local[*]"}),
    }
    others = {name: value for name, value in servers.items() if name not in (*URLS, *KEYS)}
    home = tmp_path_factory.mktemp("airflow")
    with airflow(home, {**newcomer.environment, **others, **connections}) as running:
        yield running


@pytest.fixture(scope="module")
def ledger(servers: dict[str, str]) -> Iterator[Ledger]:
    settings = load_configuration(None, servers).settings.ledger
    assert settings is not None
    with closing(Ledger(settings)) as found:
        yield found


@pytest.fixture
def warehouse(servers: dict[str, str]) -> Iterator[Execute]:
    settings = load_configuration(None, servers).settings.postgresql
    assert settings is not None
    with statements_of(settings) as execute:
        yield execute


def key(run_id: str, domain: str) -> str:
    return f"airflow/ownlens_etl/{run_id}/{domain}/2"


def test_a_retry_does_what_the_try_before_has_left(flow: Airflow, ledger: Ledger, warehouse: Execute) -> None:
    """A view stands where PostgreSQL's table is to go; it is dropped while Airflow waits for the second try."""
    warehouse("CREATE VIEW company_departments AS SELECT 1 AS one")
    flow.trigger("night", tables=["countries", "company_departments"])
    flow.wait_for("night", "company.load", "up_for_retry")
    warehouse("DROP VIEW company_departments")
    assert "company: 1 of 3 loads failed\\n  company_departments into postgresql: " in flow.log(
        "night", "company.load", 1
    )
    assert flow.wait_until_ended("night") == "success"

    resumed = ledger.run_of_key(key("night", "company"))
    assert resumed is not None and resumed.resumed_from is not None
    tried = [
        {str(load.destination): str(load.status) for load in ledger.loads(run_id)}
        for run_id in (resumed.resumed_from, resumed.run_id)
    ]
    assert tried == [
        {"s3": "success", "clickhouse": "success", "postgresql": "failed"},
        {"postgresql": "success"},
    ], "what had been loaded is not loaded again"

    tasks = flow.tasks("night")
    tries = {task: tasks[task]["try_number"] for task in ("base.load", "company.load", "company.report")}
    assert tries == {"base.load": 1, "company.load": 2, "company.report": 1}
    others = {each["state"] for task, each in tasks.items() if task.partition(".")[0] not in ("base", "company")}
    assert others == {"skipped"}, "no table of theirs was asked for"

    rows = warehouse("SELECT count(*) FROM company_departments")[0][0]
    summary = flow.summary("night", "company")
    assert (summary["status"], summary["runs"]) == ("success", [resumed.resumed_from, resumed.run_id])
    assert {(load["destination"], load["status"], load["rows_inserted"]) for load in summary["loads"]} == {
        (store, "success", rows) for store in ("s3", "clickhouse", "postgresql")
    }
    assert summary["rows"]["rows_inserted"] == 3 * rows


def test_bad_use_fails_at_once_and_is_reported(flow: Airflow, ledger: Ledger) -> None:
    """Exit code 2 is what no retry mends; what the main job alone can see is not refused before."""
    flow.trigger("backwards", tables=["browsers"], since="2026-07-01T00:00:00Z", until="2026-06-01T00:00:00Z")
    assert flow.wait_until_ended("backwards") == "failed"
    tasks = flow.tasks("backwards")
    assert (tasks["base.load"]["state"], tasks["base.load"]["try_number"]) == ("failed", 1)
    assert "(exit code 2); it said last:\\n" in flow.log("backwards", "base.load", 1)
    assert "expected --since before --until" in flow.log("backwards", "base.load", 1)
    assert tasks["base.report"]["state"] == "failed"
    assert "the log of base.load says why" in flow.log("backwards", "base.report", 1)
    assert flow.summary("backwards", "base") == {"status": "no report", "runs": [], "rows": {}, "loads": []}
    assert ledger.run_of_key(key("backwards", "base")) is None


def test_a_backfill_reads_the_rows_that_were_asked_for(flow: Airflow, ledger: Ledger) -> None:
    flow.trigger("backfill", tables=["user_accounts"], since="2026-06-01T00:00:00Z", until="2026-06-15T00:00:00+00:00")
    assert flow.wait_until_ended("backfill") == "success"
    run = ledger.run_of_key(key("backfill", "base"))
    assert run is not None
    asked = {name: run.options[name] for name in ("since", "until")}
    assert asked == {"since": "2026-06-01T00:00:00+00:00", "until": "2026-06-15T00:00:00+00:00"}
    assert {load.table_name for load in ledger.loads(run.run_id)} == {"user_accounts"}


def test_params_that_do_not_fit_are_refused_before_anything_runs(flow: Airflow) -> None:
    assert "'custmers' is not one of" in flow.refusal(tables=["custmers"])
    assert "does not match" in flow.refusal(since="2026-06-01; rm -rf /")
    assert "is not of type" in flow.refusal(until=20260601)


def test_no_secret_is_kept_by_airflow_or_an_argument_of_a_process(flow: Airflow, servers: dict[str, str]) -> None:
    """By the tests before this one, whose tasks have logged, rendered their fields and answered."""
    passwords = [str(urlsplit(servers[variable]).password) for variable in URLS]
    secrets = {*passwords, *(quote(each, safe="") for each in passwords), servers["AWS_SECRET_ACCESS_KEY"]}
    kept = b"".join(file.read_bytes() for file in flow.home.rglob("*") if file.is_file())
    for expected in ("Spark-Submit cmd: spark-submit --master local[*]", "company_departments", "--idempotency-key"):
        assert expected.encode() in kept, "logs, reports and Airflow's database"
    assert [secret for secret in secrets if secret.encode() in kept] == []
    assert any("run_etl.py" in command for command in flow.commands)
    assert [secret for secret in secrets for command in flow.commands if secret in command] == []

"""Which alerts are written, and when: in the transaction that ends a run, once for a late or stuck one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from etl.config.alerts import AlertRule, AlertSettings
from etl.errors import StoreError
from etl.orchestrator.alerting.overdue import tell_of_overdue
from etl.orchestrator.alerting.rules import write_rules
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.queue.claims import finish
from etl.orchestrator.values import RunStatus
from tests.databases import Execute
from tests.integration.orchestrator.alerting.conftest import Rules
from tests.integration.orchestrator.queue.queued import (
    NO_COUNTS,
    PERMANENT,
    TRANSIENT,
    add_job,
    ask,
    claim_one,
    fail,
    run_row,
    succeed,
)

pytestmark = pytest.mark.stack


def alerts(execute: Execute) -> list[tuple[Any, ...]]:
    return execute("SELECT kind, channel, dedupe_key FROM dw_etl_alerts ORDER BY alert_id")


def test_a_failure_is_told_in_the_transaction_that_ends_the_run(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules()
    add_job(execute, "a")
    run_id = ask(database, "a")["a"].run_id
    claimed = claim_one(database)
    execute("ALTER TABLE dw_etl_alerts ADD CONSTRAINT no_alert CHECK (kind <> 'failure')")
    try:
        with pytest.raises(StoreError, match="no_alert"):
            fail(database, claimed)
        assert run_row(execute, run_id)["status"] == "running"
    finally:
        execute("ALTER TABLE dw_etl_alerts DROP CONSTRAINT no_alert")

    fail(database, claimed)

    assert alerts(execute) == [("failure", "ops", "failure:a")]
    ((facts,),) = execute("SELECT facts FROM dw_etl_alerts")
    assert (facts["error_class"], facts["error_message"], facts["worker_id"]) == (
        PERMANENT.error_class,
        PERMANENT.message,
        "worker",
    )


def test_what_is_tried_again_is_no_failure_yet(database: OrchestratorDatabase, execute: Execute, rules: Rules) -> None:
    rules()
    add_job(execute, "a", retries=1)
    ask(database, "a")
    assert finish(database, claim_one(database), RunStatus.FAILED, NO_COUNTS, TRANSIENT, retry_in_seconds=0)
    assert alerts(execute) == []
    assert finish(database, claim_one(database), RunStatus.FAILED, NO_COUNTS, TRANSIENT, retry_in_seconds=0)
    assert alerts(execute) == [("failure", "ops", "failure:a")]


def test_nobody_is_told_where_there_are_no_rules_nor_of_what_was_skipped(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    add_job(execute, "a")
    add_job(execute, "b", parents=["a"])
    ask(database, "a", "b", cycle_id="1")
    fail(database, claim_one(database))
    assert alerts(execute) == []

    rules()
    ask(database, "a", "b", cycle_id="2")
    fail(database, claim_one(database))
    assert alerts(execute) == [("failure", "ops", "failure:a")]


@pytest.mark.parametrize(
    ("rule", "is_told"),
    [
        ({"layers": ["bronze"]}, True),
        ({"layers": ["gold"]}, False),
        ({"jobs": ["b", "a"]}, True),
        ({"jobs": ["b"]}, False),
        ({"tags": ["money", "spark"]}, True),
        ({"tags": ["money"]}, False),
        ({"layers": ["bronze"], "tags": ["spark"], "jobs": ["b"]}, False),
        ({"on": ["late", "recovered"]}, False),
        ({"on": ["failure"]}, True),
    ],
)
def test_a_rule_chooses_by_kind_layer_tag_and_job(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, rule: dict[str, Any], is_told: bool
) -> None:
    rules({"channel": "ops", **rule})
    add_job(execute, "a")
    execute("INSERT INTO dw_etl_job_tags SELECT job_id, 'spark' FROM dw_etl_jobs")
    ask(database, "a")
    fail(database, claim_one(database))
    assert alerts(execute) == ([("failure", "ops", "failure:a")] if is_told else [])


def test_a_channel_is_told_once_whatever_number_of_rules_fit(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules({"channel": "ops", "dedupe": "1h"}, {"channel": "ops", "jobs": ["a"], "dedupe": "10m"}, {"channel": "mail"})
    add_job(execute, "a")
    ask(database, "a")
    fail(database, claim_one(database))
    found = execute("SELECT channel, dedupe_seconds FROM dw_etl_alerts ORDER BY channel")
    assert found == [("mail", 1800), ("ops", 600)]


def test_rules_replace_those_that_stood(database: OrchestratorDatabase, execute: Execute, rules: Rules) -> None:
    rules({"channel": "old"}, {"channel": "older"})
    rules({"channel": "new", "on": ["failure"]})
    assert execute("SELECT channel, kinds::text FROM dw_etl_alert_rules") == [("new", "{failure}")]


def test_what_rules_name_and_no_job_has_is_said(database: OrchestratorDatabase, execute: Execute, rules: Rules) -> None:
    add_job(execute, "a")
    with capture_logs() as logs:
        rules({"channel": "ops", "layers": ["bronze", "brass"], "tags": ["spork"], "jobs": ["a", "b"]})
    assert [(line["event"], line["channel"], line["name"]) for line in logs] == [
        ("alert rule names a job that no job has", "ops", "b"),
        ("alert rule names a layer that no job has", "ops", "brass"),
        ("alert rule names a tag that no job has", "ops", "spork"),
    ]


def test_the_rules_of_a_channel_without_a_url_are_left_to_those_who_have_it(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    here = AlertSettings(channels={"ops": None}, rules=(AlertRule(channel="ops", dedupe=5),))
    with capture_logs() as logs:
        write_rules(database, here)
    assert [(line["log_level"], line["channel"]) for line in logs] == [("warning", "ops")]
    assert execute("SELECT channel FROM dw_etl_alert_rules") == []
    rules({"channel": "ops", "dedupe": 7}, {"channel": "dropped"})
    write_rules(database, here)
    assert execute("SELECT channel, dedupe_seconds FROM dw_etl_alert_rules") == [("ops", 7)]


def test_a_job_recovers_once_after_a_failure(database: OrchestratorDatabase, execute: Execute, rules: Rules) -> None:
    rules()
    add_job(execute, "a")
    for cycle, end in enumerate((succeed, fail, fail, succeed, succeed, fail, succeed)):
        ask(database, "a", cycle_id=str(cycle))
        end(database, claim_one(database))
    assert [kind for kind, _, _ in alerts(execute)] == ["failure", "failure", "recovered", "failure", "recovered"]


def test_who_was_not_told_of_the_failure_is_not_told_of_the_recovery(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules({"channel": "ops"}, {"channel": "mail", "on": ["recovered"]})
    add_job(execute, "a")
    for cycle, end in enumerate((fail, succeed)):
        ask(database, "a", cycle_id=str(cycle))
        end(database, claim_one(database))
    assert [(kind, channel) for kind, channel, _ in alerts(execute)] == [("failure", "ops"), ("recovered", "ops")]


def test_a_scheduled_run_that_does_not_start_is_late_once(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules()
    add_job(execute, "late", late_after_seconds=60)
    add_job(execute, "patient", late_after_seconds=6000)
    add_job(execute, "careless")
    made = ask(database, "late", "patient", "careless")
    execute("UPDATE dw_etl_runs SET trigger = 'schedule', scheduled_at = clock_timestamp() - interval '2 minutes'")
    assert (tell_of_overdue(database), tell_of_overdue(database)) == (1, 0)
    found = execute("SELECT kind, run_id, facts FROM dw_etl_alerts")
    assert found == [("late", made["late"].run_id, {"limit_seconds": 60, "is_ready": True})]


def test_of_a_job_whose_runs_are_late_one_is_told_at_a_time(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules({"channel": "ops"}, {"channel": "mail"})
    add_job(execute, "a", late_after_seconds=60)
    for cycle in range(3):
        ask(database, "a", cycle_id=str(cycle))
    execute("UPDATE dw_etl_runs SET trigger = 'schedule', scheduled_at = clock_timestamp() - interval '2 minutes'")
    assert [tell_of_overdue(database) for _ in range(4)] == [2, 2, 2, 0]
    execute("UPDATE dw_etl_jobs SET is_enabled = false; DELETE FROM dw_etl_alerts")
    assert tell_of_overdue(database) == 0


def test_late_runs_are_looked_for_among_those_that_wait(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules()
    add_job(execute, "a", late_after_seconds=60)
    execute(
        "INSERT INTO dw_etl_runs (job_id, cycle_id, trigger, status, scheduled_at, ended_at, parameter_fingerprint)"
        " SELECT job_id, 'c' || n, 'schedule', 'success', now() - n * interval '1 minute', now(), ''"
        " FROM dw_etl_jobs, generate_series(1, 20000) AS n; ANALYZE dw_etl_runs"
    )
    with database.transaction("explain") as cursor:
        cursor.execute(f"EXPLAIN {statement('tell_of_overdue')}")
        plan = "\n".join(row["QUERY PLAN"] for row in map(dict, cursor.fetchall()))
    assert "Seq Scan on dw_etl_runs" not in plan
    assert re.search(r"Index Cond: .*status = 'queued'", plan)


@pytest.mark.parametrize("change", ["trigger = 'backfill'", "trigger = 'manual'", "started_at = clock_timestamp()"])
def test_late_is_only_what_was_due_and_has_never_started(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, change: str
) -> None:
    rules()
    add_job(execute, "a", late_after_seconds=60)
    ask(database, "a")
    execute(
        "UPDATE dw_etl_runs SET trigger = 'schedule', scheduled_at = clock_timestamp() - interval '2 minutes';"
        f"UPDATE dw_etl_runs SET {change}"
    )
    assert tell_of_overdue(database) == 0


def test_an_attempt_that_does_not_end_is_stuck_once(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules()
    add_job(execute, "a", stuck_after_seconds=60)
    run_id = ask(database, "a")["a"].run_id
    claim_one(database)
    assert tell_of_overdue(database) == 0
    execute("UPDATE dw_etl_job_locks SET acquired_at = clock_timestamp() - interval '2 minutes'")
    assert (tell_of_overdue(database), tell_of_overdue(database)) == (1, 0)
    found = execute("SELECT kind, run_id, facts ->> 'worker_id', facts -> 'attempt' FROM dw_etl_alerts")
    assert found == [("stuck", run_id, "worker", 1)]


def test_what_nobody_delivers_is_given_up_after_a_day(
    database: OrchestratorDatabase, execute: Execute, rules: Rules
) -> None:
    rules({"channel": "gone"})
    add_job(execute, "a")
    ask(database, "a")
    fail(database, claim_one(database))
    tell_of_overdue(database)
    assert execute("SELECT status FROM dw_etl_alerts") == [("pending",)]
    execute("UPDATE dw_etl_alerts SET created_at = created_at - interval '25 hours'")
    tell_of_overdue(database)
    assert execute("SELECT status, last_error FROM dw_etl_alerts") == [
        ("given_up", "nobody who told alerts had a channel of this name")
    ]

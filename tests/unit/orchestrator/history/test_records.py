"""A row of a log is a run, or is told why not."""

from __future__ import annotations

from typing import Any

import pytest

from etl.orchestrator.history.records import COLUMNS, RejectedError, Runs

RUNS = Runs({"orders": 7})
GOOD = {"slug": "orders", "status": "success", "started_at": "2026-11-01T02:00:00Z", "ended_at": "2026-11-01T02:01:00Z"}


def run(**changes: Any) -> dict[str, Any]:
    return dict(zip(COLUMNS, RUNS.run(3, {**GOOD, **changes}), strict=True))


def test_what_is_not_said_follows_from_the_rest() -> None:
    found = run()
    assert found["line"] == 3
    assert found["job_id"] == 7
    assert found["scheduled_at"] == "2026-11-01T02:00:00+00:00"
    assert found["cycle_id"] == "2026-11-01T02:00:00Z"
    assert found["parameters"] == "{}"
    assert (found["attempts"], found["maximum_attempts"]) == (1, 1)
    assert run(status="skipped", ended_at=None)["reason"] == "skipped, as its log has it"
    assert run(status="Cancelled", started_at=None, ended_at="", scheduled_at="2026-11-01")["attempts"] == 0


def test_all_that_is_said_is_kept() -> None:
    said = {
        "scheduled_at": "2026-11-01T01:00:00Z",
        "parameters": {"a": 1},
        "correlation_id": "mine",
        "cycle_id": "night",
        "attempts": "3",
        "records_read": 5,
        "exit_code": "-9",
        "error_class": "SIGKILL",
        "error_type": "signal",
        "is_transient_error": "yes",
    }
    found = run(**said, status="failed")
    assert found["correlation_id"] == "mine"
    assert found["cycle_id"] == "night"
    assert (found["attempts"], found["records_read"], found["exit_code"]) == (3, 5, -9)
    assert found["is_transient_error"] is True
    assert found["parameters"] == '{"a":1}'


def test_what_others_told_is_kept_without_its_secrets() -> None:
    told = "no answer from postgresql://etl:hunter2@host/db, password=hunter2"
    found = run(status="failed", error_message=told, reason=told)
    masked = "no answer from postgresql://etl:***@host/db, password=***"
    assert (found["error_message"], found["reason"]) == (masked, masked)


def test_the_same_row_has_the_same_correlation_id() -> None:
    one = run(parameters='{"b": 1.0, "a": 2}', attempts="1")["correlation_id"]
    assert run(parameters={"a": 2, "b": 1}, started_at="2026-11-01 03:00:00+01:00")["correlation_id"] == one
    assert run(parameters={"a": 2, "b": 2})["correlation_id"] != one
    assert run()["correlation_id"] != one


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"slug": None}, "expected a job's slug, found none"),
        ({"slug": "order"}, "there is no job 'order'; did you mean 'orders'?"),
        ({"status": "done"}, "expected a status of success, failed, skipped, cancelled; found 'done'"),
        ({"status": "running"}, "found 'running', which has not ended"),
        ({"started_at": "yesterday"}, "expected started_at as a time .*, found 'yesterday'"),
        ({"started_at": 17}, "expected started_at as a time .*, found 17"),
        ({"started_at": None}, "expected scheduled_at or started_at, found neither"),
        ({"ended_at": None}, "expected ended_at of a run that is success, found none"),
        ({"ended_at": "2026-11-01T01:00:00Z"}, "it ended before it started"),
        ({"interval_from": "2026-11-02", "interval_until": "2026-11-01"}, "expected interval_from before"),
        ({"parameters": "[1]"}, "expected parameters as a JSON object, found list"),
        ({"parameters": "{a: 1}"}, "expected parameters as a JSON object, found no JSON"),
        ({"parameters": {"a": "\x00"}}, "parameters as a JSON object, found the character NUL"),
        ({"parameters": {"a": 2**60}}, "parameters that JSON cannot hold exactly: \\$.a"),
        ({"records_read": "-1"}, "expected records_read as a whole number from 0, found '-1'"),
        ({"records_read": 1.5}, "expected records_read as a whole number from 0, found 1.5"),
        ({"attempts": str(2**40)}, "expected attempts as a whole number"),
        ({"is_transient_error": "maybe"}, "expected is_transient_error as true or false, found 'maybe'"),
        ({"error_type": "bad"}, "expected an error_type of .*; found 'bad'"),
        ({"error_message": {"a": 1}}, "expected error_message as text"),
        ({"error_message": "a\x00"}, "error_message has the character NUL"),
    ],
)
def test_what_is_no_run_is_told(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        run(**changes)

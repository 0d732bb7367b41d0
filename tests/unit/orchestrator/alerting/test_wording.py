from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl.alerts.outbox import Alert
from etl.config.alerts import AlertKind
from etl.orchestrator.alerting.wording import LONGEST_ERROR, worded

AT = datetime(2026, 11, 26, 2, tzinfo=UTC)
FAILED = {
    "attempt": 3, "maximum_attempts": 3, "worker_id": "host:7:abc", "started_at": "2026-11-26T02:00:01+00:00",
    "ended_at": None, "error_class": "40001", "error_type": "sqlstate", "error_message": "could not serialize",
    "is_transient": True, "reason": None, "suppressed": 0,
}  # fmt: skip


def alert(kind: AlertKind = AlertKind.FAILURE, **facts: Any) -> Alert:
    return Alert(1, 42, kind, "ops", 1, "", "", AT, 0.0, {**FAILED, **facts})


def around(**changes: Any) -> dict[str, Any]:
    known = {"slug": "a_job", "title": "", "layer": "bronze", "cycle_id": "manual-1", "trigger": "manual"}
    return {**known, "scheduled_at": AT, "skipped": [], **changes}


def lines(*arguments: Any) -> dict[str, str]:
    _, body = worded(*arguments)
    return {name: text.strip() for name, _, text in (line.partition(":") for line in body.splitlines())}


def test_a_failure_in_words() -> None:
    subject, body = worded(alert(), around())
    assert subject == "failed: a_job (manual-1)"
    assert body.splitlines()[:4] == [
        "Job:      a_job (bronze)",
        "Run:      42, cycle manual-1, attempt 3 of 3, worker host:7:abc",
        "Time:     due 2026-11-26 02:00:00 UTC, started 2026-11-26 02:00:01 UTC",
        "Error:    40001 (transient): could not serialize",
    ]


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"is_transient": None}, "40001 (unknown): could not serialize"),
        (
            {"is_transient": False, "error_class": None, "error_message": None, "reason": "held"},
            "unknown (permanent): held",
        ),
        ({"error_message": "x" * 3000}, f"40001 (transient): {'x' * LONGEST_ERROR} …"),
    ],
)
def test_what_is_known_of_the_error_is_said(facts: dict[str, Any], error: str) -> None:
    assert lines(alert(**facts), around())["Error"] == error


@pytest.mark.parametrize(
    ("skipped", "told"),
    [
        (["b"], "because of it 1 job: b"),
        (["b", "c"], "because of it 2 jobs: b, c"),
        ([f"j{n}" for n in range(25)], f"because of it 25 jobs: {', '.join(f'j{n}' for n in range(20))} and 5 more"),
    ],
)
def test_what_was_skipped_is_counted_and_named(skipped: list[str], told: str) -> None:
    assert lines(alert(), around(skipped=skipped))["Skipped"] == told


def test_repetitions_are_counted() -> None:
    assert "Before" not in lines(alert(), around())
    assert lines(alert(suppressed=4), around())["Before"].startswith("4 more of the same since the last such message")


@pytest.mark.parametrize(
    ("is_ready", "wait"),
    [(True, "it is ready, and no worker has taken it"), (False, "it waits for jobs before it")],
)
def test_a_late_run_says_what_it_waits_for(is_ready: bool, wait: str) -> None:
    facts = {"limit_seconds": 900, "is_ready": is_ready}
    assert lines(alert(AlertKind.LATE, **facts), around())["Late"] == f"more than 15m after it was due: {wait}"


def test_secrets_are_in_neither() -> None:
    hidden = alert(error_message="password=hunter22 at postgresql://u:p4ssw0rd@h/db, the key is correct horse")
    text = "\n".join(worded(hidden, around(title="correct horse"), ["correct horse"]))
    assert not [secret for secret in ("hunter22", "p4ssw0rd", "correct horse") if secret in text]

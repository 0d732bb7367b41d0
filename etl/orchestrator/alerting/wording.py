"""An alert in words: what happened, where, what follows from it, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from etl.alerts.couriers import Words
from etl.alerts.outbox import Alert
from etl.config.alerts import AlertKind
from etl.config.durations import spelled
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.redaction import redact

SHOWN_JOBS = 20
LONGEST_ERROR = 2000

_SUBJECTS = {
    AlertKind.FAILURE: "failed: {slug}",
    AlertKind.LATE: "late: {slug} has not started",
    AlertKind.STUCK: "stuck: {slug} does not end",
    AlertKind.RECOVERED: "recovered: {slug}",
}
NEXT = {
    AlertKind.FAILURE: ("run logs {run_id}", "run show {run_id}", "run retry {run_id}"),
    AlertKind.LATE: ("run why-not {run_id}", "lock list"),
    AlertKind.STUCK: ("run logs {run_id}", 'run cancel {run_id} --reason "it does not end"'),
    AlertKind.RECOVERED: ("run show {run_id}",),
}


def words_of(database: OrchestratorDatabase, secrets: Iterable[str] = ()) -> Words:
    """An alert of a run is a message of its own."""
    known = tuple(secrets)

    def words(alerts: Sequence[Alert]) -> tuple[str, str]:
        (alert,) = alerts
        (surroundings,) = database.at_once("alert_surroundings", {"run_id": alert.run_id})
        return worded(alert, surroundings, known)

    return words


def worded(alert: Alert, surroundings: Mapping[str, Any], secrets: Iterable[str] = ()) -> tuple[str, str]:
    """Subject and body; `surroundings` as the statement of this name has them."""
    subject = _SUBJECTS[alert.kind].format(slug=surroundings["slug"])
    lines = [f"{name + ':':<10}{text}" for name, text in _lines(alert, surroundings)]
    commands = [f"  etl orchestrator {command.format(run_id=alert.run_id)}" for command in NEXT[alert.kind]]
    body = "\n".join([*lines, "", "Next:", *commands])
    known = tuple(secrets)
    return redact(f"{subject} ({surroundings['cycle_id']})", known), redact(body, known)


def _lines(alert: Alert, around: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    facts = alert.facts
    yield "Job", f"{around['slug']} ({around['layer']})" + (f": {around['title']}" if around["title"] else "")
    yield "Run", ", ".join(_run(alert, around))
    yield "Time", ", ".join(_times(facts, around))
    yield from _what(alert)
    if alert.kind is AlertKind.FAILURE and around["skipped"]:
        yield "Skipped", f"because of it {_counted(around['skipped'])}"
    if facts["suppressed"]:
        yield "Before", f"{facts['suppressed']} more of the same since the last such message, not sent"


def _run(alert: Alert, around: Mapping[str, Any]) -> Iterator[str]:
    facts = alert.facts
    yield f"{alert.run_id}"
    yield f"cycle {around['cycle_id']}"
    if facts.get("attempt"):
        yield f"attempt {facts['attempt']} of {facts['maximum_attempts']}"
    if facts.get("worker_id"):
        yield f"worker {facts['worker_id']}"


def _times(facts: Mapping[str, Any], around: Mapping[str, Any]) -> Iterator[str]:
    yield f"due {_instant(around['scheduled_at'])}"
    for name, told in (("started_at", "started"), ("ended_at", "ended")):
        if facts.get(name):
            yield f"{told} {_instant(datetime.fromisoformat(facts[name]))}"


def _what(alert: Alert) -> Iterator[tuple[str, str]]:
    facts = alert.facts
    if alert.kind is AlertKind.FAILURE:
        yield "Error", _error(facts)
    elif alert.kind is AlertKind.LATE:
        wait = "it is ready, and no worker has taken it" if facts["is_ready"] else "it waits for jobs before it"
        yield "Late", f"more than {spelled(facts['limit_seconds'])} after it was due: {wait}"
    elif alert.kind is AlertKind.STUCK:
        yield "Stuck", f"this attempt goes on for more than {spelled(facts['limit_seconds'])}"


def _error(facts: Mapping[str, Any]) -> str:
    transient = {True: "transient", False: "permanent", None: "unknown"}[facts["is_transient"]]
    message = (facts["error_message"] or facts["reason"] or "").strip()
    shown = message if len(message) <= LONGEST_ERROR else f"{message[:LONGEST_ERROR]} …"
    return f"{facts['error_class'] or 'unknown'} ({transient}): {shown}"


def _counted(slugs: list[str]) -> str:
    shown = ", ".join(slugs[:SHOWN_JOBS])
    more = f" and {len(slugs) - SHOWN_JOBS} more" if len(slugs) > SHOWN_JOBS else ""
    return f"{len(slugs)} {'job' if len(slugs) == 1 else 'jobs'}: {shown}{more}"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

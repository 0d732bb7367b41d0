"""What is wrong although no run says so: none began, or one died."""

from __future__ import annotations

from typing import Any

from etl.alerting.outboxes import Outboxes
from etl.alerts.findings import Finding, Verdict
from etl.alerts.outbox import Outbox
from etl.alerts.telling import Teller
from etl.config.alerts import Tool
from etl.config.servers import secrets_of
from etl.pipeline.alerting import resume_command
from etl.report.judging import judge_dead_run, judge_standings
from etl.staging.watch.alerting import judge_jobs


def checked(at: Outboxes) -> list[dict[str, Any]]:
    """What was found, also where no rule tells anybody of it. Each tool's rules are told, and what waited is sent."""
    found: list[dict[str, Any]] = []
    for tool, outbox in at.outboxes.items():
        verdict = _verdict(tool, at)
        _tell(tool, at, outbox, verdict)
        found += [_shown(tool, each) for each in verdict.found]
    return found


def _verdict(tool: Tool, at: Outboxes) -> Verdict:
    verdict = Verdict()
    if tool == "main" and at.ledger is not None and at.configuration is not None:
        loads, alerts = at.configuration.enabled_loads, at.settings.alerts
        for run_id in at.ledger.mark_dead_runs():
            judge_dead_run(verdict, run_id, resume_command(at.ledger, run_id))
        judge_standings(verdict, at.ledger.standings(), loads, alerts, at.commands)
    if tool == "staging" and at.staging is not None:
        judge_jobs(verdict, at.staging, at.staging_configuration, at.commands)
    return verdict


def _tell(tool: Tool, at: Outboxes, outbox: Outbox, verdict: Verdict) -> None:
    Teller(tool, at.settings.alerts, secrets_of(at.settings)).tell(outbox, verdict, None)


def _shown(tool: Tool, finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "tool": tool,
        "kind": finding.kind,
        "source": place.source,
        "table": place.table,
        "destination": place.destination,
        "expected": finding.expected,
        "found": finding.found,
        "next_step": finding.next_step,
    }

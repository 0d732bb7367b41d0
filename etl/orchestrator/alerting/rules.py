"""etl.yaml's rules, written down where the transaction that ends a run finds them."""

from __future__ import annotations

from typing import Any

import orjson
import structlog

from etl.config.alerts import AlertRule, AlertSettings
from etl.orchestrator.database.database import OrchestratorDatabase

log = structlog.get_logger(__name__)


def write_rules(database: OrchestratorDatabase, alerts: AlertSettings) -> None:
    """They replace those that stand: of several schedulers the last that started has the say.

    A rule whose channel has no URL is left out; the log says so, and what rules name that no job has.
    """
    for channel in sorted({rule.channel for rule in alerts.rules} - alerts.urls.keys()):
        log.warning("alert channel has no URL, so nobody is told there", channel=channel)
    rules = [_row(rule) for rule in alerts.rules if rule.channel in alerts.urls]
    database.at_once("write_alert_rules", {"rules": orjson.dumps(rules).decode()})
    for named in database.at_once("alert_rules_of_nothing"):
        log.warning(f"alert rule names a {named.pop('what')} that no job has", **named)


def _row(rule: AlertRule) -> dict[str, Any]:
    return {
        "channel": rule.channel,
        "kinds": rule.on,
        "layers": rule.layers,
        "tags": rule.tags,
        "jobs": rule.jobs,
        "dedupe_seconds": rule.dedupe,
    }

"""etl.yaml's rules, written down where the transaction that ends a run finds them."""

from __future__ import annotations

from typing import Any

import orjson
import structlog

from etl.config.alerts import AlertRule, AlertSettings
from etl.orchestrator.database.database import OrchestratorDatabase

log = structlog.get_logger(__name__)


def write_rules(database: OrchestratorDatabase, alerts: AlertSettings) -> None:
    """They replace those that stand: of several schedulers the last that started has the say. Not so where a channel
    has no URL here: its rules are left as another with its URL wrote them. Rules of loads alone are not its own.

    The log says so, and what rules name that no job has.
    """
    left = sorted({rule.channel for rule in alerts.rules} - alerts.urls.keys())
    for channel in left:
        log.warning("alert channel has no URL here, so its rules are not written", channel=channel)
    rules = [_row(rule) for rule in alerts.rules if rule.channel not in left and rule.kinds_of_orchestrator]
    database.at_once("write_alert_rules", {"rules": orjson.dumps(rules).decode(), "left": left})
    for named in database.at_once("alert_rules_of_nothing"):
        log.warning(f"alert rule names a {named.pop('what')} that no job has", **named)


def _row(rule: AlertRule) -> dict[str, Any]:
    return {
        "channel": rule.channel,
        "kinds": rule.kinds_of_orchestrator,
        "layers": rule.layers,
        "tags": rule.tags,
        "jobs": rule.jobs,
        "dedupe_seconds": rule.dedupe,
    }

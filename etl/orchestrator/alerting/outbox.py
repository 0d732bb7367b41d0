"""The alerts that are to be told: each is claimed for a moment, told outside any transaction, then marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.config.alerts import AlertKind
from etl.orchestrator.database.database import OrchestratorDatabase

LEASE_SECONDS = 120.0
"""Whoever claimed an alert and died with it: another tries after so long. A send takes less."""

GIVE_UP_AFTER_SECONDS = 24 * 3600.0
"""Older ones are not tried again."""


@dataclass(frozen=True)
class Alert:
    alert_id: int
    run_id: int
    kind: AlertKind
    channel: str
    attempts: int
    """This one included."""
    subject: str
    body: str
    created_at: datetime
    age_seconds: float
    facts: Mapping[str, Any]


def claim_alert(database: OrchestratorDatabase, channel: str) -> Alert | None:
    """The channel's next that is due and no repetition; those are put aside on the way."""
    values = {"channel": channel, "lease_seconds": LEASE_SECONDS}
    while rows := database.at_once("claim_alert", values):
        row = rows[0]
        if row.pop("status") == "pending":
            return Alert(**{**row, "kind": AlertKind(row["kind"])})
    return None


def mark_sent(database: OrchestratorDatabase, alert: Alert) -> None:
    database.at_once("alert_sent", {"alert_id": alert.alert_id})


def mark_not_sent(database: OrchestratorDatabase, alert: Alert, error: str, wait_seconds: float | None) -> None:
    """Without a wait it is given up."""
    values = {"alert_id": alert.alert_id, "error": error, "wait_seconds": wait_seconds}
    database.at_once("alert_not_sent", values)

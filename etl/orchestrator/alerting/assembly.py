"""Alerts, as a scheduler has them: steps of its own, and couriers while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from etl.alerts.channels import Channels
from etl.alerts.couriers import Couriers
from etl.config.alerts import AlertSettings
from etl.orchestrator.alerting.overdue import tell_of_overdue
from etl.orchestrator.alerting.rules import write_rules
from etl.orchestrator.alerting.wording import words_of
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.schedule.steps import Step
from etl.orchestrator.watch.observers import Observer

OVERDUE_SECONDS = 5.0
ONCE = float("inf")


@contextmanager
def alerting(
    database: OrchestratorDatabase,
    alerts: AlertSettings,
    secrets: Iterable[str] = (),
    observer: Observer | None = None,
) -> Iterator[list[Step]]:
    """The scheduler's further steps; while the block runs, what they and the runs' ends write is delivered."""
    steps = [
        Step("write the alerts' rules", lambda at: write_rules(at, alerts), ONCE),
        Step("tell of late and stuck runs", tell_of_overdue, OVERDUE_SECONDS),
    ]
    with Couriers(database, Channels(alerts.urls), words_of(database, secrets), observer):
        yield steps

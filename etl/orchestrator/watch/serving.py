"""The metrics of a process that was started with `--metrics-port`."""

from __future__ import annotations

from typing import Literal

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.watch.gauges import DatabaseGauges
from etl.orchestrator.watch.metrics import Metrics
from etl.orchestrator.watch.observers import Observer

Kind = Literal["scheduler", "worker", "up"]


def observer_of(kind: Kind, port: int | None, database: OrchestratorDatabase) -> Observer:
    """Serves what it hears; without a port it hears nothing. A scheduler tells what stands in the database, too."""
    if port is None:
        return Observer()
    metrics = Metrics(kind)
    if kind != "worker":
        metrics.registry.register(DatabaseGauges(database))
    metrics.serve(port)
    return metrics

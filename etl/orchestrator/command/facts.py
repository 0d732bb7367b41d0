"""A run with what hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.orchestrator.command.finding import Row
from etl.orchestrator.database.database import OrchestratorDatabase


@dataclass(frozen=True)
class RunFacts:
    run: Row
    parents: Sequence[Row]
    children: Sequence[Row]
    events: Sequence[Row]
    tables: Sequence[Row]
    alerts: Sequence[Row]

    @property
    def json(self) -> dict[str, Any]:
        ties = {"parents": self.parents, "children": self.children}
        short = {name: [_tie(row) for row in rows] for name, rows in ties.items()}
        return {**self.run, **short, "events": self.events, "tables": self.tables, "alerts": self.alerts}


def facts_of(database: OrchestratorDatabase, run: Row) -> RunFacts:
    names = ("parents_of_run", "children_of_run", "events_of_run", "tables_of_run", "alerts_of_run")
    shown = {name: value for name, value in run.items() if name != "seen_at"}
    return RunFacts(shown, *(database.at_once(name, {"run_id": run["run_id"]}) for name in names))


def _tie(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("run_id", "slug", "status", "ready_at", "started_at", "ended_at")}

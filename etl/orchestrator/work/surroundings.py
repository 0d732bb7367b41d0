"""What all attempts of a worker share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etl.config.settings import Settings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.watch.observers import Observer
from etl.orchestrator.work.journal import Journal
from etl.orchestrator.work.lease import Lease
from etl.orchestrator.work.stopping import Stop


@dataclass(frozen=True)
class Surroundings:
    database: OrchestratorDatabase
    settings: Settings
    config_dir: Path
    secrets: tuple[str, ...]
    journal: Journal
    lease: Lease
    stop: Stop
    observer: Observer

"""Schedulers and workers in dw_etl_processes: each writes there that it lives."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field
from typing import Literal

from etl.orchestrator.database.database import OrchestratorDatabase


def new_process_id() -> str:
    """Whose it is can be read from it; no other process has it, before or after."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Presence:
    """One scheduler or worker."""

    kind: Literal["scheduler", "worker"]
    slots: int = 0
    worker_id: str = field(default_factory=new_process_id)

    def beat(self, database: OrchestratorDatabase) -> None:
        facts = {"kind": self.kind, "slots": self.slots, "worker_id": self.worker_id}
        here = {"host": socket.gethostname(), "process_id": os.getpid()}
        database.at_once("beat_process", {**facts, **here})

    def end(self, database: OrchestratorDatabase) -> None:
        database.at_once("end_process", {"worker_id": self.worker_id})

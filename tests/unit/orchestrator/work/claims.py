"""A claim for tests that need no database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from etl.orchestrator.values import Backoff, Claim, JobKind

TICK = datetime(2026, 11, 26, 2, tzinfo=UTC)


def claim_of(**changes: Any) -> Claim:
    values: dict[str, Any] = {
        "run_id": 17,
        "job_id": 1,
        "slug": "a",
        "layer": "bronze",
        "kind": JobKind.COMMAND,
        "command": {"argv": ["true"]},
        "parameters": {},
        "attempt": 1,
        "maximum_attempts": 3,
        "fencing_token": 42,
        "worker_id": "worker",
        "correlation_id": "a@x",
        "cycle_id": "2026-11-26T02:00:00Z",
        "scheduled_at": TICK,
        "interval_from": None,
        "interval_until": None,
        "started_at": TICK,
        "retry_until": None,
        "backoff": Backoff(1, 10),
        "timeout_seconds": None,
        "grace_seconds": 10.0,
    }
    return Claim(**{**values, **changes})

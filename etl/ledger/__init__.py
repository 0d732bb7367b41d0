"""Runs, loads, watermarks, rejects and leases in PostgreSQL: the ledger decides what has happened."""

from etl.ledger.heartbeat import Heartbeat
from etl.ledger.ledger import Ledger
from etl.ledger.values import (
    FrozenWindow,
    LoadPlan,
    LoadRecord,
    LoadState,
    NewRun,
    Reject,
    RejectFilter,
    RejectRecord,
    RejectStatus,
    Run,
    Watermark,
)

__all__ = [
    "FrozenWindow",
    "Heartbeat",
    "Ledger",
    "LoadPlan",
    "LoadRecord",
    "LoadState",
    "NewRun",
    "Reject",
    "RejectFilter",
    "RejectRecord",
    "RejectStatus",
    "Run",
    "Watermark",
]

"""What the tests' jobs of kind `python` call."""

from __future__ import annotations

import os
from typing import Any

from etl.errors import ContentionError


def count(tables: list[str], run_id: int, interval_from: str | None = None) -> dict[str, Any]:
    print(f"{tables} {run_id} {interval_from} {os.environ['ETL_ORCHESTRATOR_JOB']}")
    return {"records_read": 5, "records_written": len(tables), "metrics": {"seconds": 0.5}}


def odd() -> dict[str, Any]:
    metrics = {"of": "postgresql://etl:hunter2secret@host/db", "text": "a\0b", "list": ["\0"], "share": float("nan")}
    return {"records_read": 2**63 - 1, "records_written": 0, "metrics": metrics}


def nothing() -> None:
    return None


def contend() -> None:
    raise ContentionError("password=hunter2secret stood in the way")


def unreachable() -> None:
    raise ConnectionRefusedError("nobody is there")


def puzzled() -> None:
    raise ValueError("what is this?")


def wordy() -> str:
    return "done"

"""What is sent to the database as JSON."""

from __future__ import annotations

import json
from typing import Any

from etl.names import readable
from etl.orchestrator.values import Counts, Failure


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def failure_json(failure: Failure | None) -> str | None:
    return (
        None
        if failure is None
        else as_json(
            {
                "error_type": str(failure.error_type),
                "error_class": failure.error_class,
                "message": readable(failure.message).replace("\0", ""),
                "is_transient": failure.is_transient,
                "exit_code": failure.exit_code,
            }
        )
    )


def counts_json(counts: Counts) -> str:
    return as_json(
        {
            "records_read": counts.records_read,
            "records_written": counts.records_written,
            "metrics": dict(counts.metrics),
        }
    )

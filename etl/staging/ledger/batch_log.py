"""An entry of a batch's log, and of its examples: JSON that the ledger can hold, of bounded size."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from etl.staging.ledger.failures import cut

TEXT_CHARACTERS = 2000
"""Of a text in an entry: the ledger drops the oldest entries of a log, and never a part of one."""


def entry(level: str, event: str, detail: dict[str, Any], at: datetime | None = None) -> dict[str, Any]:
    """As of now, where no time is given. `level`: info, warning or error. The ledger or the caller adds the attempt."""
    known = {key: cut(each, TEXT_CHARACTERS) if isinstance(each, str) else each for key, each in detail.items()}
    return {"at": (at or datetime.now(UTC)).isoformat(), "level": level, "event": event, "detail": known}


def as_json(value: Any) -> str:
    """For a parameter."""
    return orjson.dumps(value).decode()

"""Where staged rows have no value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.statements.postgresql import writing
from etl.statements.postgresql.writing import Write


def count_nulls(cursor: Any, write: Write, names: Sequence[str]) -> dict[str, int]:
    """Staged columns that hold NULLs, with how many."""
    if not names:
        return {}
    cursor.execute(writing.count_nulls(write, names))
    return {name: count for name, count in zip(names, cursor.fetchone(), strict=True) if count}

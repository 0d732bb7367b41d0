"""Fills what runs that another system wrote do not have: fingerprints, cycles, correlation ids; page by page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.fingerprint import fingerprint

PAGES_AT_ONCE = 256
_KNOWN_FINGERPRINTS = 100_000


@lru_cache(maxsize=_KNOWN_FINGERPRINTS)
def fingerprint_of_text(parameters: str) -> str:
    """Most runs of a job have the same parameters."""
    return fingerprint(orjson.loads(parameters))


def fill_runs(database: OrchestratorDatabase, pages_at_once: int = PAGES_AT_ONCE) -> int:
    """A short transaction for each so many pages; rows that are complete are left alone. Returns how many were not."""
    with database.transaction("count pages") as cursor:
        cursor.execute(statement("pages_of_runs"))
        pages = dict(cursor.fetchone() or {})["pages"]
    return sum(_fill(database, page, page + pages_at_once) for page in range(0, pages + 1, pages_at_once))


def _fill(database: OrchestratorDatabase, first: int, behind: int) -> int:
    with database.transaction("fill runs") as cursor:
        cursor.execute(statement("incomplete_runs"), {"first": f"({first},0)", "behind": f"({behind},0)"})
        rows: list[dict[str, Any]] = [dict(row) for row in cursor.fetchall()]
        if rows:
            values = {
                "run_ids": [row["run_id"] for row in rows],
                "fingerprints": [fingerprint_of_text(row["parameters"]) for row in rows],
            }
            cursor.execute(statement("fill_runs"), values)
    return len(rows)

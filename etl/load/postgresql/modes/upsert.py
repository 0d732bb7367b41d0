"""Rows by key into a target that holds rows: what modes have in common."""

from __future__ import annotations

from typing import Any

from etl.load.postgresql.publication.table import Written
from etl.statements.postgresql import writing
from etl.statements.postgresql.writing import Write


def upsert(cursor: Any, write: Write, accepted: int, deleted: int = 0) -> Written:
    """Changed rows first, so that a new row may take what a changed one gives up. Looking first pays: reading is done
    in parallel and writing is not, and mostly one of the two statements has nothing to do."""
    cursor.execute(writing.classify(write))
    new, _, differing = cursor.fetchone()
    updated = inserted = 0
    if differing:
        cursor.execute(writing.update_changed(write))
        updated = cursor.rowcount
    if new:
        cursor.execute(writing.insert_new(write, update_raced=True))
        inserted = cursor.rowcount
    return Written(inserted, updated, accepted - inserted - updated, 0, deleted)


def upsert_steps(write: Write) -> list[str]:
    changes = [writing.update_changed(write)] if write.match and write.settable else []
    return [*changes, writing.insert_new(write, update_raced=bool(write.match))]

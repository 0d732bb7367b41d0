"""What must have become of the rows of a table to which nobody wrote."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.integration.staging.legacy import LegacyTable, Row

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_INSTANTS = {
    "loaded_at": ("loaded_at", "updated_at", "created_at"),
    "created_at": ("created_at", "loaded_at", "updated_at"),
    "updated_at": ("updated_at", "loaded_at", "created_at"),
}
ANY = object()
"""The moment of the migration: not known to the test."""


def expected(table: LegacyTable) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """(kept rows, reasons of the archived ones), both by token."""
    archived = {token(row): reason for row in table.rows if (reason := unusable(table, row))}
    best: dict[str, Row] = {}
    for row in table.rows:
        if token(row) in archived:
            continue
        source_id = str(row["source_id"])
        rival = best.get(source_id)
        if rival is None or _order(row) > _order(rival):
            best[source_id] = row
    kept = {token(row): _kept(table, row) for row in best.values()}
    archived |= {token(row): "duplicate" for row in table.rows if token(row) not in kept.keys() | archived.keys()}
    return kept, archived


def unusable(table: LegacyTable, row: Row) -> str | None:
    source_id, data = row["source_id"], row["data"]
    if not source_id:
        return "no_source_id"
    if len(source_id) > 2000:
        return "bad_source_id"
    is_unreadable = data is not None and not table.columns["data"].startswith("jsonb") and not _is_json(data)
    if is_unreadable or row.get("source_updated_at") == "soon":
        return "unreadable"
    return "no_data" if data is None else None


def token(row: Row) -> int:
    return int(str(row["token"]))


def parsed(document: str) -> Any:
    return json.loads(document, parse_float=Decimal)


def _kept(table: LegacyTable, row: Row) -> dict[str, Any]:
    errors = _errors(table, row.get("validation_errors"))
    is_valid = {None: errors is None, "0": False, "1": True, "no": False, "yes": True}[row.get("is_valid")]
    return {
        "source_id": row["source_id"],
        "data": parsed(str(row["data"])),
        "etl_job_id": _lineage(row.get("etl_job_id")),
        "etl_run_id": _lineage(row.get("etl_run_id")),
        **{name: _first_instant(row, names) for name, names in _INSTANTS.items()},
        "is_valid": is_valid,
        "validation_errors": errors,
        "source_updated_at": _instant(row.get("source_updated_at")),
        "hash_digest": _digest(table, row),
        "input_position": int(row.get("input_position") or 0),
    }


def _digest(table: LegacyTable, row: Row) -> str | None:
    if "GENERATED" in table.columns.get("hash_digest", ""):
        return hashlib.md5(str(row["note"]).encode(), usedforsecurity=False).hexdigest()
    return row.get("hash_digest")


def _errors(table: LegacyTable, value: str | None) -> Any:
    if value is None:
        return None
    if table.columns["validation_errors"] == "text[]":
        return value.strip("{}").split(",")
    return parsed(value) if _is_json(value) else value


def _lineage(value: str | None) -> str:
    return value if value is not None and _ID.fullmatch(value) else "historical"


def _first_instant(row: Mapping[str, str | None], names: tuple[str, ...]) -> Any:
    return next((instant for name in names if (instant := _instant(row.get(name)))), ANY)


def _instant(value: str | None) -> datetime | None:
    if value is None:
        return None
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _order(row: Row) -> tuple[datetime, datetime, int]:
    updated, loaded = (_instant(row.get(name)) or _EARLIEST for name in ("source_updated_at", "loaded_at"))
    return updated, loaded, token(row)


def _is_json(text: str) -> bool:
    try:
        parsed(text)
    except ValueError:
        return False
    return "\\u0000" not in text

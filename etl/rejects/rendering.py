"""Rejects as a table for the terminal, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl.ledger import RejectRecord


def print_rejects(
    records: Sequence[RejectRecord], total: int, console: Console, keys: Mapping[str, Sequence[str]]
) -> None:
    """The latest first; says when there are more than are shown. `keys` are the key columns of each table."""
    table = Table(box=None, pad_edge=False)
    for header in ("id", "run", "table", "destination", "rule", "status"):
        table.add_column(header, no_wrap=True)
    table.add_column("key", overflow="fold")
    table.add_column("reason", overflow="fold")
    for record in records:
        cells = (record.run_id, record.table_name, record.destination or "all", record.rule, record.status)
        key = _key_of(record, keys.get(record.table_name, ()))
        table.add_row(str(record.reject_id), *(Text(cell) for cell in (*cells, key, record.reason)))
    console.print(table)
    if total > len(records):
        console.print(f"{len(records):,} of {total:,} shown; see more with --limit, one of them with: show ID")


def print_reject(record: RejectRecord, console: Console) -> None:
    """Why it was left out, then its columns with every digit they have."""
    console.print(_pairs({name: "" if value is None else str(value) for name, value in _facts(record).items()}))
    row = json.loads(record.row, parse_float=Decimal)
    columns = row if isinstance(row, dict) else {"row": row}
    console.print(Text("row", style="bold"))
    console.print(_pairs({f"  {name}": _shown(value) for name, value in columns.items()}))


def reject_json(record: RejectRecord) -> dict[str, Any]:
    """`row` and `key` are put in as the ledger holds them, so that no digit is lost."""
    key = None if record.key is None else orjson.Fragment(record.key)
    return {**_facts(record), "key": key, "row": orjson.Fragment(record.row)}


def _key_of(record: RejectRecord, names: Sequence[str]) -> str:
    """What finds the row at the source; empty where the row does not say."""
    row = json.loads(record.row, parse_float=Decimal)
    found = {name: row[name] for name in names if name in row} if isinstance(row, dict) else {}
    return ", ".join(f"{name}={_shown(value)}" for name, value in found.items())


def _pairs(values: Mapping[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(Text(name), Text(value))
    return table


def _shown(value: Any) -> str:
    """As JSON, so that NULL, '' and 'null' differ."""
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)


def _facts(record: RejectRecord) -> dict[str, Any]:
    return {
        "reject_id": record.reject_id,
        "run_id": record.run_id,
        "table": record.table_name,
        "destination": None if record.destination is None else str(record.destination),
        "rule": record.rule,
        "reason": record.reason,
        "status": str(record.status),
        "key": record.key,
        "created_at": _instant(record.created_at),
        "resolved_at": None if record.resolved_at is None else _instant(record.resolved_at),
    }


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")

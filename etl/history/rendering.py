"""Runs, trends and differences as tables for the terminal, or as plain values for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl.history.differences import COUNTS, LoadDifference
from etl.ledger import LoadRecord
from etl.ledger.history import LoadTrend, RunSummary

_STYLES = {"success": "green", "unchanged": "dim", "partial": "yellow", "failed": "red", "running": "cyan"}
_SLOWER = 1.5
"""Of the last load over the median: from here on it is marked."""


def print_runs(runs: Sequence[RunSummary], console: Console) -> None:
    names = ("run", "status", "started", "seconds", "loads", "failed", "read", "inserted", "updated", "rejected")
    table = _table(*names, left=3)
    for run in runs:
        loads = run.loads_success + run.loads_unchanged + run.loads_skipped + run.loads_failed + run.loads_open
        counts = (loads, run.loads_failed, run.rows_read, run.rows_inserted, run.rows_updated, run.rows_rejected)
        started = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(run.run_id, _status(run.status), started, f"{run.seconds:,.1f}", *map(_count, counts))
    console.print(table)


def print_trends(trends: Sequence[LoadTrend], console: Console) -> None:
    names = ("table", "destination", "last", "loads", "failures", "median s", "longest s", "last s", "", "last rows")
    table = _table(*names, left=3)
    for each in trends:
        seconds = (each.median_seconds, each.longest_seconds, each.last_seconds)
        table.add_row(
            each.table_name, each.destination, _status(each.last_status), _count(each.loads), _count(each.failures),
            *map(_seconds, seconds), _trend(each), "" if each.last_rows_read is None else _count(each.last_rows_read),
        )  # fmt: skip
    console.print(table)


def print_differences(found: Sequence[LoadDifference], console: Console) -> None:
    table = _table(
        "table", "destination", "status", "seconds", *(name.removeprefix("rows_") for name in COUNTS), left=3
    )
    for each in found:
        cells = [_pair(each, name) for name in ("status", "seconds", *COUNTS)]
        table.add_row(each.table_name, each.destination, *cells)
    console.print(table)


def difference_json(each: LoadDifference) -> dict[str, Any]:
    return {
        "table": each.table_name,
        "destination": each.destination,
        "changed": each.changed,
        "before": _plain(each.before),
        "after": _plain(each.after),
    }


def _plain(record: LoadRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    counts = {name: getattr(record, name) for name in COUNTS}
    return {"status": str(record.status), "seconds": record.seconds, **counts, "error": record.error_message}


def _table(*names: str, left: int) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place < left else "right", no_wrap=True)
    return table


def _status(status: str) -> Text:
    return Text(status, style=_STYLES.get(status, ""))


def _count(value: int) -> str:
    return f"{value:,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def _trend(each: LoadTrend) -> Text:
    """How the last load compares: `×2.0` took twice the median."""
    if not each.median_seconds or each.last_seconds is None:
        return Text("")
    ratio = each.last_seconds / each.median_seconds
    return Text(f"×{ratio:.1f}", style="red" if ratio >= _SLOWER else "dim")


def _pair(each: LoadDifference, name: str) -> Text:
    """`before → after` where it differs, else what both have."""
    before, after = (_shown(record, name) for record in (each.before, each.after))
    return Text(f"{before} → {after}", style="bold") if name in each.changed else Text(after, style="dim")


def _shown(record: LoadRecord | None, name: str) -> str:
    if record is None:
        return "none" if name == "status" else "–"
    value = getattr(record, name)
    if name == "status":
        return str(value)
    return _seconds(value) if name == "seconds" else _count(value)

"""What the sample says: a line a domain, a summary, tables of changes and of dirt; or all of it as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from etl.sample.dirty import Dirt
from etl.sample.filling import Outcome


def domain_line(console: Console, domain: str, rows: int, seconds: float) -> None:
    console.print(f"  {domain:<14} {rows:>10,} rows  {seconds:6.2f} s", highlight=False)


def print_summary(console: Console, outcome: Outcome, dirt: Dirt) -> None:
    state = outcome.state
    speed = outcome.rows / outcome.copy_seconds if outcome.copy_seconds else 0.0
    console.print(
        f"{outcome.rows:,} rows in {len(outcome.new)} tables up to {state.end_date}"
        f" (seed {state.seed}, scale {state.scale:g}): {outcome.copy_seconds:.1f} s to build and copy"
        f" ({speed:,.0f} rows/s), {outcome.seconds:.1f} s in all",
        highlight=False,
        soft_wrap=True,
    )
    if outcome.changed:
        console.print(_changes_table(outcome))
    if dirt.fraction:
        console.print(_dirt_table(dirt))


def as_json(outcome: Outcome | None, dirt: Dirt) -> dict[str, Any]:
    """None, where the source was left alone, is said as `"filled": false`."""
    if outcome is None:
        return {"filled": False}
    state = outcome.state
    tables = {table: {"new": new, "changed": outcome.changed.get(table, 0)} for table, new in outcome.new.items()}
    return {
        "seed": state.seed,
        "scale": state.scale,
        "end_date": state.end_date.isoformat(),
        "filled": True,
        "rows": outcome.rows,
        "copy_seconds": round(outcome.copy_seconds, 3),
        "seconds": round(outcome.seconds, 3),
        "tables": tables,
        "dirty": [
            {"table": table, "column": column, "fault": str(fault), "rows": count}
            for (table, column, fault), count in sorted(dirt.counts.items())
        ],
    }


def _changes_table(outcome: Outcome) -> Table:
    table = Table("table", "new", "changed", title="What went by")
    for name, new in outcome.new.items():
        table.add_row(name, f"{new:,}", f"{outcome.changed.get(name, 0):,}")
    table.add_row("all", f"{outcome.rows:,}", f"{sum(outcome.changed.values()):,}")
    return table


def _dirt_table(dirt: Dirt) -> Table:
    table = Table("fault", "table", "column", "rows", title="Dirt")
    for (name, column, fault), count in sorted(dirt.counts.items(), key=lambda item: (item[0][2], item[0])):
        table.add_row(str(fault), name, column, f"{count:,}")
    table.add_row("all", "", "", f"{sum(dirt.counts.values()):,}")
    return table

"""The results as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bench.measure import Ratio, Results, Timing

WIDTH = 120


def print_results(machine: Mapping[str, str], results: Results) -> None:
    console = Console(width=WIDTH)
    for name, value in machine.items():
        console.print(f"{name:10} {value}", highlight=False)
    small = [timing for timing in results.timings if timing.section.startswith("small")]
    raced = [timing for timing in results.timings if timing not in small]
    if raced:
        console.print(_timings(raced))
    if small:
        console.print(_prices(small))
    if results.ratios:
        console.print(_ratios(results.ratios))


def write_json(path: Path, machine: Mapping[str, str], results: Results) -> None:
    document = {
        "machine": dict(machine),
        "timings": [
            {"section": t.section, "case": t.case, "rows": t.rows, "seconds": t.seconds, "median": t.median}
            for t in results.timings
        ],
        "ratios": [
            {"section": r.section, "what": r.what, "value": r.value, "target": r.target, "is_reached": r.is_reached}
            for r in results.ratios
        ],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _timings(timings: Iterable[Timing]) -> Table:
    table = _table("section", "case", numbers=("rows", "each round, s", "median, s", "rows/s"))
    for each in timings:
        rounds = " ".join(f"{seconds:.2f}" for seconds in each.seconds)
        table.add_row(
            each.section, each.case, f"{each.rows:,}", rounds, f"{each.median:.2f}", f"{each.rows_per_second:,.0f}"
        )
    return table


def _prices(timings: Iterable[Timing]) -> Table:
    table = _table("section", "case", numbers=("rows", "loads", "median, s", "p95, s"))
    for each in timings:
        table.add_row(
            each.section, each.case, f"{each.rows:,}", str(len(each.seconds)), f"{each.median:.3f}", f"{each.p95:.3f}"
        )
    return table


def _ratios(ratios: Iterable[Ratio]) -> Table:
    table = _table("section", "what", numbers=("value", "target", "reached"))
    for each in ratios:
        sign = "≤" if each.is_upper_bound else "≥"
        target = f"{sign} {each.target:.1f}" if each.target is not None else "-"
        reached = {True: "yes", False: "no", None: "-"}[each.is_reached]
        table.add_row(each.section, each.what, f"{each.value:.2f}", target, reached)
    return table


def _table(*texts: str, numbers: tuple[str, ...]) -> Table:
    table = Table()
    for name in texts:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table

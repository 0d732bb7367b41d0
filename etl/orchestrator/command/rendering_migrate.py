"""What a migration did or would do, for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from etl.command.console import plain_table
from etl.orchestrator.command.rendering import print_lines
from etl.orchestrator.database.installation import Report
from etl.orchestrator.database.steps import Phase, Plan
from etl.orchestrator.history import ImportReport
from etl.orchestrator.seed import Difference

_PHASES = {
    Phase.TABLES: "tables",
    Phase.CONSTRAINTS: "indexes and constraints",
    Phase.ONE_AT_A_TIME: "what may be there once at a time, last",
}
_LONGEST = 60


def print_plan(plan: Plan, in_the_way: Sequence[str], console: Console) -> None:
    if plan.is_new:
        print_lines(["nothing stands: all tables, indexes and constraints would be made at once"], console)
    for refusal in plan.refusals:
        print_lines([f"in the way: {refusal.table}: {refusal.found}"], console)
    for phase, words in _PHASES.items():
        if steps := plan.of(phase):
            print_lines([f"{words}:", *(f"  - {step.table}: {step.what}" for step in steps)], console)
    print_lines([f"  would be resolved: {text}" for text in in_the_way], console)
    if plan.missing and not plan.is_new:
        print_lines([f"migrations to be run or recorded: {', '.join(plan.missing)}"], console)
    if plan.is_empty:
        print_lines(["the tables are as they should be"], console)


def print_report(report: Report, console: Console) -> None:
    print_lines([f"resolved: {text}" for text in report.resolved], console)
    if report.applied:
        print_lines([f"migrations: {', '.join(report.applied)}"], console)
    print_lines([f"{report.steps} steps done" if report.steps else "the tables are as they should be"], console)


def print_differences(differences: Sequence[Difference], console: Console) -> None:
    if not differences:
        print_lines(["the jobs are as their files say"], console)
        return
    table = plain_table("change", "what", "name", "field", "before", "after")
    for each in differences:
        table.add_row(each.kind, each.what, each.slug, each.field, Text(_short(each.before)), Text(_short(each.after)))
    console.print(table)


def print_import(report: ImportReport, console: Console) -> None:
    rate = f", {report.read / report.seconds:,.0f} a second" if report.seconds else ""
    lines = [
        f"{report.file}: {report.read:,} rows read: {report.imported:,} imported, {report.already_there:,} already"
        f" there, {report.rejected:,} rejected ({report.seconds:.1f} s{rate})"
    ]
    if report.reject_file:
        lines.append(f"rejected rows with their lines and reasons: {report.reject_file}")
    print_lines(lines, console)


def _short(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

"""A migration's plan and report for the eye."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from etl.staging.command.rendering import uncut
from etl.staging.migrate.adopting import Adoption
from etl.staging.migrate.planning.plan import MigrationPlan, TablePlan
from etl.staging.migrate.report import MigrationReport, TableStatus


def print_nothing_to_adopt(schema: str, console: Console) -> None:
    console.print(f"schema {schema} has no etl_jobs or etl_runs of another system: nothing to adopt", highlight=False)


def print_plan(plan: MigrationPlan, console: Console) -> None:
    """Every table with its steps; nothing has been touched."""
    for adoption in plan.adopted:
        console.print(_adopted(adoption, "to be kept as", "to be taken over"), highlight=False, soft_wrap=True)
    for table in plan.tables:
        _print_table_plan(table, console)
    open_tables = sum(bool(table.steps) for table in plan.tables)
    console.print(
        f"{open_tables} of {len(plan.tables)} tables that match {plan.pattern} in {plan.address}, "
        f"schema {plan.schema}, are to be migrated; nothing was touched",
        highlight=False,
        soft_wrap=True,
    )


def print_report(report: MigrationReport, console: Console) -> None:
    """What was done, for the tables where something was; the counts add up to what stood there and came meanwhile."""
    counts = ("rows before", "written meanwhile", "kept", "archived", "quarantined")
    table = Table(*map(uncut, ("table", "status", *counts, "seconds")))
    for each in report.tables:
        if each.status is TableStatus.UNCHANGED:
            continue
        rows = (
            each.rows_before,
            each.rows_written_meanwhile,
            each.rows_kept,
            each.rows_archived,
            each.rows_quarantined,
        )
        table.add_row(each.table, each.status.value, *(f"{number:,}" for number in rows), f"{each.seconds:.1f}")
    for adoption in report.adopted:
        console.print(_adopted(adoption, "kept as", "taken over"), highlight=False, soft_wrap=True)
    if table.row_count:
        console.print(table)
    for each in report.tables:
        if each.reason:
            console.print(f"{each.table}: {each.status.value}: {each.reason}", highlight=False, soft_wrap=True)
        for note in each.notes:
            console.print(f"{each.table}: {note}", highlight=False, soft_wrap=True)
    states = ", ".join(f"{len(report.of(status))} {status.value}" for status in TableStatus)
    console.print(
        f"{len(report.tables)} tables in {report.address}, schema {report.schema}: {states}",
        highlight=False,
        soft_wrap=True,
    )


def _adopted(adoption: Adoption, kept: str, taken: str) -> str:
    told = f"{adoption.table} of another system: {kept} {adoption.kept_as}; "
    if adoption.id_column is None:
        return f"{told}no column of it is an id: none of its {adoption.rows:,} rows {taken}"
    left = f", {adoption.left:,} not, whose id the ledger cannot hold" if adoption.left else ""
    return f"{told}{adoption.adopted:,} of its {adoption.rows:,} rows {taken} by their {adoption.id_column}{left}"


def _print_table_plan(table: TablePlan, console: Console) -> None:
    if table.skipped:
        console.print(f"{table.table}: skipped: {table.skipped}", highlight=False, soft_wrap=True)
    if not table.steps:
        return
    defects = ""
    if table.defects:
        found = table.defects
        defects = (
            f" ({found.rows:,} rows, {found.duplicates:,} duplicates, {found.unusable:,} without source_id or data)"
        )
    console.print(f"{table.table}{defects}", highlight=False, soft_wrap=True)
    for step in table.steps:
        console.print(f"  - {step.what}", highlight=False, soft_wrap=True)
    for note in table.notes:
        console.print(f"  note: {note}", highlight=False, soft_wrap=True)

"""`etl orchestrator migrate`: tables, indexes and constraints, jobs, history."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from etl.command.console import print_json, table_console
from etl.command.exits import Exit
from etl.command.options import AsJson, ConfigDir, LogOption
from etl.config.orchestrator.jobs import JobsConfiguration, load_jobs
from etl.orchestrator.alerting.rules import write_rules
from etl.orchestrator.command.import_ import RejectFile, import_files, logs_named
from etl.orchestrator.command.opening import Opened, opened
from etl.orchestrator.command.rendering_migrate import print_differences, print_import, print_plan, print_report
from etl.orchestrator.database.installation import check_server, in_the_way, plan_migration
from etl.orchestrator.database.installation import migrate as migrate_tables
from etl.orchestrator.database.steps import Phase
from etl.orchestrator.history import ImportReport
from etl.orchestrator.seed import Difference, differences, seed
from etl.project import DEFAULT_CONFIG_DIR

log = structlog.get_logger(__name__)


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate)


def migrate(
    history: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="FILE", help="A log to import as well; may be repeated."),
    ] = None,
    reject_file: RejectFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; write nothing.")] = False,
    as_json: AsJson = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Make the tables, or bring those that stand to their shape; then write the jobs of conf/jobs, and the rules of
    alerts. Repeatable.

    Whoever works in the tables meanwhile goes on: locks are short, indexes are built beside them. What cannot be
    mended is told before anything is written.
    """
    wanted = load_jobs(config_dir, os.environ)
    logs = logs_named(history or (), reject_file)
    with opened(config_dir, log_format, needs_tables=False) as at:
        if dry_run:
            return _show(at, wanted, as_json)
        return _migrate(at, wanted, logs, reject_file, as_json)


def _migrate(at: Opened, wanted: JobsConfiguration, files: list[Path], rejects: Path | None, as_json: bool) -> int:
    changed: list[Difference] = []
    imported: list[ImportReport] = []

    def fill() -> None:
        changed.extend(seed(at.database, wanted))
        imported.extend(import_files(at.database, files, rejects))

    report = migrate_tables(at.database, tell=lambda step: log.info("migrate_step", step=step), between=fill)
    write_rules(at.database, at.settings.alerts)
    if as_json:
        print_json({**asdict(report), "jobs": _plain(changed), "history": _plain(imported)})
    else:
        console = table_console()
        print_report(report, console)
        print_differences(changed, console)
        for each in imported:
            print_import(each, console)
    return Exit.FAILED if any(each.rejected for each in imported) else Exit.DONE


def _show(at: Opened, wanted: JobsConfiguration, as_json: bool) -> int:
    check_server(at.database)
    plan = plan_migration(at.database)
    resolves = in_the_way(at.database, plan)
    is_readable = plan.is_new or not (plan.of(Phase.TABLES) or plan.refusals)
    changes = differences(at.database, wanted, is_new=plan.is_new) if is_readable else None
    if as_json:
        steps = [{"phase": step.phase.name.lower(), "table": step.table, "what": step.what} for step in plan.steps]
        print_json(
            {
                "is_new": plan.is_new,
                "missing": plan.missing,
                "steps": steps,
                "refusals": _plain(plan.refusals),
                "resolves": resolves,
                "jobs": None if changes is None else _plain(changes),
            }
        )
    else:
        console = table_console()
        print_plan(plan, resolves, console)
        if changes is None:
            console.print("the jobs are compared when the tables have their columns")
        else:
            print_differences(changes, console)
        console.print("nothing was written")
    return Exit.FAILED if plan.refusals else Exit.DONE


def _plain(found: Any) -> list[dict[str, Any]]:
    return [asdict(each) for each in found]

"""`etl orchestrator import FILE…`: logs of what ran before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import typer

from etl.command.console import print_json, table_console
from etl.command.exits import Exit
from etl.command.options import AsJson, ConfigDir, LogOption
from etl.errors import UsageError
from etl.files.finding import each_once, named
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering_migrate import print_import
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.history import ImportReport, check_log, import_history
from etl.project import DEFAULT_CONFIG_DIR

log = structlog.get_logger(__name__)

RejectFile = Annotated[
    Path | None,
    typer.Option(dir_okay=False, help="Where rows that are no runs go, with lines and reasons; FILE.rejects.jsonl."),
]


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="CSV with a header, or JSON lines; .gz and so on.")
    ],
    reject_file: RejectFile = None,
    as_json: AsJson = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Import historical runs: slug, status, scheduled_at, started_at, ended_at, parameters and the like.

    A second time adds nothing. Exit 1 where rows were rejected; the others are imported.
    """
    paths = logs_named(files, reject_file)
    with opened(config_dir, log_format) as at:
        reports = import_files(at.database, paths, reject_file)
    if as_json:
        print_json([asdict(report) for report in reports])
    else:
        for report in reports:
            print_import(report, table_console())
    return Exit.FAILED if any(report.rejected for report in reports) else Exit.DONE


def logs_named(files: Sequence[str], reject_file: Path | None) -> list[Path]:
    """Before anything is written."""
    paths = each_once(path for pattern in files for path in named(pattern))
    if files and not paths:
        raise UsageError(f"expected a file, found none that matches {', '.join(files)}")
    if reject_file and len(paths) > 1:
        raise UsageError(f"expected one file for --reject-file, found {len(paths)}; import them one by one")
    for path in paths:
        check_log(path)
    return paths


def import_files(database: OrchestratorDatabase, paths: Sequence[Path], reject_file: Path | None) -> list[ImportReport]:
    return [import_history(database, path, reject_file=reject_file, progress=_tell) for path in paths]


def _tell(report: ImportReport) -> None:
    log.info("import_goes_on", file=report.file, read=report.read, imported=report.imported, rejected=report.rejected)

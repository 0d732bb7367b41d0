"""`etl lake retention|optimize|vacuum`: the lake's upkeep, for one table or all.

Each table is held by its lease meanwhile: a load of it waits, or we wait for a load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from etl.command.edge import Edge, run_tool, tool
from etl.command.exits import Exit
from etl.command.logging import LogFormat, configure_logging, default_log_format
from etl.command.options import ConfigDir, LogOption
from etl.command.typed import etl_as_typed
from etl.config.configuration import load_configuration
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, TerminalError, UsageError
from etl.ledger import Ledger, NewRun
from etl.ledger.runs import new_run_id
from etl.load.s3.maintenance import LakeKeeper
from etl.model import Destination
from etl.postgresql.lookout import waits_told
from etl.project import DEFAULT_CONFIG_DIR
from etl.spark.session import build_session, configure_s3

Upkeep = Callable[[LakeKeeper, S3TableLoadConfig], str | None]


def exit_of(error: EtlError) -> Exit:
    return Exit.USAGE if isinstance(error, TerminalError) else Exit.FAILED


app = tool(__doc__, Edge(exit_of))
Tables = Annotated[list[str] | None, typer.Option("--table", help="A table's name; may be repeated. Default: all.")]


@app.command()
def retention(
    table: Tables = None,
    apply: Annotated[bool, typer.Option("--apply", help="Delete; without it only say what would go.")] = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Delete the days past `retention_days`. A dry run unless --apply is given."""
    today = datetime.now(UTC).date()

    def retain(keeper: LakeKeeper, config: S3TableLoadConfig) -> str | None:
        found = keeper.retain(config, today, apply=apply)
        return None if found is None else f"{config.table_name}: {found}"

    _for_each_table(config_dir, log_format, table, retain, command="lake retention" if apply else None)


@app.command()
def optimize(table: Tables = None, log_format: LogOption = None, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Join small files of Delta tables."""
    _for_each_table(
        config_dir,
        log_format,
        table,
        lambda keeper, config: f"{config.table_name}: {keeper.optimize(config)} files joined",
        command="lake optimize",
    )


@app.command()
def vacuum(
    table: Tables = None,
    hours: Annotated[
        int | None, typer.Option(help="Keep what versions of this age need; default: vacuum_hours.")
    ] = None,
    even_if_unsafe: Annotated[bool, typer.Option("--even-if-unsafe", help="Allow less than 168 hours.")] = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Remove files of Delta tables that no kept version needs."""

    def clear(keeper: LakeKeeper, config: S3TableLoadConfig) -> str:
        keeper.vacuum(config, hours, even_if_unsafe=even_if_unsafe)
        return f"{config.table_name}: vacuumed"

    _for_each_table(config_dir, log_format, table, clear, command="lake vacuum")


def _for_each_table(
    config_dir: Path, log_format: LogFormat | None, names: list[str] | None, upkeep: Upkeep, command: str | None
) -> None:
    """Prints what each table's upkeep says. `command` names the run of the ledger that writes, None only looks."""
    configuration = load_configuration(config_dir)
    configure_logging(log_format or default_log_format())
    settings = configuration.settings
    if settings.s3 is None:
        raise UsageError(f'no S3 bucket is configured; for the embedded one: eval "$({etl_as_typed()} stack env)"')
    if command and settings.ledger is None:
        raise UsageError("expected a PostgreSQL database for the ledger, found none; set ETL_POSTGRES_URL")
    tables = [configuration.table(name) for name in names] if names else list(configuration.tables.values())
    loads = [table.loads.get(Destination.S3) for table in tables]
    chosen = [load for load in loads if isinstance(load, S3TableLoadConfig) and load.enabled]
    spark = build_session("ownlens-etl-lake")
    try:
        configure_s3(spark, settings.s3)
        keeper = LakeKeeper(spark, settings.s3)
        if command and settings.ledger:
            keep_by_lease(settings.ledger, settings.run.lock_timeout_seconds, keeper, chosen, upkeep, command)
        else:
            for load in chosen:
                _say(upkeep(keeper, load))
    finally:
        spark.stop()


def keep_by_lease(
    ledger_at: PostgreSQLSettings,
    timeout_seconds: float,
    keeper: LakeKeeper,
    loads: Sequence[S3TableLoadConfig],
    upkeep: Upkeep,
    command: str,
) -> None:
    run_id = new_run_id()
    ledger_at = ledger_at.of_run(run_id)
    with waits_told([ledger_at]), closing(Ledger(ledger_at)) as ledger:
        ledger.migrate()
        names = tuple(load.table_name for load in loads)
        with ledger.own_run(NewRun((Destination.S3,), names, {"command": command}), run_id) as run:
            for load in loads:
                with ledger.lease(run.run_id, load.table_name, Destination.S3, timeout_seconds):
                    _say(upkeep(keeper, load))


def _say(sentence: str | None) -> None:
    if sentence is not None:
        print(sentence)


if __name__ == "__main__":
    run_tool(app, "python -m etl.load.s3")

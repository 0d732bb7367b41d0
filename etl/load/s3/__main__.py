"""`python -m etl.load.s3 retention|optimize|vacuum`: the lake's upkeep, for one table or all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from etl.config.configuration import DEFAULT_CONFIG_DIR, load_configuration
from etl.config.models import S3TableLoadConfig
from etl.errors import EtlError, TerminalError, UsageError
from etl.load.s3.maintenance import LakeKeeper, Retention
from etl.model import Destination
from etl.spark import build_session, configure_s3

BAD_USE = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
Tables = Annotated[list[str] | None, typer.Option("--table", help="A table's name; may be repeated. Default: all.")]
ConfigDir = Annotated[Path, typer.Option(help="The folder that holds tables/*.yaml and, if need be, etl.yaml.")]


@app.command()
def retention(
    table: Tables = None,
    apply: Annotated[bool, typer.Option("--apply", help="Delete; without it only say what would go.")] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Delete the days past `retention_days`. A dry run unless --apply is given."""
    today = datetime.now(UTC).date()
    for keeper, config in _work(config_dir, table):
        found = keeper.retain(config, today, apply=apply)
        if found is not None:
            print(_sentence(found))


@app.command()
def optimize(table: Tables = None, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Join small files of Delta tables."""
    for keeper, config in _work(config_dir, table):
        print(f"{config.table_name}: {keeper.optimize(config)} files joined")


@app.command()
def vacuum(
    table: Tables = None,
    hours: Annotated[
        int | None, typer.Option(help="Keep what versions of this age need; default: vacuum_hours.")
    ] = None,
    even_if_unsafe: Annotated[bool, typer.Option("--even-if-unsafe", help="Allow less than 168 hours.")] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Remove files of Delta tables that no kept version needs."""
    for keeper, config in _work(config_dir, table):
        keeper.vacuum(config, hours, even_if_unsafe=even_if_unsafe)
        print(f"{config.table_name}: vacuumed")


def _work(config_dir: Path, names: list[str] | None) -> Iterator[tuple[LakeKeeper, S3TableLoadConfig]]:
    configuration = load_configuration(config_dir)
    settings = configuration.settings.s3
    if settings is None:
        raise UsageError('no S3 bucket is configured; for the embedded one: eval "$(python -m etl.stack env)"')
    tables = [configuration.table(name) for name in names] if names else list(configuration.tables.values())
    spark = build_session("ownlens-etl-lake")
    configure_s3(spark, settings)
    keeper = LakeKeeper(spark, settings)
    try:
        for table in tables:
            load = table.loads.get(Destination.S3)
            if isinstance(load, S3TableLoadConfig) and load.enabled:
                yield keeper, load
    finally:
        spark.stop()


def _sentence(found: Retention) -> str:
    verb = "deleted" if found.applied else "would delete"
    size = f"{found.rows} rows" if found.rows is not None else f"{found.files} files, {found.bytes} bytes"
    days = f"{found.days[0]} to {found.days[-1]}" if found.days else "none"
    return f"{found.table}: {verb} {len(found.days)} days before {found.cutoff} ({days}; {size})"


def main() -> None:
    try:
        app()
    except TerminalError as error:
        typer.echo(error.message, err=True)
        raise SystemExit(BAD_USE) from None
    except EtlError as error:
        typer.echo(error.message, err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()

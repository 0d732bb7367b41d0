"""`etl rejects list | show ID | retry`: rows that loads left out, and another try for them.

Exit codes: 0 done (and, for retry, no row of the tables waits any more, or breaks the rule again), 1 rows still wait or
are rejected again, or a server failed, 2 bad use or configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import run_tool, say, tool
from etl.command.exits import Exit
from etl.command.logging import LogFormat, configure_logging, default_log_format
from etl.command.options import AsJson, ConfigDir, LogOption
from etl.command.typed import etl_as_typed
from etl.config.configuration import Configuration, load_configuration
from etl.errors import UsageError
from etl.ledger import Ledger, RejectFilter, RejectStatus
from etl.ledger.runs import new_run_id
from etl.postgresql.lookout import waits_told
from etl.project import DEFAULT_CONFIG_DIR
from etl.rejects.rendering import print_reject, print_rejects, reject_json

app = tool(__doc__)


@app.command("list")
def list_rejects(
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    table: Annotated[str | None, typer.Option(help="Only those of this table.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only those that broke this rule.")] = None,
    status: Annotated[RejectStatus | None, typer.Option(help="Only those with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first.")] = 100,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """List rejected rows, the latest first."""
    chosen = RejectFilter(run, table, rule, status)
    with _opened(config_dir) as (configuration, ledger):
        records, total = ledger.rejects(chosen, limit), ledger.count_rejects(chosen)
    if as_json:
        print_json([reject_json(record) for record in records])
    elif records:
        keys = {name: table.key for name, table in configuration.tables.items()}
        print_rejects(records, total, table_console(), keys)
    else:
        print("no rejected rows")


@app.command()
def show(
    reject_id: Annotated[int, typer.Argument(metavar="ID", help="As the list shows it.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Show one rejected row: why, and the row itself."""
    with _opened(config_dir) as (_, ledger):
        record = ledger.reject(reject_id)
        if record is None:
            raise UsageError(f"expected the id of a rejected row, found {reject_id}; `list` shows the ids")
    if as_json:
        print_json(reject_json(record))
    else:
        print_reject(record, table_console())


@app.command()
def retry(
    table: Annotated[list[str] | None, typer.Option(help="Only rows of this table; may be repeated.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="Read the rows that this rule rejected from the source again, once it is mended.")
    ] = None,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Load the waiting rows whose foreign-key parents have come (every run does so too), or those of a mended rule."""
    # Spark takes seconds to import: only where it is needed
    from etl.rejects.replay import retry_waiting

    if rule is not None:
        return _retry_rule(rule, table or (), log_format, config_dir)
    with _opened(config_dir, log_format) as (configuration, ledger):
        results = retry_waiting(configuration, ledger, table or ())
    for result in results:
        loaded = result.rows_in - result.rows_rejected
        print(f"{result.table_name}: {loaded:,} of {result.rows_in:,} waiting rows are in {result.target}")
    if not results:
        print("no rows are waiting")
    return Exit.FAILED if any(result.rows_rejected for result in results) else Exit.DONE


def _retry_rule(rule: str, tables: Sequence[str], log_format: LogFormat | None, config_dir: Path) -> int:
    from etl.pipeline.options import RunOptions
    from etl.rejects.rereading import retry_rejected

    with _opened(config_dir, log_format) as (configuration, ledger):
        asked_for = RunOptions(config_dir=config_dir, log_format=log_format or default_log_format())
        results = retry_rejected(configuration, ledger, rule, tables, asked_for)
    for result in results:
        loads = ", ".join(
            f"{load.destination}: {load.rows_inserted + load.rows_updated:,} loaded" for load in result.loads
        )
        print(
            f"{result.table}: {result.rows:,} rows of {rule} were read again with what stands between them; {loads}; "
            f"{result.rejected_again:,} are rejected again"
        )
        for load in result.failed:
            say(f"{result.table} -> {load.destination}: {load.error_message}")
    if not results:
        print("no rows of these tables are rejected by that rule")
    return Exit.FAILED if any(result.failed or result.rejected_again for result in results) else Exit.DONE


@contextmanager
def _opened(config_dir: Path, log_format: LogFormat | None = None) -> Iterator[tuple[Configuration, Ledger]]:
    """Configuration and an up-to-date ledger."""
    configure_logging(log_format or default_log_format(), level="WARNING")
    configuration = load_configuration(config_dir).of_run(f"rejects {new_run_id()}")
    settings = configuration.settings
    if settings.ledger is None:
        raise UsageError(
            "expected a PostgreSQL database for the ledger, found none; set ETL_POSTGRES_URL"
            f' (for the embedded servers: eval "$({etl_as_typed()} stack env)")'
        )
    servers = (settings.ledger, settings.source, settings.postgresql)
    with waits_told(servers), closing(Ledger(settings.ledger)) as ledger:
        ledger.migrate()
        yield configuration, ledger


if __name__ == "__main__":
    run_tool(app, "python -m etl.rejects")

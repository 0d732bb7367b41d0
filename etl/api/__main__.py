"""`etl api`: the Data Loader page and its API over the staging ledger.

Exit codes: 0 ended, 2 bad use or configuration, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import structlog
import typer

from etl.api.app import create_app
from etl.api.configured import ConfiguredJobs
from etl.api.openapi import as_file, document_of
from etl.api.server import PageServer, listening
from etl.api.services import Services
from etl.command.edge import run_tool, tool
from etl.command.logging import configure_logging, default_log_format
from etl.command.options import ConfigDir, LogOption
from etl.config.staging.jobs import load_staging_configuration
from etl.config.urls import bracketed
from etl.project import DEFAULT_CONFIG_DIR

log = structlog.get_logger("etl.api")

app = tool(__doc__, no_args_is_help=False)


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8400,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM."""
    if context.invoked_subcommand is not None:
        return
    configuration = load_staging_configuration(config_dir, os.environ)
    configured = ConfiguredJobs(configuration, bool(os.environ.get("ETL_BATCH_SIZE")))
    configure_logging(log_format or default_log_format(), secrets=(configuration.database.password.get_secret_value(),))
    services = Services.of(configured)
    with listening(host, port) as held:
        log.info("page serves", url=f"http://{bracketed(host)}:{held.getsockname()[1]}")
        PageServer(create_app(services), services.hub).run(sockets=[held])


@app.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI document, which ui/openapi.json is a copy of."""
    sys.stdout.buffer.write(as_file(document_of(create_app())))


if __name__ == "__main__":
    run_tool(app, "python -m etl.api")

"""`etl api`: the Data Loader page and its API over the staging ledger.

Exit codes: 0 ended, 2 bad use or configuration, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import replace
from typing import Annotated

import structlog
import typer

from etl.api.app import create_app
from etl.api.configured import KeptConfiguration
from etl.api.openapi import as_file, document_of
from etl.api.security.command import users
from etl.api.security.serving import check_door, page_of
from etl.api.server import PageServer, listening
from etl.api.services import Services
from etl.command.edge import run_tool, tool
from etl.command.logging import configure_logging, default_log_format
from etl.command.options import ConfigDir, LogOption
from etl.project import DEFAULT_CONFIG_DIR

log = structlog.get_logger("etl.api")

app = tool(__doc__, no_args_is_help=False)
app.add_typer(users, name="user")


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Where it listens; before page.host, 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Before page.port, 8400; 0: any that is free.")
    ] = None,
    no_sign_in: Annotated[
        bool, typer.Option("--no-sign-in", help="On loopback only: whoever reaches it is an operator.")
    ] = False,
    log_format: LogOption = None,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM."""
    if context.invoked_subcommand is not None:
        return
    configuration = KeptConfiguration.of(config_dir, os.environ)
    page = page_of(config_dir, host, port, no_sign_in=no_sign_in)
    secrets = (configuration.now().configuration.database.password.get_secret_value(), *page.secrets)
    configure_logging(log_format or default_log_format(), secrets=secrets)
    with closing(Services.of(configuration, page)) as services:
        check_door(page, services.database)
        with listening(page.host, page.port) as held:
            # the port is part of the cookie's name
            served = page.model_copy(update={"port": held.getsockname()[1]})
            services = replace(services, page=served)
            log.info("page serves", url=served.address)
            PageServer(create_app(services), services.hub, page.trusted_proxies).run(sockets=[held])


@app.command("openapi")
def print_openapi() -> None:
    """Print the OpenAPI document, which ui/openapi.json is a copy of."""
    sys.stdout.buffer.write(as_file(document_of(create_app())))


if __name__ == "__main__":
    run_tool(app, "python -m etl.api")

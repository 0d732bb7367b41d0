"""Options that mean the same in every tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etl.command.logging import LogFormat

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ConfigDir = Annotated[
    Path,
    typer.Option(
        file_okay=False, help="The folder that holds etl.yaml, tables/, staging/ and jobs/, as far as needed."
    ),
]
LogOption = Annotated[LogFormat | None, typer.Option(help="Default: console on a terminal, else JSON; to stderr.")]
MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65535, metavar="PORT", help="Serve Prometheus metrics while it runs.")
]
Pushgateway = Annotated[
    str | None,
    typer.Option("--pushgateway", "--push-gateway", metavar="HOST:PORT", help="Push the metrics there at the end."),
]

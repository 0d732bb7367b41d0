"""`etl orchestrator bench`: the project's own benchmark, which a package that was installed does not bring."""

from __future__ import annotations

import os
import sys

import typer

from etl.errors import UsageError
from etl.project import PROJECT_DIR

_SUITE = PROJECT_DIR / "bench" / "orchestrator.py"


def register(app: typer.Typer) -> None:
    app.command("bench", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(bench)


def bench(context: typer.Context) -> None:
    """Measure the orchestrator on an embedded PostgreSQL of its own; options are those of `python -m bench`."""
    if not _SUITE.is_file():
        raise UsageError(
            f"expected the project's folder bench beside the package, found no {_SUITE}; run it in a clone"
        )
    os.chdir(PROJECT_DIR)
    os.execv(sys.executable, [sys.executable, "-m", "bench", "orchestrator", *context.args])  # noqa: S606 - in its place

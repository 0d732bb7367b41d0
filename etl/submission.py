"""`etl run`: the main job by ./spark-submit.sh, which sets up what is missing; faults of use are told before that.

`python -m etl.submission CONFIG_DIR [spark-submit's options] JOB [flags]` is what spark-submit.sh asks before any job,
in one process, since each costs a start: faults of use of the main job are told, and no server is started for a run
that cannot begin; then the embedded servers that it lacks are started, an empty source of theirs is filled, and what
the job's environment lacks is printed for `eval`. Spark is not imported here.
"""

from __future__ import annotations

import os
import sys
from argparse import Action
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

from etl.command.edge import Edge, say
from etl.command.exits import Exit
from etl.config.configuration import load_configuration
from etl.interruption import interruptible
from etl.pipeline.options import job_flags, parse_options
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR
from etl.report.json_report import check_report_path
from etl.sample.source import DEFAULT_URL_VARIABLE as SOURCE
from etl.sample.source import LEFT_ALONE, is_filled, open_source
from etl.stack.__main__ import start_missing
from etl.stack.environment import as_if_started, export_lines

_GIVEN = "given"
_JOB = PROJECT_DIR / "jobs" / "run_etl.py"


class _Given(TyperCommand):
    """Keeps the arguments as they came, for the job."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_GIVEN] = tuple(args)
        return super().parse_args(ctx, args)


def run(context: typer.Context, **_: Any) -> NoReturn:
    """Extract, transform and load the configured tables into a lake, PostgreSQL and ClickHouse."""
    given = context.meta[_GIVEN]
    check(given, os.environ, context.command_path)
    if find_spec("pyspark") is None:
        raise ModuleNotFoundError("pyspark", name="pyspark")
    script = PROJECT_DIR / "spark-submit.sh"
    os.execv(script, [str(script), str(_JOB), *given])  # noqa: S606 - in its place


def check(arguments: Sequence[str], environ: Mapping[str, str], program: str) -> None:
    """Raises what is wrong with flags or configuration, as far as no server has to be asked."""
    options = parse_options(arguments, program)
    folder = options.config_dir or DEFAULT_CONFIG_DIR
    configuration = load_configuration(folder, as_if_started(environ, folder))
    configuration.select(options.tables, options.domains, options.exclude)
    if options.report:
        check_report_path(options.report)


def _shown(action: Action) -> Parameter:
    """A flag of the job's parser as typer shows and completes it; the parser itself reads it."""
    is_switch = action.nargs == 0
    names = "/".join(action.option_strings) if is_switch else action.option_strings[0]
    option = typer.Option(None, names, help=(action.help or "").replace("%%", "%"), metavar=_metavar(action))
    return Parameter(
        action.dest, Parameter.KEYWORD_ONLY, default=option, annotation=bool | None if is_switch else str | None
    )


def _metavar(action: Action) -> str | None:
    return "|".join(action.choices) if action.choices else action.metavar if isinstance(action.metavar, str) else None


def _signature() -> Signature:
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    return Signature([context, *map(_shown, job_flags())])


def main(config_dir: str, *submitted: str) -> int:
    with interruptible():
        return Edge().exit_code(lambda: _prepare(Path(config_dir), submitted))


def _prepare(config_dir: Path, submitted: Sequence[str]) -> int:
    """Of spark-submit's arguments those after the job's file are the job's."""
    place = next((place for place, argument in enumerate(submitted) if argument.endswith(".py")), None)
    if place is not None and os.path.realpath(submitted[place]) == os.path.realpath(_JOB):
        check(submitted[place + 1 :], os.environ, _JOB.name)
    variables = start_missing(config_dir)
    sys.stdout.write(export_lines(variables))
    source = variables.get(SOURCE)
    return fill_if_empty(source) if source else Exit.DONE


def fill_if_empty(source: str) -> int:
    with open_source(source) as cursor:
        if is_filled(cursor):
            say(LEFT_ALONE)
            return Exit.DONE
    # with numpy and pandas, which no later start needs
    from etl.sample.__main__ import app

    os.environ[SOURCE] = source
    return app(["--if-empty"], standalone_mode=False) or Exit.DONE


if __name__ == "__main__":  # before the flags are asked for: that, too, may be a fault of use
    sys.exit(main(*sys.argv[1:]))

run.__signature__ = _signature()  # type: ignore[attr-defined]
app = typer.Typer(add_completion=False)
app.command(cls=_Given)(run)

"""`etl orchestrator run start | list | show | watch | logs | cancel | retry | why-not`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, TextIO

import typer

from etl.command.console import print_json, table_console
from etl.command.edge import Edge, Ended, say, tool
from etl.command.exits import Exit
from etl.command.options import AsJson, ConfigDir
from etl.errors import UsageError
from etl.orchestrator.command.asking import cancel_runs, retry_runs
from etl.orchestrator.command.facts import facts_of
from etl.orchestrator.command.finding import Cycles, find_cycles, find_job, find_run
from etl.orchestrator.command.listing import RunFilter, listed, since_when
from etl.orchestrator.command.logs import Output, print_output
from etl.orchestrator.command.opening import opened
from etl.orchestrator.command.rendering import print_asked, print_lines, print_reopened, print_runs
from etl.orchestrator.command.rendering_run import print_run
from etl.orchestrator.command.starting import Asked, Wanted, ask
from etl.orchestrator.command.watching import INTERVAL_SECONDS, watch_as_json
from etl.orchestrator.command.watching import watch as watch_cycle
from etl.orchestrator.command.why_not import nobody_works, reasons
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.values import RunStatus
from etl.project import DEFAULT_CONFIG_DIR

app = tool(
    "Runs: ask for one, look at it, end it, try it again.",
    Edge(what_stays="the runs themselves go on, `cancel` ends them"),
)

WATCHED = 500
"""So many cycles of a backfill at once."""

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its number, or its correlation id.")]


@app.command()
def start(
    slug: Annotated[str | None, typer.Argument(metavar="[SLUG]", help="The job to run.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Instead of the job's own; a list as JSON or a,b; may be repeated."),
    ] = None,
    parameters: Annotated[str | None, typer.Option(metavar="JSON", help="The same as one object.")] = None,
    downstream: Annotated[bool, typer.Option("--downstream", help="With all that depends on it.")] = False,
    upstream: Annotated[bool, typer.Option("--upstream", help="With all that it depends on.")] = False,
    is_all: Annotated[bool, typer.Option("--all", help="All jobs, as one cycle.")] = False,
    layer: Annotated[str | None, typer.Option(help="All jobs of this layer.")] = None,
    tag: Annotated[str | None, typer.Option(help="All jobs with this tag.")] = None,
    correlation_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Asked for twice by the same id it is one run.")
    ] = None,
    unless_succeeded: Annotated[
        bool, typer.Option("--unless-succeeded", help="Not where a run with the same parameters has succeeded.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch it to its end; exit 1 if not all of it succeeds.")
    ] = False,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Ask for a run of a job, or for one of each of many; a worker starts them in the order of what they depend on."""
    wanted = Wanted(
        slug, downstream, upstream, is_all, layer, tag, tuple(param or ()), parameters, correlation_id, unless_succeeded
    )
    with opened(config_dir) as at:
        asked = ask(at.database, wanted)
        for fault in nobody_works(at.database):
            say(fault)
        if not as_json:
            print_asked(asked, table_console())
        ended = _followed(at.database, asked, sys.stderr if as_json else sys.stdout) if wait else asked
    if as_json:
        print_json(ended.json)
    return Exit.DONE if not wait or all(run.status is RunStatus.SUCCESS for run in ended.runs) else Exit.FAILED


@app.command("list")
def list_runs(
    job: Annotated[str | None, typer.Option(metavar="SLUG", help="Only runs of this job.")] = None,
    status: Annotated[list[RunStatus] | None, typer.Option(help="Only with this status; may be repeated.")] = None,
    layer: Annotated[str | None, typer.Option(help="Only runs of this layer's jobs.")] = None,
    cycle: Annotated[
        str | None, typer.Option(metavar="CYCLE|RUN", help="Only runs of this cycle, or of this backfill's.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME|AGE", help="Only what was due since: 2026-11-26, 2026-11-26T02:00, 36h.")
    ] = None,
    before: Annotated[str | None, typer.Option(metavar="RUN", help="Go on behind this run: the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the latest due first.")] = 30,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """List runs, the latest due first."""
    with opened(config_dir) as at:
        if job is not None:
            find_job(at.database, job)
        in_cycles = find_cycles(at.database, cycle).ids if cycle else None
        after = find_run(at.database, before) if before else None
        chosen = RunFilter(job, tuple(status or RunStatus), layer, in_cycles, since_when(since), after, limit)
        runs = listed(at.database, chosen)
    if as_json:
        print_json(runs)
        return
    print_runs(runs, table_console())
    if len(runs) == limit:
        typer.echo(f"and perhaps more: --before {runs[-1]['run_id']} goes on")


@app.command()
def show(run: RunName, as_json: AsJson = False, config_dir: ConfigDir = DEFAULT_CONFIG_DIR) -> None:
    """Show all that is known of a run: what it waited for, its attempts, what it touched, why it ended so."""
    with opened(config_dir) as at:
        facts = facts_of(at.database, find_run(at.database, run))
    if as_json:
        print_json(facts.json)
    else:
        print_run(facts, table_console())


@app.command()
def logs(
    run: RunName,
    attempt: Annotated[int | None, typer.Option(min=1, help="Of this attempt; default: the latest.")] = None,
    only_stderr: Annotated[bool, typer.Option("--stderr", help="Only what it wrote to stderr.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the run ends.")] = False,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Print what a run's process wrote: both streams as they came, without secrets."""
    if as_json and follow:
        raise UsageError("--json prints one document, and --follow has no end; leave one of them out")
    with opened(config_dir) as at:
        found = find_run(at.database, run)
        output = Output(at.database, found["run_id"], attempt, only_stderr)
        if as_json:
            print_json(output.pieces())
        else:
            print_output(output, follow=follow)


@app.command()
def watch(
    cycle: Annotated[
        str | None,
        typer.Argument(
            metavar="[CYCLE|RUN]", help="Or a backfill's name; default: the cycle under way, or the latest."
        ),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between two looks.")] = INTERVAL_SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON a change of state.")] = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> int:
    """Watch a cycle to its end: what runs, what waits and why; exit 1 if something failed."""
    with opened(config_dir) as at:
        cycles = find_cycles(at.database, cycle)
        if len(cycles.ids) > WATCHED:
            raise UsageError(f"{cycles.name} has {len(cycles.ids):,} cycles; watch one of them, or list its runs")
        try:
            board = (
                watch_as_json(at.database, cycles, interval)
                if as_json
                else watch_cycle(at.database, cycles, interval, sys.stdout)
            )
        except Ended:  # by SIGTERM
            raise
        except KeyboardInterrupt:  # ends nothing but the watching
            return Exit.INTERRUPTED
    return Exit.DONE if board.is_success else Exit.FAILED


@app.command()
def cancel(
    run: Annotated[str, typer.Argument(metavar="RUN|CYCLE", help="A run, or all of a cycle that is open.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with who asked.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """End a run: what is queued at once; a process is asked, then terminated, then killed."""
    with opened(config_dir) as at:
        cancelled = cancel_runs(at.database, run, reason)
    if as_json:
        print_json([vars(each) for each in cancelled])
        return
    for each in cancelled:
        how = "is cancelled" if each.has_ended else "is being ended by its worker; `run show` tells when it has"
        typer.echo(f"run {each.run_id} {how}")


@app.command()
def retry(
    run: Annotated[str, typer.Argument(metavar="RUN|CYCLE", help="A run that failed or was cancelled.")],
    from_failure: Annotated[
        bool,
        typer.Option(
            "--from-failure", help="Of a cycle: each of its failures; of a skipped run: that which it was for."
        ),
    ] = False,
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Go on where a run failed: it and what was skipped because of it; what succeeded is not run again."""
    with opened(config_dir) as at:
        opened_again = retry_runs(at.database, run, from_failure=from_failure)
    if as_json:
        print_json(opened_again)
    else:
        print_reopened(opened_again, table_console())


@app.command("why-not")
def why_not(
    what: Annotated[str, typer.Argument(metavar="RUN|SLUG", help="A run, or a job: then its runs that are open.")],
    as_json: AsJson = False,
    config_dir: ConfigDir = DEFAULT_CONFIG_DIR,
) -> None:
    """Say why a run has not started, or why a job does not run."""
    with opened(config_dir) as at:
        told = reasons(at.database, what)
    if as_json:
        print_json(told)
        return
    console = table_console()
    for each in told:
        print_lines([each["what"], *(f"  {reason}" for reason in each["reasons"])], console)


def _followed(database: OrchestratorDatabase, asked: Asked, to: TextIO) -> Asked:
    """With what has become of its runs."""
    if all(run.status.has_ended for run in asked.runs):
        return asked
    board = watch_cycle(database, Cycles(asked.cycle_id, (asked.cycle_id,)), INTERVAL_SECONDS, to)
    states = {line.run_id: RunStatus(line.state) for line in board.lines}
    return replace(asked, runs=tuple(replace(run, status=states[run.run_id]) for run in asked.runs))

"""Runs and batches for the eye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table

from etl.command.typed import etl_as_typed
from etl.report.commands import Commands
from etl.staging.ledger.ending import GRACE_SECONDS, SILENT_SECONDS, how_to_end
from etl.staging.ledger.values import Batch, Run, Waiting
from etl.staging.loader import Summary

SHOWN_BATCHES = 1000
NO_FOLDER = Commands()

_REST = 75
"""Columns of the screen that all but a run's id want."""


_COUNTS = ("inserted", "updated", "unchanged", "deduplicated", "rejected")


def print_summary(summary: Summary, console: Console, commands: Commands = NO_FOLDER) -> None:
    run = summary.run
    counts = ", ".join(f"{getattr(run, f'rows_{name}'):,} {name}" for name in _COUNTS)
    console.print(f"run {run.id}: {run.status} in {run.seconds:.1f} s{_begun(run)}", highlight=False)
    console.print(f"  {run.rows_attempted:,} records: {counts}{_left(run)}", highlight=False)
    if run.rows_invalid:
        console.print(
            f"  {run.rows_invalid:,} stored as invalid ({_faults(run)}): "
            f"SELECT source_id, validation_errors FROM {run.target_table} WHERE NOT is_valid",
            highlight=False,
            soft_wrap=True,
        )
    if summary.reject_file:
        console.print(f"  rejected records: {summary.reject_file}", highlight=False, soft_wrap=True)
    if run.failure:
        console.print(f"  {run.failure}", highlight=False, soft_wrap=True)
    if run.status != "success":
        console.print(f"  next: {_next_step(run, commands)}", highlight=False, soft_wrap=True)


def print_cancelled(run: Run, console: Console) -> None:
    """The run as it stood when it was cancelled, or as it stands since it was ended."""
    if run.finished_at is not None:
        console.print(f"run {run.id} has ended: {run.status}", highlight=False, soft_wrap=True)
        return
    console.print(f"run {run.id} ends after the batches in flight", highlight=False, soft_wrap=True)
    silent_seconds = run.silent_seconds or 0.0
    if silent_seconds >= SILENT_SECONDS:
        console.print(f"  {how_to_end(run.id, silent_seconds)}", highlight=False, soft_wrap=True)


def print_runs(runs: Sequence[Run], console: Console) -> None:
    longest = max((len(run.id) for run in runs), default=0)
    # whole, where the others can still be read beside it
    ids = uncut("run", min_width=max(10, min(longest, console.width - _REST)))
    table = Table(ids, *map(uncut, ("job", "status", "phase", "started", "batches", "rows")))
    for run in runs:
        table.add_row(
            run.id,
            run.etl_job_id,
            _status(run),
            run.phase,
            f"{run.started_at:%Y-%m-%d %H:%M:%S}" if run.started_at else "",
            f"{run.batches_succeeded:,} of {run.batches:,}{_retries(run.retries)}",
            _rows(run),
        )
    console.print(table)
    for run in runs:
        if run.failure:
            console.print(f"{run.id}: {run.failure}", highlight=False, soft_wrap=True)


def print_waiting(waiting: Sequence[Waiting], console: Console) -> None:
    """What is queued, and whether anybody will begin it."""
    for each in waiting:
        asked = f"asked for by {each.requested_by} at {each.requested_at:%Y-%m-%d %H:%M:%S} UTC"
        console.print(f"{each.etl_run_id}: a {each.action} is queued, {asked}", highlight=False, soft_wrap=True)
    if waiting and not waiting[0].workers:
        console.print(f"no worker runs: `{etl_as_typed()} staging worker` begins what is queued", soft_wrap=True)


def print_batches(batches: Iterable[Batch], run: Run, console: Console, *, only_open: bool = False) -> None:
    """The first of the run's; how many more there are is said."""
    table = Table(*map(uncut, ("batch", "status", "attempts", "ms", "rows", "error")))
    for batch in batches:
        table.add_row(
            str(batch.batch_index),
            batch.status,
            str(batch.attempts),
            f"{batch.duration_ms:,.0f}" if batch.duration_ms is not None else "",
            _rows(batch),
            batch.error_message or "",
        )
    console.print(table)
    more = run.batches - (run.batches_succeeded if only_open else 0) - table.row_count
    if table.row_count == SHOWN_BATCHES and more > 0:
        fewer = "" if only_open else "; --open shows those that are not stored"
        console.print(f"and {more:,} batches more: --json shows all{fewer}", highlight=False, soft_wrap=True)


def uncut(heading: str, min_width: int | None = None) -> Column:
    """Too narrow a terminal breaks a name into lines, and never cuts it."""
    return Column(heading, overflow="fold", min_width=min_width)


def _rows(row: Run | Batch) -> str:
    """Of a run or a batch: all that were read, and what became of them as far as there is any."""
    counts = {name: getattr(row, f"rows_{name}") for name in (*_COUNTS, "invalid")}
    told = [f"{count:,} {name}" for name, count in counts.items() if count]
    return f"{row.rows_attempted:,}: {', '.join(told)}" if told else f"{row.rows_attempted:,}"


def _retries(count: int) -> str:
    return f", {count:,} {'retry' if count == 1 else 'retries'}" if count else ""


def _status(run: Run) -> str:
    """A run that nobody has ended yet may be dead all the same."""
    silent_seconds = run.silent_seconds
    if run.status == "pending":
        return f"queued, asked for by {run.requested_by}" if run.requested_by else "queued"
    if silent_seconds is None or silent_seconds < SILENT_SECONDS:
        return str(run.status)
    return "dead" if silent_seconds >= GRACE_SECONDS else f"{run.status}, silent for {silent_seconds:.0f} s"


def _faults(run: Run) -> str:
    if not run.required_field_errors and not run.shape_errors:
        return "their source_updated_at cannot be read"
    return f"{run.required_field_errors:,} required fields missing, {run.shape_errors:,} faults of shape"


def _next_step(run: Run, commands: Commands) -> str:
    if run.batches_succeeded == run.batches and run.input_ended_at is not None:
        return "mend the records or the job, and load them again; what is stored stays"
    return commands.retry_staging(run.id)


def _left(run: Run) -> str:
    """Records of failed batches: with them the counts add up to what was read."""
    left = run.rows_attempted - sum(getattr(run, f"rows_{name}") for name in _COUNTS)
    return f", {left:,} in {run.batches_failed:,} failed batches" if left else ""


def _begun(run: Run) -> str:
    return f" (a retry of the run that began at {run.started_at:%Y-%m-%d %H:%M:%S} UTC)" if run.resumed_at else ""

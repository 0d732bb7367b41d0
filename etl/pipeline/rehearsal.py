"""--dry-run prints what a run would do; without --load rows are extracted and transformed, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from rich.console import Console

from etl.command.exits import Exit
from etl.config.tables.modes import holds_marks
from etl.errors import EtlError
from etl.extract.factory import open_sources
from etl.ledger.values import Run
from etl.load.many_partitions import count_partitions, many_partitions
from etl.load.rejected import refuse_too_many_rejected
from etl.model import DELETED_AT, RunStatus
from etl.pipeline.assignment import Assignment
from etl.pipeline.context import Job, RunContext, Work
from etl.pipeline.maintenance import plan_maintenance, upkeep_of
from etl.pipeline.opening import reading_context
from etl.pipeline.tables import apart
from etl.pipeline.tables.boundary import told_of
from etl.pipeline.tables.keys import with_live_keys
from etl.pipeline.tables.loose_keys import loose_keys
from etl.pipeline.tables.shares import Share, is_unchanged, notes_of, plan_shares, read_shares
from etl.pipeline.tables.stand_ins import held_as_text
from etl.pipeline.tables.tally import refuse_bad_keys, rules_broken, tally
from etl.spark.causes import explained
from etl.transform.apart import taken_from
from etl.transform.outcome import Outcome


def rehearse(job: Job, assignment: Assignment) -> int:
    """Reads the source and the ledger, prints to standard output, writes nothing. 1 where a table would fail."""
    console = Console(soft_wrap=True, highlight=False)
    now = datetime.now(UTC)
    run = Run("rehearsal", 0, RunStatus.RUNNING, assignment.destinations, (), {}, None, None, now, now, None)
    describe = _planned if job.options.dry_run else _checked
    exit_code = Exit.DONE
    with open_sources(job.spark, job.settings, assignment.tables) as sources:
        context = reading_context(job, assignment, run, sources)
        for work in with_live_keys(assignment, context.definitions).work:
            try:
                for line in describe(context, work):
                    console.print(line, markup=False)
            except (EtlError, PySparkException, Py4JError) as error:
                console.print(f"{work.table.name}: would fail: {told_of(explained(error), work.table)}", markup=False)
                exit_code = Exit.FAILED
    return exit_code


def _planned(context: RunContext, work: Work) -> Iterator[str]:
    """Rows, target and steps of each destination."""
    if caveat := context.sources.of(work.table).caveat(work.table):
        yield f"{work.table.name}: {caveat}"
    for share in plan_shares(context, work):
        loader = context.loaders[share.destination]
        rows = "?" if share.measurement.rows is None else str(share.measurement.rows)
        files = share.measurement.files_read
        what = f"{rows} rows" if files is None else f"{files} files"
        yield f"{work.table.name} -> {loader.target(share.config)}: {share.config.mode}, {what}"
        yield f"  {share.vanished_rows}"
        if work.table.parts_deleted and not share.bounds.is_whole_table:
            done = f"marked in {DELETED_AT}" if holds_marks(share.config) else "deleted"
            yield f"  rows that the source calls deleted ({work.table.transform.deleted_when}) are {done} by their key"
        definition = context.definitions.get(work.table.name)
        yield from (f"  {note}" for note in loose_keys(share.config, work.table, definition))
        yield from (f"  passed over: {file}" for file in share.measurement.files_skipped)
        if is_unchanged(context, share):
            yield "  nothing to do: the source is unchanged"
            yield from _maintenance_planned(context, work, share)
            continue
        frame, [share] = read_shares(context, work, [share])
        yield from (f"  {note}" for note in notes_of(share))
        transformed = context.transformer(work).transform(frame)
        if said := apart.planned(transformed.apart.get(share.destination), share.destination):
            yield f"  {said}"
        good = transformed.good
        told = held_as_text(good, share.config, work.table, context.definitions.get(work.table.name))
        if told:
            yield f"  held as text: {', '.join(f'{name} ({kind})' for name, kind in told.items())}"
        for step in loader.plan(good, share.config):
            yield "\n".join(f"  {line}" for line in step.splitlines())
        partitions = count_partitions(good, share.config)
        yield from (f"  {note}" for note in many_partitions(share.config, partitions))
        yield from _maintenance_planned(context, work, share)


def _maintenance_planned(context: RunContext, work: Work, share: Share) -> Iterator[str]:
    for upkeep in upkeep_of(work.table, [share.destination]):
        yield from (f"  {step}" for step in plan_maintenance(context, upkeep))


def _checked(context: RunContext, work: Work) -> Iterator[str]:
    """How many rows of each outcome the transform gives."""
    shares = plan_shares(context, work)
    frame, shares = read_shares(context, work, shares)
    transformed = context.transformer(work).transform(frame)
    counts = tally(transformed.tagged, columns=(), digests=None, apart=transformed.hidden)
    refuse_bad_keys(work.table, lambda: transformed.tagged, counts, context.definitions.get(work.table.name))
    for share in shares:
        of_it = transformed.apart.get(share.destination)
        tagged = taken_from(transformed.tagged, of_it) if of_it else transformed.tagged
        rejected = counts.of(Outcome.REJECTED) + apart.refused(of_it, counts)
        refuse_too_many_rejected(share.config, rejected, counts.read, partial(rules_broken, tagged))
    outcomes = ", ".join(f"{rows} {outcome}" for outcome, rows in sorted(counts.rows.items()))
    yield f"{work.table.name}: {counts.read} rows read" + (f" ({outcomes})" if outcomes else "")
    if counts.trimmed:
        yield f"  text of {counts.trimmed} rows is trimmed (transform.trim)"
    for share in shares:
        of_it = transformed.apart.get(share.destination)
        yield from (f"  {note}" for note in apart.told(of_it, counts, share.destination))

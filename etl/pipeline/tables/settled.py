"""Loads of which nothing is left to do: published by the run that this one continues, or of an unchanged source."""

from __future__ import annotations

from typing import Any

from etl.errors import ReconciliationError, ValidationError
from etl.ledger.values import LoadPlan
from etl.load.base import BaseLoader
from etl.model import LoadResult
from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables.shares import Share, is_unchanged

_PUBLISHED_WRONG = {ValidationError.__name__, ReconciliationError.__name__}
"""After these what stands in the store is no proof of a good load: it is loaded again, by key."""


def is_settled(context: RunContext, work: Work, share: Share) -> bool:
    """Whether nothing is left to do: the run that is resumed had published it, or the source is unchanged."""
    if _is_published_earlier(context, work, share):
        return True
    if is_unchanged(context, share):
        _record_unchanged(context, work, share)
        return True
    return False


def _is_published_earlier(context: RunContext, work: Work, share: Share) -> bool:
    """A store has the load of a run that this one continues, although the ledger had not heard of it: the process died
    in between.

    What that run had planned still stands in the ledger; its counts and marks complete the load in this run.
    """
    table, destination = work.table.name, share.destination
    record = context.earlier.get((table, destination))
    if record is None or record.error_class in _PUBLISHED_WRONG:
        return False
    loader = context.earlier_loaders[record.run_id, destination]
    with context.lease(table, destination):
        # what a kill left half exchanged is put right before the store's evidence is believed
        remove_orphans(context, loader, work, share)
        done = context.asking_again(table, destination)(loader.published, share.config)
        if done is None:
            return False
        context.ledger.begin_load(context.run.run_id, record.as_planned(done.target, done.mode))
        context.ledger.complete_load(context.run.run_id, done)
    context.progress.load_finished(done, record.rows_read)
    return True


def remove_orphans(context: RunContext, loader: BaseLoader[Any], work: Work, share: Share) -> None:
    """Only under the lease: what stands in the way then is nobody's."""
    context.asking_again(work.table.name, share.destination)(loader.remove_orphans, share.config, context.live_runs)


def _record_unchanged(context: RunContext, work: Work, share: Share) -> None:
    rows = share.measurement.rows or 0
    loader = context.loaders[share.destination]
    result = LoadResult(
        work.table.name,
        share.destination,
        loader.target(share.config),
        share.config.mode,
        rows_in=rows,
        rows_unchanged=rows,
    )
    plan = LoadPlan(
        work.table.name,
        share.destination,
        result.target,
        share.config.mode,
        configuration=share.config.model_dump(mode="json"),
        rows_read=rows,
        files_read=share.measurement.files_read,
        files_skipped=share.measurement.files_skipped,
    )
    with context.lease(work.table.name, share.destination):
        context.ledger.begin_load(context.run.run_id, plan)
        context.ledger.complete_load(context.run.run_id, result)
    context.progress.load_finished(result, rows)

"""Plans what a table's destinations lack, reads and transforms it once, and cuts each destination's rows from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from etl.config.destinations.registry import spec_of
from etl.interruption import require_uninterrupted
from etl.load.rejected import refuse_too_many_rejected
from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables.boundary import table_boundary
from etl.pipeline.tables.delivery import Delivery
from etl.pipeline.tables.materialised import HeldByDriver, KeptBySpark, Materialised
from etl.pipeline.tables.settled import is_settled
from etl.pipeline.tables.shares import Measured, Share, freeze, plan_share, read_shares, warn_of_changes
from etl.pipeline.tables.tally import Tally, refuse_bad_keys, rules_broken
from etl.spark.executors import replicated
from etl.spark.local_frame import held_rows
from etl.transform.outcome import Outcome

MOST_ROWS_IN_MEMORY = 2_000_000
MOST_BYTES_A_ROW_IN_MEMORY = 64 * 1024


def prepare(context: RunContext, work: Work, held: ExitStack) -> list[Delivery]:
    """The materialised rows of each destination that lacks some; `held` lets go of them."""
    shares: list[Share] = []
    measured: Measured = {}
    for destination in work.destinations:
        # a store that is down fails its own load, not the table's others
        with table_boundary(context, [(work.table.name, destination)]):
            share = context.asking_again(work.table.name, destination)(plan_share, context, work, destination, measured)
            if not is_settled(context, work, share):
                shares.append(share)
    if not shares:
        return []
    require_uninterrupted()
    freeze(context, work, shares)
    frame, shares = read_shares(context, work, shares)
    warn_of_changes(context, work, shares)
    rows = _materialised(context, work, shares, frame, held)
    require_uninterrupted()
    with context.sources.of(work.table).blamed():
        deliveries = _cut(context, work, shares, rows)
    _keep_rejects(context, work, rows, deliveries)
    return deliveries


def _materialised(
    context: RunContext, work: Work, shares: list[Share], frame: DataFrame, held: ExitStack
) -> Materialised:
    marks = list(dict.fromkeys(_taken_after(share, shares) for share in shares))
    digests = {spec_of(share.destination).digest for share in shares} if context.options.validate else None
    transformer, rows = context.transformer(work), held_rows(frame)
    if rows is not None and marks == [None] and (untouched := transformer.untouched(rows, frame.schema)) is not None:
        return HeldByDriver.as_they_came(frame.sparkSession, untouched, digests)
    transformed = transformer.transform(frame)
    if rows is not None:
        return HeldByDriver.of(transformed, marks, digests)
    tagged = transformed.tagged.persist(replicated(context.spark, _storage(shares)))
    held.callback(tagged.unpersist)
    return KeptBySpark(transformed.with_tagged(tagged), digests)


def _storage(shares: list[Share]) -> StorageLevel:
    """A large frame stays on disk: in memory it would take the room that sorts and the stores' writers need."""
    rows = max(share.measurement.rows or 0 for share in shares)
    widest_bytes = max(share.measurement.widest_row_bytes for share in shares)
    is_large = rows > MOST_ROWS_IN_MEMORY or widest_bytes > MOST_BYTES_A_ROW_IN_MEMORY
    return StorageLevel.DISK_ONLY if is_large else StorageLevel.MEMORY_AND_DISK


def _cut(context: RunContext, work: Work, shares: list[Share], rows: Materialised) -> list[Delivery]:
    """Each destination's rows; destinations that take the same rows are counted once."""
    counted: dict[str | None, Tally] = {}
    cut: dict[str | None, DataFrame] = {}
    deliveries = []
    for share in shares:
        mark = _taken_after(share, shares)
        if mark not in counted:
            counted[mark] = rows.tally(mark)
            definition = context.definitions.get(work.table.name)
            refuse_bad_keys(work.table, partial(rows.tagged, None), counted[mark], definition)
        with table_boundary(context, [(work.table.name, share.destination)]):
            _refuse_too_many_rejected(share, partial(rows.tagged, mark), counted[mark])
            if mark not in cut:
                cut[mark] = rows.good(mark)
            deleted = _deleted(share, rows, mark, counted[mark])
            deliveries.append(Delivery(work, share, cut[mark], counted[mark], deleted))
    context.progress.table_extracted(work.table.name, max(each.read for each in counted.values()))
    return deliveries


def _deleted(share: Share, rows: Materialised, mark: str | None, counts: Tally) -> DataFrame | None:
    if share.bounds.is_whole_table or not counts.of(Outcome.DELETED):
        return None
    return rows.deleted(mark, share.config.key_columns)


def _refuse_too_many_rejected(share: Share, tagged: Callable[[], DataFrame], counts: Tally) -> None:
    rejected = counts.of(Outcome.REJECTED)
    refuse_too_many_rejected(share.config, rejected, counts.read, lambda: rules_broken(tagged()))


def _taken_after(share: Share, shares: list[Share]) -> str | None:
    """The mark after which this destination takes rows; None: everything that was read."""
    is_same_for_all = all(other.bounds == share.bounds for other in shares) and not any(
        other.takes_whole_days for other in shares
    )
    return None if is_same_for_all or share.takes_whole_days else share.bounds.first


def _keep_rejects(context: RunContext, work: Work, rows: Materialised, deliveries: list[Delivery]) -> None:
    if any(delivery.tally.of(Outcome.REJECTED) for delivery in deliveries):
        size = max(delivery.tally.bytes.get(Outcome.REJECTED, 0) for delivery in deliveries)
        context.ledger.add_rejects(context.run.run_id, work.table.name, None, rows.iterate_rejects(size))

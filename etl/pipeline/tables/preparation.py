"""Plans what a table's destinations lack, reads and transforms it once, and cuts each destination's rows from it."""

from __future__ import annotations

from contextlib import ExitStack

from pyspark import StorageLevel
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from etl.config.destinations.registry import spec_of
from etl.interruption import require_uninterrupted
from etl.load.base import DRIVER_BYTES
from etl.load.frames import columns_of
from etl.load.rejected import refuse_too_many_rejected
from etl.model import WATERMARK
from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables.boundary import table_boundary
from etl.pipeline.tables.delivery import Delivery
from etl.pipeline.tables.settled import is_settled
from etl.pipeline.tables.shares import Measured, Share, freeze, plan_share, read_shares, warn_of_changes
from etl.pipeline.tables.tally import Tally, refuse_bad_keys, rules_broken, tally
from etl.spark.executors import replicated
from etl.transform.outcome import Outcome, Transformed

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
    transformed = context.transformer(work).transform(frame)
    tagged = transformed.tagged.persist(replicated(context.spark, _storage(shares)))
    held.callback(tagged.unpersist)
    require_uninterrupted()
    with context.sources.of(work.table).blamed():
        deliveries = _cut(context, work, shares, transformed.with_tagged(tagged))
    _keep_rejects(context, work, transformed.with_tagged(tagged), deliveries)
    return deliveries


def _storage(shares: list[Share]) -> StorageLevel:
    """A large frame stays on disk: in memory it would take the room that sorts and the stores' writers need."""
    rows = max(share.measurement.rows or 0 for share in shares)
    widest_bytes = max(share.measurement.widest_row_bytes for share in shares)
    is_large = rows > MOST_ROWS_IN_MEMORY or widest_bytes > MOST_BYTES_A_ROW_IN_MEMORY
    return StorageLevel.DISK_ONLY if is_large else StorageLevel.MEMORY_AND_DISK


def _cut(context: RunContext, work: Work, shares: list[Share], transformed: Transformed) -> list[Delivery]:
    """Each destination's rows of the one frame; destinations that take the same rows are counted once."""
    good = transformed.good
    columns = columns_of(good)
    compared = {spec_of(share.destination).digest for share in shares} if context.options.validate else None
    counted: dict[str | None, Tally] = {}
    deliveries = []
    for share in shares:
        after = _taken_after(share, shares)
        part = None if after is None else _is_after(transformed.tagged, after)
        if after not in counted:
            counted[after] = tally(transformed.tagged, part, columns, compared)
            refuse_bad_keys(work.table, transformed.tagged, counted[after], context.definitions.get(work.table.name))
        mine = transformed if part is None else transformed.with_tagged(transformed.tagged.where(part))
        with table_boundary(context, [(work.table.name, share.destination)]):
            _refuse_too_many_rejected(share, mine, counted[after])
            deliveries.append(Delivery(work, share, good if part is None else mine.good, counted[after]))
    rows = max(each.read for each in counted.values())
    context.progress.table_extracted(work.table.name, rows)
    return deliveries


def _refuse_too_many_rejected(share: Share, transformed: Transformed, counts: Tally) -> None:
    rejected = counts.of(Outcome.REJECTED)
    refuse_too_many_rejected(share.config, rejected, counts.read, lambda: rules_broken(transformed.tagged))


def _taken_after(share: Share, shares: list[Share]) -> str | None:
    """The mark after which this destination takes rows; None: everything that was read."""
    is_same_for_all = all(other.bounds == share.bounds for other in shares) and not any(
        other.takes_whole_days for other in shares
    )
    return None if is_same_for_all or share.takes_whole_days else share.bounds.first


def _is_after(tagged: DataFrame, mark: str) -> SparkColumn:
    """Rows without a watermark belong to every window: no mark will ever reach them."""
    watermark = F.col(WATERMARK)
    return watermark.isNull() | (watermark > F.lit(mark).cast(tagged.schema[WATERMARK].dataType))


def _keep_rejects(context: RunContext, work: Work, transformed: Transformed, deliveries: list[Delivery]) -> None:
    if any(delivery.tally.of(Outcome.REJECTED) for delivery in deliveries):
        # a partition of them comes to the driver at a time
        most_bytes = max(delivery.tally.bytes.get(Outcome.REJECTED, 0) for delivery in deliveries)
        parts = -(-most_bytes // DRIVER_BYTES)
        if parts > 1:
            transformed = transformed.with_tagged(transformed.tagged.repartition(parts))
        context.ledger.add_rejects(context.run.run_id, work.table.name, None, transformed.iterate_rejects())

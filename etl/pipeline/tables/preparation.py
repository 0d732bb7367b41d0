"""Plans what a table's destinations lack, reads and transforms it once, and cuts each destination's rows from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import structlog
from pyspark import StorageLevel
from pyspark.sql import DataFrame

from etl.config.destinations.registry import spec_of
from etl.interruption import require_uninterrupted
from etl.load.rejected import refuse_too_many_rejected
from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables import apart
from etl.pipeline.tables.boundary import table_boundary
from etl.pipeline.tables.delivery import Delivery
from etl.pipeline.tables.materialised import HeldByDriver, KeptBySpark, Materialised, Part
from etl.pipeline.tables.settled import is_settled
from etl.pipeline.tables.shares import Measured, Share, freeze, plan_share, read_shares, warn_of_changes
from etl.pipeline.tables.tally import Tally, refuse_bad_keys, rules_broken
from etl.spark.executors import replicated
from etl.spark.local_frame import held_rows
from etl.transform.outcome import Apart, Outcome

log = structlog.get_logger(__name__)

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
    _keep_rejects(context, work, shares, rows, deliveries)
    return deliveries


def _materialised(
    context: RunContext, work: Work, shares: list[Share], frame: DataFrame, held: ExitStack
) -> Materialised:
    parts = list(dict.fromkeys(_taken(share, shares) for share in shares))
    digests = {spec_of(share.destination).digest for share in shares} if context.options.validate else None
    transformer, rows = context.transformer(work), held_rows(frame)
    if rows is not None and parts == [None] and (untouched := transformer.untouched(rows, frame.schema)) is not None:
        return HeldByDriver.as_they_came(frame.sparkSession, untouched, digests)
    transformed = transformer.transform(frame)
    if rows is not None:
        return HeldByDriver.of(transformed, parts, digests)
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
    counted: dict[Part | None, Tally] = {}
    cut: dict[Part | None, DataFrame] = {}
    deliveries = []
    for share in shares:
        part = _taken(share, shares)
        if part not in counted:
            counted[part] = rows.tally(part)
            definition = context.definitions.get(work.table.name)
            refuse_bad_keys(work.table, partial(rows.tagged, None), counted[part], definition)
        with table_boundary(context, [(work.table.name, share.destination)]):
            if of_it := apart.differing(rows, counted[part], share.destination):
                deliveries.append(_cut_apart(work, share, rows, part, counted[part], of_it))
                continue
            _refuse_too_many_rejected(share, partial(rows.tagged, part), counted[part])
            if part not in cut:
                cut[part] = rows.good(part)
            deleted = _deleted(share, rows, part, counted[part])
            deliveries.append(Delivery(work, share, cut[part], counted[part], deleted))
    context.progress.table_extracted(work.table.name, max(each.read for each in counted.values()))
    return deliveries


def _cut_apart(work: Work, share: Share, rows: Materialised, part: Part | None, whole: Tally, of_it: Apart) -> Delivery:
    """The rows of a destination that cannot hold some of what the others take: counted and summed for itself."""
    own, refused = rows.taken_by(of_it), apart.refused(of_it, whole)
    counts = own.tally(part)
    _refuse_too_many_rejected(share, partial(own.tagged, part), counts)
    notes = list(apart.told(of_it, whole, share.destination))
    if refused and apart.would_delete(share.config):
        share = replace(share, config=apart.deleting_none(share.config))
        notes.append(apart.KEPT)
    for note in notes:
        log.warning("values out of range", table=work.table.name, destination=share.destination, note=note)
    deleted = _deleted(share, own, part, counts)
    return Delivery(work, share, own.good(part), counts, deleted, refused, tuple(notes))


def _deleted(share: Share, rows: Materialised, part: Part | None, counts: Tally) -> DataFrame | None:
    if share.bounds.is_whole_table or not counts.of(Outcome.DELETED):
        return None
    return rows.deleted(part, share.config.key_columns)


def _refuse_too_many_rejected(share: Share, tagged: Callable[[], DataFrame], counts: Tally) -> None:
    rejected = counts.of(Outcome.REJECTED)
    refuse_too_many_rejected(share.config, rejected, counts.read, lambda: rules_broken(tagged()))


def _taken(share: Share, shares: list[Share]) -> Part | None:
    """What of the rows this destination takes; None: everything that was read."""
    is_same_for_all = all(other.bounds == share.bounds for other in shares) and not any(
        other.takes_whole_days for other in shares
    )
    bounds = share.bounds
    if is_same_for_all or share.takes_whole_days or bounds.first is None:
        return None
    return Part(bounds.first, bounds.unseen.first if bounds.unseen else None)


def _keep_rejects(
    context: RunContext, work: Work, shares: list[Share], rows: Materialised, deliveries: list[Delivery]
) -> None:
    """Once what all destinations go without, and for each what it refuses alone."""
    for delivery in deliveries:
        destination = delivery.share.destination
        if delivery.rows_refused and (of_it := rows.apart_for(destination)):
            refused = rows.iterate_refused(_taken(delivery.share, shares), of_it)
            context.ledger.add_rejects(context.run.run_id, work.table.name, destination, refused)
    if any(delivery.tally.of(Outcome.REJECTED) > delivery.rows_refused for delivery in deliveries):
        size = max(delivery.tally.bytes.get(Outcome.REJECTED, 0) for delivery in deliveries)
        context.ledger.add_rejects(context.run.run_id, work.table.name, None, rows.iterate_rejects(size))

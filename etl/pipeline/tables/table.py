"""One table's way through the rooms. Read this page first.

    plan what each destination lacks → (unchanged: done) → read once → transform → materialise and count once
      → rejects to the ledger → every destination at the same time: lease, begin, wait for parents, load, complete

A unit is one table, or the tables of a foreign-key cycle, which PostgreSQL publishes in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from tenacity import Retrying

from etl.errors import LockedError, ReconciliationError, ValidationError
from etl.interruption import INTERRUPTED, interrupted, require_uninterrupted
from etl.ledger.values import LoadPlan, LoadRecord
from etl.load.base import DRIVER_BYTES, BaseLoader, LoadFacts
from etl.load.frames import columns_of
from etl.load.rejected import refuse_too_many_rejected
from etl.model import HELD_AS_TEXT, WATERMARK, Destination, LoadResult
from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables.loose_keys import loose_keys
from etl.pipeline.tables.shares import (
    Measured,
    Share,
    freeze,
    is_unchanged,
    marks_after,
    plan_share,
    read_shares,
    warn_of_changes,
)
from etl.pipeline.tables.stand_ins import held_as_text
from etl.pipeline.tables.tally import Tally, refuse_bad_keys, rules_broken, tally
from etl.retrying import as_configured
from etl.spark.causes import explained
from etl.transform.outcome import Outcome, Transformed

MOST_ROWS_IN_MEMORY = 2_000_000
MOST_BYTES_A_ROW_IN_MEMORY = 64 * 1024

_PUBLISHED_WRONG = {ValidationError.__name__, ReconciliationError.__name__}
"""After these what stands in the store is no proof of a good load: it is loaded again, by key."""


@dataclass(frozen=True)
class Delivery:
    """One destination's share of a materialised table, ready to load."""

    work: Work
    share: Share
    frame: DataFrame
    tally: Tally

    @property
    def facts(self) -> LoadFacts:
        tally = self.tally
        return LoadFacts(
            rows=tally.of(Outcome.GOOD),
            checksums=tally.checksums,
            rows_read=tally.read,
            rows_rejected=tally.of(Outcome.REJECTED),
            bytes=tally.bytes.get(Outcome.GOOD, 0),
        )


def process_unit(context: RunContext, unit: Sequence[Work]) -> None:
    """Loads the unit's tables into their destinations; what fails is recorded and stops nothing else."""
    names = [work.table.name for work in unit]
    with ExitStack() as held:
        held.callback(context.order.ended, names)
        deliveries: list[Delivery] = []
        for work in unit:
            with table_boundary(context, [(work.table.name, destination) for destination in work.destinations]):
                deliveries += _prepare(context, work, held)
        context.snapshot_is_read(len(unit))
        # children wait for what the store with foreign keys gets, and for nothing else
        awaited = {each.work.table.name for each in deliveries if _has_foreign_keys(context, each)}
        context.order.ended(name for name in names if name not in awaited)
        _deliver_all(context, deliveries)


@contextmanager
def table_boundary(context: RunContext, loads: Iterable[tuple[str, Destination]]) -> Iterator[None]:
    """The one place that catches broadly: the failure is recorded for these loads and the others go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above; cancellation is no Exception and passes through
        failure = interrupted(error) if INTERRUPTED.is_set() else explained(error)
        for table, destination in loads:
            context.ledger.fail_load(context.run.run_id, table, destination, failure)
            context.progress.load_failed(table, destination, failure)


# --- extract, transform, materialise --------------------------------------------------------------------------------


def _prepare(context: RunContext, work: Work, held: ExitStack) -> list[Delivery]:
    shares: list[Share] = []
    measured: Measured = {}
    for destination in work.destinations:
        # a store that is down fails its own load, not the table's others
        with table_boundary(context, [(work.table.name, destination)]):
            share = _retrying(context, work, destination)(plan_share, context, work, destination, measured)
            if not _is_settled(context, work, share):
                shares.append(share)
    if not shares:
        return []
    require_uninterrupted()
    freeze(context, work, shares)
    frame, shares = read_shares(context, work, shares)
    warn_of_changes(context, work, shares)
    transformed = context.transformer(work).transform(frame)
    tagged = transformed.tagged.persist(_storage(shares))
    held.callback(tagged.unpersist)
    require_uninterrupted()
    with context.snapshot.blamed() if context.snapshot else nullcontext():
        deliveries = _cut(context, work, shares, transformed.with_tagged(tagged))
    _keep_rejects(context, work, transformed.with_tagged(tagged), deliveries)
    return deliveries


def _storage(shares: list[Share]) -> StorageLevel:
    """A large frame stays on disk: in memory it would take the room that sorts and the stores' writers need."""
    rows = max(share.measurement.rows or 0 for share in shares)
    widest_bytes = max(share.measurement.widest_row_bytes for share in shares)
    is_large = rows > MOST_ROWS_IN_MEMORY or widest_bytes > MOST_BYTES_A_ROW_IN_MEMORY
    return StorageLevel.DISK_ONLY if is_large else StorageLevel.MEMORY_AND_DISK


def _is_settled(context: RunContext, work: Work, share: Share) -> bool:
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
    with _lease(context, table, destination):
        # what a kill left half exchanged is put right before the store's evidence is believed
        _remove_orphans(context, loader, work, share)
        done = _retrying(context, work, destination)(loader.published, share.config)
        if done is None:
            return False
        _adopt(context, record, done)
    return True


def _adopt(context: RunContext, record: LoadRecord, done: LoadResult) -> None:
    """The load that an earlier run planned and published becomes this run's."""
    context.ledger.begin_load(
        context.run.run_id,
        LoadPlan(
            record.table_name,
            record.destination,
            done.target,
            done.mode,
            configuration=record.configuration,
            rows_read=record.rows_read,
            rows_rejected=record.rows_rejected,
            rows_deduplicated=record.rows_deduplicated,
            rows_filtered=record.rows_filtered,
            next_watermark=record.next_watermark,
            next_fingerprint=record.next_fingerprint,
            next_tail=record.next_tail,
            config_hash=record.config_hash,
            files_read=record.files_read,
            files_skipped=record.files_skipped,
            notes=record.notes,
            next_columns=record.next_columns,
            rows_trimmed=record.rows_trimmed,
        ),
    )
    context.ledger.complete_load(context.run.run_id, done)
    context.progress.load_finished(done, record.rows_read)


def _retrying(context: RunContext, work: Work, destination: Destination) -> Retrying:
    """Questions to a store, asked again as a load is made again; only for what may be done twice."""
    run = context.configuration.settings.run
    return as_configured(run, "question retried", work.table.name, destination)


def _remove_orphans(context: RunContext, loader: BaseLoader[Any], work: Work, share: Share) -> None:
    """Only under the lease: what stands in the way then is nobody's."""
    _retrying(context, work, share.destination)(loader.remove_orphans, share.config, context.live_runs)


def _lease(context: RunContext, table: str, destination: Destination) -> AbstractContextManager[None]:
    seconds = context.configuration.settings.run.lock_timeout_seconds
    return context.ledger.lease(context.run.run_id, table, destination, seconds)


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
    with _lease(context, work.table.name, share.destination):
        context.ledger.begin_load(context.run.run_id, plan)
        context.ledger.complete_load(context.run.run_id, result)
    context.progress.load_finished(result, rows)


def _cut(context: RunContext, work: Work, shares: list[Share], transformed: Transformed) -> list[Delivery]:
    """Each destination's rows of the one frame; destinations that take the same rows are counted once."""
    columns = columns_of(transformed.good)
    counted: dict[str | None, Tally] = {}
    deliveries = []
    for share in shares:
        after = _taken_after(share, shares)
        part = None if after is None else _is_after(transformed.tagged, after)
        if after not in counted:
            counted[after] = tally(transformed.tagged, part, columns, context.options.validate)
            refuse_bad_keys(work.table, transformed.tagged, counted[after], context.definitions.get(work.table.name))
        mine = transformed if part is None else transformed.with_tagged(transformed.tagged.where(part))
        with table_boundary(context, [(work.table.name, share.destination)]):
            _refuse_too_many_rejected(share, mine, counted[after])
            deliveries.append(Delivery(work, share, mine.good, counted[after]))
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


# --- load -----------------------------------------------------------------------------------------------------------


def _deliver_all(context: RunContext, deliveries: list[Delivery]) -> None:
    """All destinations at the same time; within one, table after table, or a cycle's tables together."""
    by_destination: dict[Destination, list[Delivery]] = {}
    for delivery in deliveries:
        by_destination.setdefault(delivery.share.destination, []).append(delivery)
    if not by_destination:
        return
    with ThreadPoolExecutor(len(by_destination), thread_name_prefix="destination") as pool:
        for outcome in [pool.submit(_deliver, context, each) for each in by_destination.values()]:
            outcome.result()


def _deliver(context: RunContext, deliveries: list[Delivery]) -> None:
    loader = context.loaders[deliveries[0].share.destination]
    groups = [deliveries] if loader.has_foreign_keys else [[delivery] for delivery in deliveries]
    for group in groups:
        with table_boundary(context, [(each.work.table.name, each.share.destination) for each in group]):
            _load_group(context, group)
    if loader.has_foreign_keys:
        context.order.ended(each.work.table.name for each in deliveries)


def _has_foreign_keys(context: RunContext, delivery: Delivery) -> bool:
    return context.loaders[delivery.share.destination].has_foreign_keys


def _load_group(context: RunContext, group: list[Delivery]) -> None:
    loader = context.loaders[group[0].share.destination]
    with ExitStack() as leases:
        for delivery in group:
            _begin(context, delivery, leases)
        rows_read = {delivery.work.table.name: delivery.tally.read for delivery in group}
        names = list(rows_read)
        if loader.has_foreign_keys:
            for name in names:
                context.order.wait_for_parents(name)
        context.require_alive()
        require_uninterrupted()
        for result in loader.load_together([(each.frame, each.share.config, each.facts) for each in group]):
            # PostgreSQL's loader has done this in its own transaction; doing it again changes nothing
            context.ledger.complete_load(context.run.run_id, result)
            context.progress.load_finished(result, rows_read[result.table_name])


def _begin(context: RunContext, delivery: Delivery, leases: ExitStack) -> None:
    share, run_id = delivery.share, context.run.run_id
    leases.enter_context(_lease(context, delivery.work.table.name, share.destination))
    _refuse_newer_load(context, delivery.work.table.name, share.destination)
    loader = context.loaders[share.destination]
    _remove_orphans(context, loader, delivery.work, share)
    mark, fingerprint, tail = marks_after(context, delivery.work, share)
    definition = context.definitions.get(delivery.work.table.name)
    context.ledger.begin_load(
        run_id,
        LoadPlan(
            delivery.work.table.name,
            share.destination,
            loader.target(share.config),
            share.config.mode,
            configuration=_configuration(context, delivery),
            rows_read=delivery.tally.read,
            rows_rejected=delivery.tally.of(Outcome.REJECTED),
            rows_deduplicated=delivery.tally.of(Outcome.DEDUPLICATED),
            rows_filtered=delivery.tally.of(Outcome.FILTERED),
            next_watermark=mark,
            next_fingerprint=fingerprint,
            next_tail=tail,
            config_hash=share.config_hash,
            files_read=share.measurement.files_read,
            files_skipped=share.measurement.files_skipped,
            notes=(*share.source_changes, *loose_keys(share.config, delivery.work.table, definition)),
            next_columns=share.columns,
            rows_trimmed=delivery.tally.trimmed,
        ),
    )
    context.progress.load_started(delivery.work.table.name, share.destination, delivery.tally.read)


def _configuration(context: RunContext, delivery: Delivery) -> dict[str, Any]:
    """The entry in force, and what the store holds as text although its type is another one."""
    table, config = delivery.work.table, delivery.share.config
    told = held_as_text(delivery.frame, config, table, context.definitions.get(table.name))
    return config.model_dump(mode="json") | {HELD_AS_TEXT: told}


def _refuse_newer_load(context: RunContext, table: str, destination: Destination) -> None:
    """Rows of this run's snapshot must not replace what a younger run has loaded meanwhile."""
    now, then = context.ledger.watermark(table, destination), context.watermarks.get((table, destination))
    if now != then and now is not None:
        raise LockedError(
            f"{table} into {destination}: run {now.run_id} has loaded it since this run took its snapshot; "
            "nothing was written; the resumed run reads it anew",
            table=table,
            destination=destination,
        )

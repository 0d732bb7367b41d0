"""Loads materialised rows into their stores: lease, begin, wait for parents, load, complete."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from etl.errors import LockedError
from etl.interruption import require_uninterrupted
from etl.ledger.values import LoadPlan
from etl.load.base import Deleted, LoadFacts
from etl.model import HELD_AS_TEXT, Destination
from etl.pipeline.context import RunContext, Work
from etl.pipeline.tables.boundary import table_boundary
from etl.pipeline.tables.loose_keys import loose_keys
from etl.pipeline.tables.settled import remove_orphans
from etl.pipeline.tables.shares import Share, marks_after, notes_of
from etl.pipeline.tables.stand_ins import held_as_text
from etl.pipeline.tables.tally import Tally
from etl.transform.outcome import Outcome


@dataclass(frozen=True)
class Delivery:
    """One destination's share of a materialised table, ready to load."""

    work: Work
    share: Share
    frame: DataFrame
    tally: Tally
    deleted: DataFrame | None = None
    """Keys that the source calls deleted, where the share is not the whole source: of that they are merely missing."""
    rows_refused: int = 0
    """Of the rejected ones, those that the other destinations take."""
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> LoadFacts:
        tally = self.tally
        return LoadFacts(
            rows=tally.of(Outcome.GOOD),
            checksums=tally.checksums,
            rows_read=tally.read,
            rows_rejected=tally.of(Outcome.REJECTED),
            bytes=tally.bytes.get(Outcome.GOOD, 0),
            deleted=Deleted(tally.of(Outcome.DELETED), self.deleted) if self.deleted is not None else None,
        )


def deliver_all(context: RunContext, deliveries: Sequence[Delivery]) -> None:
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


def has_foreign_keys(context: RunContext, delivery: Delivery) -> bool:
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
    leases.enter_context(context.lease(delivery.work.table.name, share.destination))
    _refuse_newer_load(context, delivery.work.table.name, share.destination)
    loader = context.loaders[share.destination]
    remove_orphans(context, loader, delivery.work, share)
    marks = marks_after(context, delivery.work, share)
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
            rows_filtered=delivery.tally.of(Outcome.FILTERED) + delivery.tally.of(Outcome.DELETED),
            next_watermark=marks.watermark,
            next_fingerprint=marks.fingerprint,
            next_tail=marks.tail,
            next_snapshot=marks.snapshot,
            config_hash=share.config_hash,
            files_read=share.measurement.files_read,
            files_skipped=share.measurement.files_skipped,
            notes=(
                *notes_of(share),
                *loose_keys(share.config, delivery.work.table, definition),
                *delivery.notes,
            ),
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

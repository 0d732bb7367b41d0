"""What each destination still lacks of a table, and the one frame that serves them all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

import structlog
from pyspark.sql import DataFrame

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.columns import columns_left
from etl.config.tables.masking import uses_key
from etl.config.tables.modes import deletes_vanished, marks_vanished, replaces_partitions
from etl.config.tables.out_of_range import leaves_to_others
from etl.extract.values import Measurement, Window
from etl.ledger.values import FrozenWindow, Watermark
from etl.load.columns import refuse_known_columns
from etl.model import DELETED_AT, ColumnDefinition, Destination, TableDefinition, VanishedRows
from etl.pipeline.context import RunContext, Work
from etl.pipeline.options import RunOptions
from etl.pipeline.tables.keys import require_key
from etl.pipeline.tables.read_columns import columns_as_read, with_nulls
from etl.pipeline.tables.source_changes import changes_since, refuse_spoken_of
from etl.pipeline.tables.windows import Bounds, bounds_for, earliest, holds_all_seen, next_mark, widest
from etl.report.commands import Commands

log = structlog.get_logger(__name__)

Measured = dict[Bounds, Measurement]


@dataclass(frozen=True)
class Share:
    """What one destination takes: the rows within its bounds, or whole days where its mode replaces partitions."""

    destination: Destination
    config: TableLoadConfig
    bounds: Bounds
    measurement: Measurement
    watermark: Watermark | None
    config_hash: str
    columns: tuple[ColumnDefinition, ...] | None = None
    """The source's, with those that are gone from it."""
    source_changes: tuple[str, ...] = ()
    """What the source did to the columns since this destination took the table."""
    is_entry_changed: bool = False
    """Whether anything but the source's columns is other than it was then."""
    lost: str = ""
    """Why all is read although the destination has a mark: what it had seen of the source tells nothing any more."""

    @property
    def mark(self) -> str | None:
        return self.watermark.mark if self.watermark else None

    @property
    def vanished_rows(self) -> str:
        """What becomes of stored rows that are gone from the source, for a person."""
        limit = self.config.maximum_deleted
        at_most = f" (at most {limit})" if limit else ""
        if self.config.vanished_rows is VanishedRows.DELETE:
            return f"rows that are gone from the source are deleted{at_most}"
        if self.config.vanished_rows is VanishedRows.MARK:
            return f"rows that are gone from the source are marked in {DELETED_AT}{at_most}"
        reason = "the table is read whole and mode {mode} keeps them" if self.bounds.is_whole_table else "{changed}"
        reason = reason.format(mode=self.config.mode, changed="only what was added or changed is read")
        return f"rows that are gone from the source stay: {reason}"

    @property
    def keeps_rows_of_another_configuration(self) -> bool:
        """Only what is read now comes as the configuration says; whatever was loaded before stays as it is."""
        return self.watermark is not None and self.bounds.lower is not None and self.is_entry_changed

    @property
    def takes_whole_days(self) -> bool:
        """Only a part of a partition would be lost rows: such a share takes all that was extracted."""
        return replaces_partitions(self.config) and bool(self.config.partition_by) and not self.bounds.is_whole_table


def plan_shares(context: RunContext, work: Work) -> list[Share]:
    """One share a destination; destinations with equal bounds share a measurement."""
    measured: Measured = {}
    return [plan_share(context, work, destination, measured) for destination in work.destinations]


def plan_share(context: RunContext, work: Work, destination: Destination, measured: Measured) -> Share:
    """What this destination lacks, measured in the run's snapshot; `measured` keeps what was measured already."""
    require_key(work.table, work.load_config(destination))
    _refuse_columns(context, work, destination)
    watermark = _watermark_of(context, work, destination)
    frozen = context.frozen.get(work.table.name)
    unseen = context.sources.of(work.table).unseen(work.table, watermark.snapshot if watermark else None)
    bounds = bounds_for(
        work.table.extract,
        watermark.mark if watermark else None,
        context.options,
        frozen.upper if frozen else None,
        unseen,
    )
    if bounds not in measured:
        measured[bounds] = _measure(context, work, bounds)
    config = work.load_config(destination)
    secrets = (context.settings.hash_salt.get_secret_value(), context.settings.mask_key.get_secret_value())
    definition = context.definitions.get(work.table.name)
    knows_columns = context.sources.of(work.table).knows_columns
    if definition is not None and watermark is not None and knows_columns:
        refuse_spoken_of(work.table, watermark.columns, definition)
    return Share(
        destination,
        _as_read(config, bounds, context.options),
        bounds,
        measured[bounds],
        watermark,
        config_hash(work, config, definition, *secrets),
        definition.columns if definition else None,
        _source_changes(watermark, definition, is_whole=bounds.is_whole_table) if knows_columns else (),
        watermark is not None
        and watermark.config_hash != config_hash(work, config, _as_taken(definition, watermark), *secrets),
        "" if context.options.since or context.options.full_refresh else unseen.lost,
    )


def _refuse_columns(context: RunContext, work: Work, destination: Destination) -> None:
    """Before anything is read, where the source's columns are known; else the loader says it of its frame."""
    definition = context.definitions.get(work.table.name)
    if definition is not None and not work.table.transform.transformer:
        refuse_known_columns(work.load_config(destination), columns_left(work.table.transform, definition))


def _source_changes(
    watermark: Watermark | None, definition: TableDefinition | None, *, is_whole: bool
) -> tuple[str, ...]:
    if watermark is None or watermark.columns is None or definition is None:
        return ()
    return changes_since(watermark.columns, definition, is_whole=is_whole)


def _as_taken(definition: TableDefinition | None, watermark: Watermark) -> TableDefinition | None:
    if definition is None or watermark.columns is None:
        return definition
    return replace(definition, columns=watermark.columns)


def _as_read(config: TableLoadConfig, bounds: Bounds, options: RunOptions) -> TableLoadConfig:
    """The entry as this load obeys it: only a whole reading can tell that a row has vanished."""
    return config.model_copy(
        update={
            "vanished_rows": _vanished_rows(config) if bounds.is_whole_table else VanishedRows.KEEP,
            "deleted_rows": config.vanished_rows,
            "maximum_deleted": options.maximum_deleted or config.maximum_deleted,
            "maximum_rejected": options.maximum_rejected or config.maximum_rejected,
        }
    )


def _vanished_rows(config: TableLoadConfig) -> VanishedRows:
    if deletes_vanished(config):
        return VanishedRows.DELETE
    return VanishedRows.MARK if marks_vanished(config) else VanishedRows.KEEP


def is_unchanged(context: RunContext, share: Share) -> bool:
    """The source is as it was when this destination took it, so is the configuration, and the target still stands as
    the entry says."""
    known = share.watermark
    options = context.options
    if known is None or options.full_refresh or options.since or options.until:
        return False
    if known.config_hash != share.config_hash:
        return False
    if share.measurement.snapshot is not None and known.snapshot is None:
        return False  # from this load on it is known what the destination has seen
    before = known.fingerprint if share.bounds.is_whole_table else known.tail
    if before is None or before != share.measurement.fingerprint:
        return False
    asking_again = context.asking_again(share.config.table_name, share.destination)
    return bool(asking_again(context.loaders[share.destination].follows_entry, share.config))


def notes_of(share: Share) -> tuple[str, ...]:
    """What a person should know of the source, a sentence each."""
    lost = f"all is read, since what was committed late cannot be told: {share.lost}"
    return (*share.source_changes, *([lost] if share.lost else []))


def warn_of_changes(context: RunContext, work: Work, shares: Sequence[Share]) -> None:
    """A destination goes on from its mark: the rows that it holds keep the shape of the configuration before."""
    changes = list(dict.fromkeys(change for share in shares for change in share.source_changes))
    if changes:
        changed = [share.destination for share in shares if share.source_changes]
        log.warning("source changed", table=work.table.name, destinations=changed, changes=changes)
    for reason in dict.fromkeys(share.lost for share in shares if share.lost):
        whole = [share.destination for share in shares if share.lost == reason]
        log.warning("table read whole", table=work.table.name, destinations=whole, reason=reason)
    stale = [share.destination for share in shares if share.keeps_rows_of_another_configuration]
    if stale:
        command = Commands(context.options.config_dir).load(
            "--full-refresh", "--tables", work.table.name, "--load-destinations", ",".join(stale)
        )
        log.warning("configuration changed", table=work.table.name, destinations=stale, next_step=command)


def _watermark_of(context: RunContext, work: Work, destination: Destination) -> Watermark | None:
    """How far the destination holds the table; None where the target is gone, or is another one than it speaks of."""
    watermark = context.watermarks.get((work.table.name, destination))
    if watermark is None:
        return None
    loader, config = context.loaders[destination], work.load_config(destination)
    stands = watermark.target == loader.target(config) and loader.target_exists(config)
    return watermark if stands else None


def freeze(context: RunContext, work: Work, shares: Iterable[Share]) -> None:
    """Keeps how far this run reads, so that a resumed run reads no further."""
    shares = list(shares)
    if earlier := context.frozen.get(work.table.name):
        context.ledger.freeze_table(context.run.run_id, work.table.name, earlier)
        return
    bounds = earliest([share.bounds for share in shares])
    measured = next(share.measurement for share in shares if share.bounds == bounds)
    # an empty window reads no further than where it began
    upper = measured.upper_mark or bounds.lower
    window = FrozenWindow(bounds.lower, upper, measured.fingerprint, measured.rows)
    context.ledger.freeze_table(context.run.run_id, work.table.name, window)


def read_shares(context: RunContext, work: Work, shares: Sequence[Share]) -> tuple[DataFrame, list[Share]]:
    """The rows that any of the shares takes, read once; and the shares with all that is known of the source by then."""
    table, reader = work.table, context.sources.of(work.table)
    known = context.definitions.get(table.name)
    frame = reader.read(table, known, *_measure_together(context, work, shares))
    if reader.knows_columns:
        return frame, list(shares)
    found = columns_as_read(frame, table, known, context.watermarks)
    for share in shares:
        if share.watermark is not None:
            refuse_spoken_of(table, share.watermark.columns, found)
    told = [
        replace(share, columns=found.columns, source_changes=_source_changes(share.watermark, found, is_whole=True))
        for share in shares
    ]
    return with_nulls(frame, found.columns), told


class Marks(NamedTuple):
    """How far a destination holds a table once a share is loaded; without mark and fingerprint nothing moves."""

    watermark: str | None
    fingerprint: str | None
    tail: str | None
    snapshot: str | None


def marks_after(context: RunContext, work: Work, share: Share) -> Marks:
    options, measured = context.options, share.measurement
    if share.bounds.is_whole_table:
        return Marks(measured.upper_mark, measured.fingerprint, measured.tail_fingerprint, measured.snapshot)
    mark = next_mark(share.mark, share.bounds, measured.upper_mark, options, work.table.extract.overlap_seconds)
    if measured.snapshot is not None and not holds_all_seen(mark, share.bounds, options):
        # what had been unseen before this load still is
        return Marks(mark, None, None, share.watermark.snapshot if share.watermark else None)
    moved = mark is not None and mark == measured.upper_mark
    # without the tail of the new mark the next run reads the overlap once more, which is safe
    return Marks(mark, None, measured.tail_fingerprint if moved else None, measured.snapshot)


def config_hash(
    work: Work, config: TableLoadConfig, definition: TableDefinition | None, salt: str = "", mask_key: str = ""
) -> str:
    """Changes whenever the same source rows could look different in the target."""
    facts = {
        "load": config.said(exclude=config.beside_rows),
        "transform": work.table.transform.said(),
        "source": work.table.source.said(),
        "hash_salt": hashlib.sha256(salt.encode()).hexdigest(),
        "columns": [(column.name, column.type, column.nullable) for column in definition.columns] if definition else [],
    }
    if uses_key(work.table.transform):
        facts["mask_key"] = hashlib.sha256(mask_key.encode()).hexdigest()
    others = (load for name, load in work.table.loads.items() if name != config.destination and load.enabled)
    # rows that another store cannot hold come here all the same
    if left := {str(load.destination): columns for load in others if (columns := leaves_to_others(load))}:
        facts["left_by_others"] = left
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _measure(context: RunContext, work: Work, bounds: Bounds, days: tuple[date, ...] | None = None) -> Measurement:
    measured = context.sources.of(work.table).measure(work.table, _window(bounds, days))
    if measured.files_skipped:
        log.warning("files passed over", table=work.table.name, files=list(measured.files_skipped))
    return measured


def _window(bounds: Bounds, days: tuple[date, ...] | None = None) -> Window:
    return Window(
        bounds.lower, bounds.upper, overlap_seconds=bounds.overlap_seconds, partitions=days, unseen=bounds.unseen
    )


def _measure_together(context: RunContext, work: Work, shares: Sequence[Share]) -> tuple[Window, Measurement]:
    """The window that serves all shares; it is measured again only where it is larger than each of theirs: with whole
    days, or with what one has not seen behind the mark of another."""
    bounds = widest([share.bounds for share in shares])
    days = {day for share in shares if share.takes_whole_days for day in share.measurement.touched_dates}
    if days and not bounds.is_whole_table:
        whole_days = tuple(sorted(days))
        return _window(bounds, whole_days), _measure(context, work, bounds, whole_days)
    alike = [share.measurement for share in shares if _means_the_same(share.bounds, bounds)]
    return _window(bounds), alike[0] if alike else _measure(context, work, bounds)


def _means_the_same(one: Bounds, other: Bounds) -> bool:
    """Where all is read from the beginning, nothing is unseen on top of it."""
    return one == other or (one.lower is None and other.lower is None)

"""What any room may ask of a write mode. How a store does it stands in etl/load/<store>/modes/, a file a mode."""

from __future__ import annotations

from dataclasses import dataclass

from etl.config.destinations.load_config import TableLoadConfig
from etl.model import ConflictResolution, VanishedRows, WriteMode


@dataclass(frozen=True)
class ModeFacts:
    finds_by_key: bool = False
    """It finds the stored row by its key, and is nothing without one."""
    replaces_partitions: bool = False
    """A load's rows take the place of whole partitions; of the whole table where that has none, if it may."""
    needs_partitions: bool = False
    replaces_table: bool = False
    only_new_targets: bool = False
    """Where a target stands, nothing is written."""


MODES: dict[WriteMode, ModeFacts] = {
    WriteMode.APPEND: ModeFacts(),
    WriteMode.MERGE: ModeFacts(finds_by_key=True),
    WriteMode.UPSERT: ModeFacts(finds_by_key=True),
    WriteMode.OVERWRITE: ModeFacts(replaces_table=True),
    WriteMode.OVERWRITE_PARTITIONS: ModeFacts(replaces_partitions=True, needs_partitions=True),
    WriteMode.REPLACE_PARTITION: ModeFacts(replaces_partitions=True),
    WriteMode.IGNORE: ModeFacts(only_new_targets=True),
    WriteMode.ERROR: ModeFacts(only_new_targets=True),
}


def finds_by_key(load: TableLoadConfig) -> bool:
    return MODES[load.mode].finds_by_key


def replaces_partitions(load: TableLoadConfig) -> bool:
    return MODES[load.mode].replaces_partitions


def replaces_all(load: TableLoadConfig) -> bool:
    """Whether a load leaves nothing in the target but its own rows."""
    facts = MODES[load.mode]
    return facts.replaces_table or (facts.replaces_partitions and not (facts.needs_partitions or load.partition_by))


def knows_no_row_again(load: TableLoadConfig) -> bool:
    """Whether a row that is read twice would stand twice."""
    return load.mode is WriteMode.APPEND and not load.key


def deletes_vanished(load: TableLoadConfig) -> bool:
    """Whether a load of the whole source leaves no row that the source no longer has."""
    return replaces_all(load) or (load.vanished_rows is VanishedRows.DELETE and _can_delete(load))


def marks_vanished(load: TableLoadConfig) -> bool:
    """Whether a load of the whole source marks the rows that the source no longer has, and leaves them otherwise."""
    return load.vanished_rows is VanishedRows.MARK and can_mark(load)


def holds_marks(load: TableLoadConfig) -> bool:
    """Whether the target says of each row since when it is gone, whatever this load has read."""
    return VanishedRows.MARK in (load.vanished_rows, load.deleted_rows) and can_mark(load)


def can_mark(load: TableLoadConfig) -> bool:
    """A mode that replaces rows with others has no place for those that are gone."""
    return bool(load.marks_with) and updates_by_key(load)


def takes_deletions(load: TableLoadConfig, *, is_whole: bool) -> bool:
    """Whether rows that the source calls deleted go, or are marked: of a whole reading they are merely not there."""
    if is_whole:
        return deletes_vanished(load) or marks_vanished(load)
    return load.deletes_by_key and updates_by_key(load)


def updates_by_key(load: TableLoadConfig) -> bool:
    return finds_by_key(load) and load.conflict_resolution is ConflictResolution.UPDATE


def _can_delete(load: TableLoadConfig) -> bool:
    return updates_by_key(load) or replaces_partitions(load)

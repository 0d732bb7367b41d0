"""What must hold within one table, and between tables, beyond the types of values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.registry import known_destinations
from etl.config.settings import Settings
from etl.config.tables.entry import Entry, Locator
from etl.config.tables.masking import foreign_key_faults, key_faults, mask_faults
from etl.config.tables.models import FileFormat, FileSource, PostgreSQLSource, TableConfig
from etl.config.tables.modes import can_mark, finds_by_key, knows_no_row_again, replaces_all, takes_deletions
from etl.config.tables.out_of_range import word_faults
from etl.errors import Fault
from etl.model import HIDDEN, ExtractMode, VanishedRows


def table_faults(entry: Entry) -> Iterator[Fault]:
    """Faults of one table that need no schema."""
    config = entry.config
    if config.extract.mode is ExtractMode.INCREMENTAL and not config.extract.watermark:
        yield entry.at("extract").fault(f"table {entry.name} is incremental and names no watermark column")
    if config.extract.mode is ExtractMode.INCREMENTAL and isinstance(config.source, FileSource):
        yield entry.at("extract", "mode").fault(
            f"table {entry.name} is incremental, but its files are read whole (and only when they changed); "
            "write `extract: {mode: full}`"
        )
    if isinstance(config.source, FileSource) and config.source.format is FileFormat.CSV and not config.source.columns:
        yield entry.at("source").fault(f"CSV files of table {entry.name} need `columns`: a name and type for each")
    yield from _hidden_names(entry)
    yield from mask_faults(entry)
    yield from _deletion_faults(entry)
    for destination, load in config.loads.items():
        if load.enabled:
            yield from _load_faults(entry, load, partial(entry.at, "loads", destination))


def _deletion_faults(entry: Entry) -> Iterator[Fault]:
    """What is deleted at the source is told apart once, for all stores."""
    config = entry.config
    if not config.parts_deleted:
        return
    loads = {name: load for name, load in config.loads.items() if load.enabled}
    keeping = [name for name, load in loads.items() if load.vanished_rows is VanishedRows.KEEP]
    if keeping:
        yield entry.at("transform", "deleted_when").fault(
            f"transform.deleted_when: rows that the source calls deleted go from all stores or stay in all, and "
            f"vanished_rows is keep in {', '.join(keeping)} and not in the others; write it once for the table"
        )
    is_whole = config.extract.mode is ExtractMode.FULL
    for name, load in loads.items():
        if name not in keeping and not takes_deletions(load, is_whole=is_whole):
            by_key = f"; write `{name}: {{{load.marks_with}}}`" if load.marks_with else ""
            yield entry.at("loads", name, "mode").fault(
                f"{load.store}: mode {load.mode} with conflict_resolution {load.conflict_resolution} cannot let go of "
                f"single rows that the source calls deleted (transform.deleted_when){by_key}, with conflict_resolution "
                f"update, or `{name}: {{enabled: false}}`"
            )


def _hidden_names(entry: Entry) -> Iterator[Fault]:
    transform = entry.config.transform
    made = [("rename", old, new) for old, new in transform.rename.items()]
    made += [("derive", name, name) for name in transform.derive]
    for step, key, name in made:
        if name.casefold().startswith(HIDDEN):
            yield entry.at("transform", step, key).fault(
                f"transform.{step}: {name!r} begins with {HIDDEN}, as this tool's own columns do; choose another name"
            )


def has_key_at_the_source(config: TableConfig) -> bool:
    """Whether the key may be the primary key of a table that only the live source knows."""
    return isinstance(config.source, PostgreSQLSource) and config.definition is None


def _load_faults(entry: Entry, load: TableLoadConfig, at: Locator) -> Iterator[Fault]:
    store, modes = load.store, load.modes
    if load.mode not in modes:
        yield at("mode").fault(f"{store} cannot {load.mode}; valid: {', '.join(sorted(modes))}")
    if finds_by_key(load) and not load.key and not has_key_at_the_source(entry.config):
        yield at("mode").fault(f"{store}: mode {load.mode} needs a key, and table {entry.name} has none")
    if (
        entry.config.extract.follows_transactions
        and knows_no_row_again(load)
        and not has_key_at_the_source(entry.config)
    ):
        yield at("mode").fault(
            f"{store}: mode {load.mode} needs a key with `late_commits: exact`, which reads some rows twice, and table "
            f"{entry.name} has none; write `extract: {{late_commits: overlap}}` or name the columns in `key`"
        )
    if entry.config.extract.mode is ExtractMode.INCREMENTAL and replaces_all(load):
        yield at("mode").fault(
            f"{store}: mode {load.mode} replaces the whole table, but table {entry.name} is extracted incrementally: "
            "rows that did not change would be lost; write `extract: {mode: full}` or another mode"
        )
    if load.vanished_rows is VanishedRows.MARK and not can_mark(load):
        yield at("vanished_rows").fault(f"{store}: {_cannot_mark(load)}")
    if load.partition_by and not load.can_partition:
        yield at("partition_by").fault(
            f"{load.destination}.partition_by: target tables are not partitioned; leave it out"
        )
    yield from word_faults(entry, load, at)
    yield from known_destinations()[load.destination].table_faults(entry, load, at)


def _cannot_mark(load: TableLoadConfig) -> str:
    otherwise = f"write `vanished_rows: delete` or `keep` in the block {load.destination}"
    if not load.marks_with:
        return f"rows that are gone cannot be marked there (vanished_rows: mark); {otherwise}"
    if not finds_by_key(load):
        return (
            f"mode {load.mode} cannot mark rows that are gone (vanished_rows: mark); "
            f"write `{load.destination}: {{{load.marks_with}}}`, or {otherwise}"
        )
    return (
        "rows that are gone are marked, and lose their mark when they come back (vanished_rows: mark), by "
        f"conflict_resolution update alone, found {load.conflict_resolution}; {otherwise}"
    )


def common_faults(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    """Two tables that would write into each other's place, or into their source's; and what masks need of others."""
    for spec in known_destinations().values():
        yield from spec.common_faults(entries, settings)
    yield from key_faults(entries, settings)
    yield from foreign_key_faults(entries, settings)

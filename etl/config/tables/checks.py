"""What must hold within one table, and between tables, beyond the types of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter

from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.document import Node
from etl.config.settings import Settings
from etl.config.tables.capabilities import modes_of
from etl.config.tables.entries import Entry
from etl.config.tables.models import FileFormat, FileSource, PostgreSQLSource, TableConfig
from etl.config.tables.modes import finds_by_key, replaces_all
from etl.errors import Fault
from etl.model import HIDDEN, PARTITION_DATE, ConflictResolution, Destination, ExtractMode, WriteMode
from etl.postgresql_types import IDENTIFIER_BYTES

Locator = Callable[[str], Node]
"""Where a key of one destination's block is written."""

_SEGMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_PARTITION = re.compile(r"^toYYYYMM(?:DD)?\((\w+)\)$")


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
    for destination, load in config.loads.items():
        if load.enabled:
            yield from _load_faults(entry, load, partial(entry.at, "loads", destination))


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
    store, modes = modes_of(load)
    if load.mode not in modes:
        yield at("mode").fault(f"{store} cannot {load.mode}; valid: {', '.join(sorted(modes))}")
    if finds_by_key(load) and not load.key and not has_key_at_the_source(entry.config):
        yield at("mode").fault(f"{store}: mode {load.mode} needs a key, and table {entry.name} has none")
    if entry.config.extract.mode is ExtractMode.INCREMENTAL and replaces_all(load):
        yield at("mode").fault(
            f"{store}: mode {load.mode} replaces the whole table, but table {entry.name} is extracted incrementally: "
            "rows that did not change would be lost; write `extract: {mode: full}` or another mode"
        )
    if isinstance(load, S3TableLoadConfig):
        yield from _s3_faults(entry, load, at)
    elif isinstance(load, PostgreSQLTableLoadConfig):
        yield from _postgresql_faults(entry, load, at)
    elif isinstance(load, ClickHouseTableLoadConfig):
        yield from _clickhouse_faults(entry, load, at)


def _s3_faults(entry: Entry, load: S3TableLoadConfig, at: Locator) -> Iterator[Fault]:
    if not all(_SEGMENT.match(segment) for segment in load.path.split("/")):
        yield at("path").fault(f"s3.path {load.path!r}: expected names of letters, digits, `.`, `_`, `-` joined by `/`")
    if load.partition_by not in ((), (PARTITION_DATE,)):
        yield at("partition_by").fault(f"s3.partition_by can only be {PARTITION_DATE} (the day of date_column)")
    if load.partition_by and not load.date_column:
        yield at("partition_by").fault(f"s3.partition_by: table {entry.name} has no date_column to partition by")
    appends_files = load.mode is WriteMode.APPEND and load.format is not S3Format.DELTA
    if appends_files and load.key and load.conflict_resolution is ConflictResolution.UPDATE:
        yield at("mode").fault(
            f"s3.mode append: rows of {load.format} files cannot be updated in place; "
            "set conflict_resolution to error or skip, or format to delta"
        )
    if load.mode is WriteMode.OVERWRITE_PARTITIONS and not load.partition_by:
        yield at("mode").fault(f"s3.mode overwrite_partitions needs `partition_by: {PARTITION_DATE}`")
    if load.retention_days and not load.partition_by:
        yield at("retention_days").fault("s3.retention_days deletes expired partitions and needs partition_by")


def _postgresql_faults(entry: Entry, load: PostgreSQLTableLoadConfig, at: Locator) -> Iterator[Fault]:
    for key, name in (("target_name", load.target_name), ("target_schema", load.target_schema)):
        if len(name.encode()) > IDENTIFIER_BYTES:
            yield at(key).fault(f"postgresql.{key} {name!r} is longer than {IDENTIFIER_BYTES} bytes")
    if load.partition_by:
        yield at("partition_by").fault("postgresql.partition_by: target tables are not partitioned; leave it out")
    definition = entry.config.definition
    if definition is None or set(load.conflict_target) == set(load.key):
        return
    unique = [definition.primary_key, *definition.unique_keys]
    if not any(set(load.conflict_target) == set(columns) for columns in unique):
        yield at("conflict_target").fault(
            f"postgresql.conflict_target ({', '.join(load.conflict_target)}) is not unique in table {entry.name}; "
            f"valid: {'; '.join(', '.join(columns) for columns in unique if columns)}"
        )


def _clickhouse_faults(entry: Entry, load: ClickHouseTableLoadConfig, at: Locator) -> Iterator[Fault]:
    if len(load.partition_by) > 1:
        yield at("partition_by").fault("clickhouse.partition_by holds one expression at most")
    for expression in load.partition_by[:1]:
        match = _PARTITION.match(expression)
        if match is None or match[1] != load.date_column:
            column = load.date_column or "date_column"
            yield at("partition_by").fault(
                f"clickhouse.partition_by {expression!r}: expected toYYYYMM({column}) or toYYYYMMDD({column})"
            )
    if load.version and load.engine is not ClickHouseEngine.REPLACING_MERGE_TREE:
        yield at("version").fault(f"clickhouse.version: engine {load.engine} keeps no version; use ReplacingMergeTree")


def collisions(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    """Two tables that would write into each other's place."""
    yield from _path_collisions(entries)
    for destination in (Destination.POSTGRESQL, Destination.CLICKHOUSE):
        taken: dict[tuple[str, ...], Entry] = {}
        for entry in entries:
            place = _target(entry.config.loads.get(destination), settings)
            if place is not None and place in taken:
                yield entry.at("loads", destination, "target_name").fault(
                    f"{destination}: tables {taken[place].name} and {entry.name} have the same target "
                    f"{'.'.join(place)!r}"
                )
            elif place is not None:
                taken[place] = entry


def _target(load: TableLoadConfig | None, settings: Settings) -> tuple[str, ...] | None:
    if isinstance(load, PostgreSQLTableLoadConfig) and load.enabled:
        return load.target_schema, load.target_name
    if isinstance(load, ClickHouseTableLoadConfig) and load.enabled:
        database = load.target_database or (settings.clickhouse.database if settings.clickhouse else None)
        return (database, load.target_name) if database else (load.target_name,)
    return None


def _path_collisions(entries: Sequence[Entry]) -> Iterator[Fault]:
    """Sorted by their segments, a path stands directly before those within it."""
    outer: list[tuple[list[str], Entry]] = []
    for segments, entry in sorted(_paths(entries), key=itemgetter(0)):
        while outer and segments[: len(outer[-1][0])] != outer[-1][0]:
            outer.pop()
        if outer:
            other = outer[-1][1]
            relation = "is also" if segments == outer[-1][0] else f"lies within {'/'.join(outer[-1][0])!r},"
            yield entry.at("loads", Destination.S3, "path").fault(
                f"s3.path {'/'.join(segments)!r} of table {entry.name} {relation} the path of table {other.name}: "
                "overwriting one would delete the other"
            )
        outer.append((segments, entry))


def _paths(entries: Iterable[Entry]) -> Iterator[tuple[list[str], Entry]]:
    for entry in entries:
        load = entry.config.loads.get(Destination.S3)
        if isinstance(load, S3TableLoadConfig) and load.enabled:
            yield load.path.split("/"), entry


def overwritten_sources(entries: Iterable[Entry], settings: Settings) -> Iterator[Fault]:
    """Source and target may be one server, never one table."""
    source, target = settings.source, settings.postgresql
    if source is None or target is None or source.address != target.address:
        return
    for entry in entries:
        read, load = entry.config.source, entry.config.loads[Destination.POSTGRESQL]
        if (
            not isinstance(read, PostgreSQLSource)
            or not isinstance(load, PostgreSQLTableLoadConfig)
            or not load.enabled
        ):
            continue
        if (read.schema_name, read.table) == (load.target_schema, load.target_name):
            yield entry.node.fault(
                f"table {entry.name} would be loaded into the table it is read from, "
                f"{read.schema_name}.{read.table} at {source.address}; give postgresql another target_schema"
            )

"""What ClickHouse refuses, said before anything is touched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.collisions import same_targets
from etl.config.settings import Settings
from etl.config.tables.column_names import absent, expression_faults
from etl.config.tables.entry import Entry, Locator
from etl.errors import Fault
from etl.model import Destination

_PARTITION = re.compile(r"^toYYYYMM(?:DD)?\((\w+)\)$")
_OF_THE_SERVER = frozenset({"_row_exists", "_block_number", "_block_offset", "_partition_id"})
"""Columns of every MergeTree table; by the last of them a load counts what it staged."""
_SUBCOLUMN = re.compile(r"(.+)\.(null|size0)", re.DOTALL)


def table_faults(entry: Entry, load: ClickHouseTableLoadConfig, at: Locator) -> Iterator[Fault]:
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


def column_faults(entry: Entry, load: ClickHouseTableLoadConfig, columns: Sequence[str]) -> Iterator[Fault]:
    path = ("loads", Destination.CLICKHOUSE)
    yield from absent(entry, (*path, "version"), filter(None, [load.version]), columns)
    if load.ttl:
        yield from expression_faults(entry, (*path, "ttl"), load.ttl, "clickhouse", columns)


def refused_columns(load: ClickHouseTableLoadConfig, columns: Mapping[str, str]) -> Iterator[str]:
    """Names that ClickHouse reads as something else."""
    if faults := list(_misread(columns)):
        yield f"clickhouse takes for its own {'; '.join(faults)}: rename them in transform"


def _misread(columns: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(columns):
        if name in _OF_THE_SERVER:
            yield f"{name!r}, a column that every table of the server has"
        match = _SUBCOLUMN.fullmatch(name)
        if match and match[1] in columns and (match[2] == "null" or _may_be_array(columns[match[1]])):
            yield f"{name!r} beside {match[1]!r}, whose part it would be"
    dotted = [name for name, kind in columns.items() if _is_array(kind) and _prefix(name)]
    prefixes = Counter(map(_prefix, dotted))
    for name in sorted(dotted):
        if _prefix(name) in columns or prefixes[_prefix(name)] > 1:
            yield f"the array {name!r}, one of a nested structure {_prefix(name)!r}, whose arrays are of one length"


def _is_array(kind: str) -> bool:
    return kind.endswith("[]")


def _may_be_array(kind: str) -> bool:
    return _is_array(kind) or not kind


def _prefix(name: str) -> str:
    """What the server takes for the structure that an array is part of; empty where it takes it for itself."""
    prefix, dot, rest = name.partition(".")
    return prefix if dot and rest else ""


def common_faults(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    def target(load: ClickHouseTableLoadConfig) -> tuple[str, ...]:
        database = load.target_database or (settings.clickhouse.database if settings.clickhouse else None)
        return (database, load.target_name) if database else (load.target_name,)

    return same_targets(entries, Destination.CLICKHOUSE, target)

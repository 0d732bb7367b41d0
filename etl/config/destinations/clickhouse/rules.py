"""What ClickHouse refuses, said before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.collisions import same_targets
from etl.config.settings import Settings
from etl.config.tables.column_names import absent, expression_faults
from etl.config.tables.entry import Entry, Locator
from etl.errors import Fault
from etl.model import Destination

_PARTITION = re.compile(r"^toYYYYMM(?:DD)?\((\w+)\)$")


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


def common_faults(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    def target(load: ClickHouseTableLoadConfig) -> tuple[str, ...]:
        database = load.target_database or (settings.clickhouse.database if settings.clickhouse else None)
        return (database, load.target_name) if database else (load.target_name,)

    return same_targets(entries, Destination.CLICKHOUSE, target)

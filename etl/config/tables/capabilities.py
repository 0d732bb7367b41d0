"""What each store can do with a table: the modes of its formats and engines; loaders refuse by the same lists."""

from __future__ import annotations

from collections.abc import Iterable

from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.model import WriteMode

_FILES = frozenset(
    {WriteMode.APPEND, WriteMode.OVERWRITE, WriteMode.OVERWRITE_PARTITIONS, WriteMode.IGNORE, WriteMode.ERROR}
)

S3_MODES: dict[S3Format, frozenset[WriteMode]] = {
    S3Format.DELTA: _FILES | {WriteMode.MERGE},
    S3Format.PARQUET: _FILES,
    S3Format.JSON: _FILES,
}
POSTGRESQL_MODES = frozenset(
    {WriteMode.UPSERT, WriteMode.APPEND, WriteMode.OVERWRITE, WriteMode.IGNORE, WriteMode.ERROR}
)
CLICKHOUSE_MODES: dict[ClickHouseEngine, frozenset[WriteMode]] = {
    ClickHouseEngine.MERGE_TREE: frozenset({WriteMode.APPEND, WriteMode.REPLACE_PARTITION}),
    ClickHouseEngine.REPLACING_MERGE_TREE: frozenset({WriteMode.APPEND, WriteMode.REPLACE_PARTITION, WriteMode.MERGE}),
}

_ILLEGAL_IN_DELTA = frozenset(" ,;{}()\n\t=")


def illegal_in_delta(names: Iterable[str]) -> list[str]:
    """Those that Delta takes by column mapping alone, which many readers lack."""
    return [name for name in names if _ILLEGAL_IN_DELTA.intersection(name)]


def modes_of(load: TableLoadConfig) -> tuple[str, frozenset[WriteMode]]:
    """The store as a reader names it (`s3 with format parquet`) and the modes it can do."""
    if isinstance(load, S3TableLoadConfig):
        return f"s3 with format {load.format}", S3_MODES[load.format]
    if isinstance(load, ClickHouseTableLoadConfig):
        return f"clickhouse with engine {load.engine}", CLICKHOUSE_MODES[load.engine]
    return "postgresql", POSTGRESQL_MODES

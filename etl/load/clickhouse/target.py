"""The target as the frame and its entry want it, and as the server's catalog shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.load.frames import columns_of
from etl.model import Column, TableDefinition
from etl.statements.clickhouse.catalog import DESCRIBE_TABLE
from etl.statements.clickhouse.tables import NOT_SPARSE, VERSION_COLUMN, ColumnShape, TableShape
from etl.statements.quoting import clickhouse_identifier
from etl.statements.types import clickhouse_type_of

CODECS = {"LZ4": "CODEC(LZ4)", "ZSTD": "CODEC(ZSTD(1))"}


@dataclass(frozen=True)
class TargetTable:
    """A table as it stands. `state` changes when anybody writes into it (catalog.TABLE_STATE)."""

    shape: TableShape
    comment: str
    rows: int
    state: str


def frame_columns(df: DataFrame, definition: TableDefinition | None) -> tuple[Column, ...]:
    """Spark's readers call every column nullable; the source's schema knows better."""
    required = {column.name for column in definition.columns if not column.nullable} if definition else set()
    return tuple(replace(c, nullable=c.nullable and c.name not in required) for c in columns_of(df))


def wanted_shape(columns: Sequence[Column], config: ClickHouseTableLoadConfig) -> TableShape:
    """The table that `load` creates where none stands."""
    required = required_columns(columns, config)
    codec = CODECS[config.codec]
    shapes = [
        ColumnShape(
            column.name,
            clickhouse_type_of(column.spark_type, nullable=column.nullable and column.name not in required),
            codec=codec,
        )
        for column in columns
    ]
    replaces = config.engine.value == "ReplacingMergeTree"
    if replaces and config.version is None:
        shapes.append(ColumnShape(VERSION_COLUMN, "UInt64", "MATERIALIZED 0", codec))
    return TableShape(
        columns=tuple(shapes),
        engine=config.engine.value,
        order_by=", ".join(clickhouse_identifier(name) for name in config.order_by or config.key),
        partition_by=", ".join(config.partition_by),
        version=(config.version or VERSION_COLUMN) if replaces else "",
        ttl=config.ttl or "",
        settings=(
            *(("allow_nullable_key = 1",) if config.null_safe_key else ()),
            *((NOT_SPARSE,) if any("Float" in shape.type for shape in shapes) else ()),
        ),
    )


def required_columns(columns: Sequence[Column], config: ClickHouseTableLoadConfig) -> frozenset[str]:
    """Columns that ClickHouse cannot take NULL in, whatever their source says."""
    sorting = set() if config.null_safe_key else {*config.key, *config.order_by}
    version = {config.version} if config.version else set()
    return frozenset(sorting | version | set(partition_columns(columns, config)))


def partition_columns(columns: Sequence[Column], config: ClickHouseTableLoadConfig) -> tuple[str, ...]:
    """The frame's columns that the partition expression names."""
    words = set(re.findall(r"\w+", " ".join(config.partition_by)))
    return tuple(column.name for column in columns if column.name in words)


def describe(door: ClickHouseDoor, database: str, table: str) -> TargetTable | None:
    rows = door.query(DESCRIBE_TABLE, parameters={"database": database, "table": table})
    if not rows:
        return None
    engine, full, partition_key, sorting_key, primary_key, comment, policy, count, columns, indices, state = rows[0]
    version = re.match(r"ReplacingMergeTree\(`?([^`)]+)`?\)", full)
    shape = TableShape(
        columns=tuple(
            ColumnShape(name, kind, f"{default_kind} {default}".strip(), codec)
            for name, kind, default_kind, default, codec in columns
        ),
        engine=engine,
        order_by=sorting_key,
        partition_by=partition_key,
        primary_key=primary_key if primary_key != sorting_key else "",
        version=version[1] if version else "",
        ttl=_ttl(full),
        settings=_settings(full, policy),
        indices=tuple(indices),
    )
    return TargetTable(shape, comment, count, state)


def _ttl(engine_full: str) -> str:
    match = re.search(r" TTL (.*?)(?: SETTINGS .*)?$", engine_full, re.DOTALL)
    return match[1] if match else ""


def _settings(engine_full: str, policy: str) -> tuple[str, ...]:
    """Those that parts must share, or that the structure needs, to be attachable."""
    nullable = ("allow_nullable_key = 1",) if "allow_nullable_key = 1" in engine_full else ()
    return (*nullable, f"storage_policy = '{policy}'") if policy not in ("", "default") else nullable

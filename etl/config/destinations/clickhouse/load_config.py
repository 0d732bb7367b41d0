"""How ClickHouse takes a table."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

from etl.config.destinations.load_config import WithDecimals
from etl.model import Destination, WriteMode


class ClickHouseEngine(StrEnum):
    MERGE_TREE = "MergeTree"
    REPLACING_MERGE_TREE = "ReplacingMergeTree"


_MERGE_TREE_MODES = frozenset({WriteMode.APPEND, WriteMode.REPLACE_PARTITION})
_REPLACING_MERGE_TREE_MODES = _MERGE_TREE_MODES | {WriteMode.MERGE}


class ClickHouseTableLoadConfig(WithDecimals):
    """`partition_by` holds at most one expression of the date column: toYYYYMM(x) or toYYYYMMDD(x)."""

    most_digits: ClassVar[int] = 76
    supported_modes: ClassVar[frozenset[WriteMode]] = _REPLACING_MERGE_TREE_MODES
    beside_rows: ClassVar[frozenset[str]] = WithDecimals.beside_rows | {"codec"}
    follows_key: ClassVar[tuple[str, ...]] = ("order_by",)
    marks_with: ClassVar[str] = "engine: ReplacingMergeTree, mode: merge"
    deletes_by_key: ClassVar[bool] = True
    destination: Destination = Destination.CLICKHOUSE
    target_database: str | None = None
    target_name: str
    format: Literal["table"] = "table"
    engine: ClickHouseEngine = ClickHouseEngine.MERGE_TREE
    order_by: tuple[str, ...] = ()
    version: str | None = None
    ttl: str | None = None
    codec: Literal["LZ4", "ZSTD"] = "LZ4"
    null_array: Literal["refuse", "empty"] = "empty"
    writer: Literal["arrow", "jdbc"] = "arrow"

    @property
    def store(self) -> str:
        return f"{self.destination} with engine {self.engine}"

    @property
    def placing_columns(self) -> frozenset[str]:
        return super().placing_columns | ({self.version} if self.version else set())

    @property
    def modes(self) -> frozenset[WriteMode]:
        is_replacing = self.engine is ClickHouseEngine.REPLACING_MERGE_TREE
        return _REPLACING_MERGE_TREE_MODES if is_replacing else _MERGE_TREE_MODES

"""What the contract suite must be told of a store: how to ask for a load, and how to read back what stands there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.settings import Settings
from etl.model import ConflictResolution

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Store:
    """`merging`, `appending` and `overwriting` are its entries for a table keyed by `id` and dated by `day`."""

    destination: str
    merging: Callable[[str], TableLoadConfig]
    appending: Callable[[str, ConflictResolution], TableLoadConfig]
    overwriting: Callable[[str], TableLoadConfig]
    read: Callable[[SparkSession, Settings, str, str], list[Row]]
    """The columns (names between blanks) of a table's rows as texts, sorted; NULL is None."""
    staging_left: Callable[[SparkSession, Settings, str], list[str]]
    """What loads of a table have left beside it."""

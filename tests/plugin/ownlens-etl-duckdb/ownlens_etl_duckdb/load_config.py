"""How DuckDB takes a table."""

from __future__ import annotations

from typing import ClassVar

from etl.config.destinations.load_config import WithDecimals
from etl.model import Destination, WriteMode

NAME = Destination("duckdb")


class DuckDBTableLoadConfig(WithDecimals):
    most_digits: ClassVar[int] = 38
    supported_modes: ClassVar[frozenset[WriteMode]] = frozenset(
        {WriteMode.APPEND, WriteMode.UPSERT, WriteMode.OVERWRITE}
    )
    can_partition: ClassVar[bool] = False
    destination: Destination = NAME
    target_schema: str = "main"
    target_name: str

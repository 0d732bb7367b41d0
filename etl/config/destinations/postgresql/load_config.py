"""How PostgreSQL takes a table."""

from __future__ import annotations

from typing import ClassVar, Literal

from etl.config.destinations.load_config import TableLoadConfig
from etl.model import Destination, WriteMode


class PostgreSQLTableLoadConfig(TableLoadConfig):
    """`conflict_target` is the one declared arbiter (default: the key)."""

    supported_modes: ClassVar[frozenset[WriteMode]] = frozenset(
        {WriteMode.UPSERT, WriteMode.APPEND, WriteMode.OVERWRITE, WriteMode.IGNORE, WriteMode.ERROR}
    )
    follows_key: ClassVar[tuple[str, ...]] = ("conflict_target",)
    can_partition: ClassVar[bool] = False
    marks_with: ClassVar[str] = "mode: upsert"
    deletes_by_key: ClassVar[bool] = True
    destination: Destination = Destination.POSTGRESQL
    target_schema: str = "public"
    target_name: str
    format: Literal["table"] = "table"
    conflict_target: tuple[str, ...] = ()
    foreign_keys: bool = True
    copy_format: Literal["binary", "csv"] = "binary"

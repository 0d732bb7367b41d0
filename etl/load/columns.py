"""Columns that a store cannot hold: those of its frame, or those that a run knows before it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.registry import known_destinations
from etl.errors import SchemaMismatchError
from etl.model import Column


def refuse_columns(config: TableLoadConfig, columns: Sequence[Column]) -> None:
    """SchemaMismatchError with every reason, before anything is written."""
    refuse_known_columns(config, {column.name: column.postgresql_type for column in columns})


def refuse_known_columns(config: TableLoadConfig, columns: Mapping[str, str]) -> None:
    """The same of a name and a PostgreSQL type each, the type empty where nobody knows it yet."""
    if reasons := list(known_destinations()[config.destination].refused_columns(config, columns)):
        raise SchemaMismatchError(
            f"{config.table_name}: {'; '.join(reasons)}", table=config.table_name, destination=config.destination
        )

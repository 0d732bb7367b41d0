"""What the contract suite must be told of DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from ownlens_etl_duckdb.load_config import NAME, DuckDBTableLoadConfig
from pyspark.sql import SparkSession

from etl.config.settings import Settings
from etl.model import WriteMode
from etl.testing.store import Row, Store


def entry(table: str, mode: WriteMode, **more: Any) -> DuckDBTableLoadConfig:
    return DuckDBTableLoadConfig(table_name=table, target_name=table, key=("id",), date_column="day", mode=mode, **more)


def _read(_spark: SparkSession, settings: Settings, table: str, columns: str) -> list[Row]:
    with duckdb.connect(path_of(settings)) as connection:
        texts = ", ".join(f'"{name}"::VARCHAR' for name in columns.split())
        return sorted(connection.execute(f'SELECT {texts} FROM main."{table}"').fetchall(), key=str)


def _staging(_spark: SparkSession, settings: Settings, table: str) -> list[str]:
    folder = Path(f"{path_of(settings)}.staging") / f"main.{table}"
    return [str(found) for found in folder.rglob("*")]


def path_of(settings: Settings) -> str:
    server: Any = settings.server(NAME)
    return str(server.path)


DUCKDB = Store(
    NAME,
    merging=lambda table: entry(table, WriteMode.UPSERT),
    appending=lambda table, conflict: entry(table, WriteMode.APPEND, conflict_resolution=conflict),
    overwriting=lambda table: entry(table, WriteMode.OVERWRITE),
    read=_read,
    staging_left=_staging,
)

"""A database of its own, with the ledger's schema, and a short way to load frames into it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.settings import PostgreSQLSettings, RunSettings, Settings
from etl.load.base import LoaderConfig, LoadFacts
from etl.load.frames import checksums_of
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.load.postgresql.target.design import frame_columns
from etl.model import POSTGRESQL_TYPE, ConflictResolution, LoadResult, TableDefinition, WriteMode
from etl.project import PROJECT_DIR
from tests.conftest import RunningStack
from tests.databases import drop_database


@dataclass
class Database:
    """`rows` and `execute` speak to the test's database directly; `loader` loads into it."""

    settings: PostgreSQLSettings
    spark: SparkSession
    definitions: dict[str, TableDefinition] = field(default_factory=dict)
    recorded: list[LoadResult] = field(default_factory=list)

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(
            host=self.settings.host,
            port=self.settings.port,
            user=self.settings.user,
            password=self.settings.password.get_secret_value(),
            dbname=self.settings.database,
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SET timezone = 'UTC'")
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def frame(self, schema: str, rows: list[tuple[Any, ...]], types: dict[str, str] | None = None) -> DataFrame:
        """A frame whose columns carry PostgreSQL types, as frames from the source do."""
        df = self.spark.createDataFrame(rows, schema)
        for name, kind in (types or {}).items():
            df = df.withMetadata(name, {POSTGRESQL_TYPE: kind})
        return df

    def loader(self, run_id: str = "run-1", **changes: Any) -> PostgreSQLLoader:
        settings = Settings(
            postgresql=changes.pop("settings", self.settings),
            ledger=self.settings,
            run=changes.pop("run", RunSettings(retries=2, retry_for_seconds=0, lock_timeout_seconds=5)),
        )
        return PostgreSQLLoader(
            self.spark,
            LoaderConfig(settings=settings, run_id=run_id, run_number=1, definitions=self.definitions, **changes),
        )

    def load(self, df: DataFrame, config: PostgreSQLTableLoadConfig, run_id: str = "run-1") -> LoadResult:
        return self.loader(run_id).load(df, config)

    def staging_tables(self) -> list[str]:
        found = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'etl_staging' ORDER BY 1")
        return [name for (name,) in found]

    def rejects(self) -> list[tuple[str, str, str]]:
        """(table, rule, status) of each entry, in their order."""
        return self.execute("SELECT table_name, rule, status FROM etl.rejects ORDER BY reject_id")  # type: ignore[return-value]


def table_config(name: str, **changes: Any) -> PostgreSQLTableLoadConfig:
    values: dict[str, Any] = {
        "table_name": name,
        "target_name": name,
        "key": ("id",),
        "mode": WriteMode.UPSERT,
        "conflict_resolution": ConflictResolution.UPDATE,
    }
    return PostgreSQLTableLoadConfig(**(values | changes))


def facts_of(df: DataFrame) -> LoadFacts:
    """What the pipeline knows of a frame: its rows and the checksum of every column."""
    checksums = checksums_of(df, frame_columns(StructType(df.schema.fields)))
    return LoadFacts(rows=checksums.rows, checksums=checksums)


def counts(result: LoadResult) -> dict[str, int]:
    """The outcomes that are not zero."""
    named = {
        "inserted": result.rows_inserted,
        "updated": result.rows_updated,
        "unchanged": result.rows_unchanged,
        "skipped": result.rows_skipped,
        "rejected": result.rows_rejected,
        "deleted": result.rows_deleted,
    }
    assert result.accounted == result.rows_in
    return {name: number for name, number in named.items() if number}


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _administrate(settings: PostgreSQLSettings, statement: str) -> None:
    connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        dbname=settings.database,
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def loader_server(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    administrator = stack.settings.postgresql
    assert administrator is not None
    name = f"pg_loader_{os.getpid()}"
    _administrate(administrator, f"CREATE DATABASE {name}")
    settings = administrator.model_copy(update={"database": name})
    _administrate(settings, (PROJECT_DIR / "sql/postgresql/ledger/schema.sql").read_text(encoding="utf-8"))
    yield settings
    drop_database(lambda statement: _administrate(administrator, statement), name)


@pytest.fixture
def database(loader_server: PostgreSQLSettings, spark: SparkSession) -> Database:
    """Empty but for the ledger's tables and the runs `run-1` to `run-3`."""
    found = Database(loader_server, spark)
    found.execute(
        "DROP SCHEMA IF EXISTS etl_staging CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
        "DROP SCHEMA IF EXISTS other CASCADE; TRUNCATE etl.runs, etl.rejects CASCADE;"
        "INSERT INTO etl.runs (run_id, destinations, tables) "
        "SELECT 'run-' || n, '{postgresql}', '{}' FROM generate_series(1, 3) AS n"
    )
    return found

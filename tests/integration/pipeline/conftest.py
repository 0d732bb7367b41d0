"""A small shop as a whole: a source schema, a database for target and ledger, a configuration, and the job itself."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import structlog
from pyspark.sql import SparkSession

from etl.clickhouse.door import ClickHouseDoor
from etl.config.configuration import load_configuration
from etl.ledger import Ledger
from etl.pipeline.job import main
from etl.project import PROJECT_DIR
from tests.conftest import RunningStack
from tests.databases import drop_database

STORES = ("clickhouse", "postgresql", "s3")
RUN = "run: {lock_timeout_seconds: 3, retries: 2, retry_for_seconds: 0}\n"


@dataclass(frozen=True)
class Shop:
    """`name` is the source's schema, the domain, and the name of the database that holds target and ledger."""

    name: str
    folder: Path
    environ: dict[str, str]
    ledger: Ledger

    def tables(self, text: str) -> None:
        defaults = f"{{kind: reference, key: id, source: {{schema_name: {self.name}}}}}"
        (self.folder / "tables" / "shop.yaml").write_text(f"domain: {self.name}\ndefaults: {defaults}\n{text}")

    def source(self, statement: str) -> None:
        execute(self.environ["ETL_SOURCE_POSTGRES_URL"], f"SET search_path = {self.name}; {statement}")

    def target(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        return execute(self.environ["ETL_POSTGRES_URL"], statement, values)

    def run(
        self, *arguments: str, destinations: str = "s3,postgresql", log_format: str = "json"
    ) -> tuple[int, dict[str, Any]]:
        """Exit code and report; {} where none was written."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        asked = () if "--resume" in arguments else ("--load-destinations", destinations)
        own = ("--config-dir", str(self.folder), "--report", str(report), "--log-format", log_format)
        exit_code = main([*asked, *own, *arguments], self.environ)
        return exit_code, json.loads(report.read_text()) if report.exists() else {}


class Stores:
    """The shop's tables, read back from each store by a reader of its own."""

    def __init__(self, shop: Shop, spark: SparkSession, stack: RunningStack) -> None:
        self.shop, self._spark, self._settings = shop, spark, stack.settings
        self._tables: set[str] = set()

    def configure(self, tables: dict[str, str]) -> None:
        """ClickHouse's database is shared: tables bear the shop's name there."""
        self._tables |= set(tables)
        lines = [f"  {name}: {{{entry}}}" for name, entry in tables.items()]
        self.shop.tables("\n".join(["tables:", *lines]))
        path = self.shop.folder / "tables" / "shop.yaml"
        text = path.read_text()
        shared = f'clickhouse: {{target_name: "{self.shop.name}_{{table}}"}}'
        path.write_text(text.replace("defaults: {", f"defaults: {{{shared}, ", 1))

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        return self.shop.run(*arguments, destinations=",".join(STORES))

    def rows(self, table: str, columns: str, file_format: str = "parquet") -> dict[str, list[tuple[Any, ...]]]:
        return {
            "clickhouse": sorted(
                map(tuple, self.clickhouse(f"SELECT {columns} FROM {self._named(table)} SETTINGS final = 1"))
            ),
            "postgresql": sorted(self.shop.target(f"SELECT {columns} FROM {table}")),
            "s3": sorted(map(tuple, self.lake(table, columns, file_format))),
        }

    def drop(self) -> None:
        for table in self._tables:
            self.clickhouse(f"DROP TABLE IF EXISTS {self._named(table)} SYNC")

    def lake(self, table: str, columns: str, file_format: str) -> list[Any]:
        assert self._settings.s3 is not None
        path = f"s3a://{self._settings.s3.bucket}/data-lake/{self.shop.name}/{table}"
        return self._spark.read.format(file_format).load(path).selectExpr(*columns.split(", ")).collect()

    def clickhouse(self, statement: str) -> list[list[Any]]:
        assert self._settings.clickhouse is not None
        with ClickHouseDoor(self._settings.clickhouse) as door:
            if statement.startswith("SELECT"):
                return door.query(statement)
            door.execute(statement)
        return []

    def _named(self, table: str) -> str:
        return f"{self.shop.name}_{table}"


@contextmanager
def submitted(shop: Shop, memory: str, destinations: str) -> Iterator[subprocess.Popen[str]]:
    """The job as it is used, by ./spark-submit.sh, which writes report.json into the shop's folder."""
    environment = {**os.environ, **shop.environ, "ETL_LOG_DIR": str(shop.folder / "logs")}
    options = ["--load-destinations", destinations, "--config-dir", str(shop.folder)]
    report = ["--report", str(shop.folder / "report.json"), "--log-format", "console"]
    command = ["./spark-submit.sh", "--driver-memory", memory, "jobs/run_etl.py", *options, *report]
    with subprocess.Popen(
        command, cwd=PROJECT_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process


@pytest.fixture
def shop(stack: RunningStack, spark: SparkSession, tmp_path: Path) -> Iterator[Shop]:
    with shop_on(stack, tmp_path) as shop:
        yield shop


@contextmanager
def shop_on(stack: RunningStack, folder: Path) -> Iterator[Shop]:
    name = f"shop_{secrets.token_hex(4)}"
    server = stack.postgres_url.rsplit("/", 1)[0]
    environ = {**stack.environment, "ETL_POSTGRES_URL": f"{server}/{name}"}
    (folder / "tables").mkdir()
    (folder / "etl.yaml").write_text(RUN)
    (folder / "tables" / "shop.yaml").write_text("tables: {one: {kind: reference, key: id}}\n")
    execute(stack.postgres_url, f"CREATE DATABASE {name}")
    execute(stack.source_postgres_url, f"CREATE SCHEMA {name}")
    settings = load_configuration(folder, environ).settings.ledger
    assert settings is not None
    try:
        with closing(Ledger(settings)) as ledger:
            yield Shop(name, folder, environ, ledger)
    finally:
        structlog.reset_defaults()
        execute(stack.source_postgres_url, f"DROP SCHEMA {name} CASCADE")
        drop_database(lambda statement: execute(stack.postgres_url, statement), name)


@pytest.fixture
def stores(shop: Shop, spark: SparkSession, stack: RunningStack) -> Iterator[Stores]:
    found = Stores(shop, spark, stack)
    yield found
    found.drop()


def status_of(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(load["table"], load["destination"]): load["status"] for load in report["loads"]}


def load_of(report: dict[str, Any], table: str, destination: str) -> dict[str, Any]:
    return next(one for one in report["loads"] if (one["table"], one["destination"]) == (table, destination))


def everywhere(rows: list[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    return dict.fromkeys(STORES, rows)


def counted(report: dict[str, Any], table: str, name: str) -> dict[str, Any]:
    return {store: load_of(report, table, store)[name] for store in STORES}


def execute(url: str, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig, S3Writer
from etl.config.destinations.s3.settings import S3Settings
from etl.config.settings import RunSettings, Settings
from etl.load.base import LoaderConfig
from etl.load.s3.files.manifest import read_manifest
from etl.load.s3.loader import S3Loader
from etl.load.s3.paths import TablePath
from etl.model import WriteMode
from etl.s3.store import ObjectStore, StoreAddress
from etl.spark.session import configure_s3
from etl.statements.spark_values import JSON_FORMATS
from tests.conftest import RunningStack

_OF_BOTH_LANES = {
    "test_delta.py",
    "test_identity.py",
    "test_marks.py",
    "test_modes.py",
    "test_publishing.py",
    "test_values.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Upkeep, JSON and wider types are Spark's in either lane; test_lanes.py looks at both by itself."""
    items[:] = [item for item in items if not _is_said_twice(item)]


def _is_said_twice(item: pytest.Item) -> bool:
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if parameters.get("lake") is not S3Writer.RUST or "load/s3" not in item.path.as_posix():
        return False
    return parameters.get("file_format") is S3Format.JSON or item.path.name not in _OF_BOTH_LANES


@dataclass(frozen=True)
class Lake:
    """A bucket, and the shortest way to load tables into it and to look at what stands there."""

    spark: SparkSession
    settings: S3Settings
    store: ObjectStore
    writer: S3Writer = S3Writer.AUTO

    def loader(self, run_id: str = "run-1", **of_the_run: Any) -> S3Loader:
        settings = Settings(s3=self.settings, run=RunSettings(retries=1, retry_for_seconds=0))
        return S3Loader(self.spark, LoaderConfig(settings=settings, run_id=run_id, run_number=1, **of_the_run))

    def config(self, **over: Any) -> S3TableLoadConfig:
        """A table with a path of its own; partitioned by its day where `partitioned` says so."""
        partition_by = ("partition_date",) if over.pop("partitioned", True) else ()
        fields: dict[str, Any] = {
            "table_name": "things", "path": f"tests/{uuid4().hex}", "key": ("id",), "date_column": "day",
            "mode": WriteMode.OVERWRITE, "format": S3Format.PARQUET, "partition_by": partition_by,
            "compression": "gzip", "writer": self.writer, **over,
        }  # fmt: skip
        return S3TableLoadConfig(**fields)

    def frame(self, *rows: tuple[int, str | None, str, str]) -> DataFrame:
        """(id, name, day, price)"""
        values = self.spark.createDataFrame(list(rows), "id bigint, name string, day string, price string")
        return values.selectExpr("id", "name", "cast(day as date) day", "cast(price as decimal(10,2)) price")

    def path(self, config: S3TableLoadConfig) -> TablePath:
        return TablePath.of(self.settings, config)

    def data_keys(self, config: S3TableLoadConfig) -> list[str]:
        path = self.path(config)
        return [entry.key for entry in self.store.objects(path.prefix) if path.is_data(entry.key)]

    def read(self, config: S3TableLoadConfig) -> DataFrame:
        """As any reader would, from the folder alone; JSON with the schema that the metadata keeps."""
        uri = self.path(config).uri
        if config.format is S3Format.JSON:
            manifest = read_manifest(self.store, self.path(config))
            assert manifest is not None
            schema = StructType.fromJson(json.loads(manifest.schema))
            return self.spark.read.schema(schema).options(**JSON_FORMATS).json(uri)
        return self.spark.read.format(str(config.format)).load(uri)

    def rows(self, config: S3TableLoadConfig) -> list[tuple[Any, ...]]:
        """(id, name, day as text, price as text), by id."""
        found = self.read(config).selectExpr("id", "name", "cast(day as string)", "cast(price as string)")
        return sorted((tuple(row) for row in found.collect()), key=lambda row: (row[0], repr(row)))


@pytest.fixture(scope="session", params=[S3Writer.SPARK, S3Writer.RUST])
def lake(request: pytest.FixtureRequest, stack: RunningStack, spark: SparkSession) -> Iterator[Lake]:
    """Once for each of the two lanes into the lake."""
    settings = stack.settings.s3
    assert settings is not None
    configure_s3(spark, settings)
    store = ObjectStore(StoreAddress.of(settings))
    yield Lake(spark, settings, store, request.param)

"""From a destination's name to its loader. A new destination is one line here."""

from __future__ import annotations

from typing import Any, ClassVar

from pyspark.sql import SparkSession

from etl.config.destinations.registry import parse_destination
from etl.config.settings import Settings
from etl.errors import UsageError
from etl.load.base import BaseLoader, LoaderConfig
from etl.load.clickhouse.loader import ClickHouseLoader
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.load.s3.loader import S3Loader


class LoaderFactory:
    LOADER_MAP: ClassVar[dict[str, type[BaseLoader[Any]]]] = {
        "s3": S3Loader,
        "minio": S3Loader,
        "postgresql": PostgreSQLLoader,
        "postgres": PostgreSQLLoader,
        "clickhouse": ClickHouseLoader,
        "ch": ClickHouseLoader,
    }

    @classmethod
    def get_loader(
        cls, destination: str, spark: SparkSession, config: Settings, loader_config: LoaderConfig
    ) -> BaseLoader[Any]:
        """A loader for one destination, by name or alias; refuses a destination whose server is not configured."""
        name = parse_destination(destination)
        if getattr(config, name.value) is None:
            raise UsageError(
                f"destination {name} was asked for but no server is configured; "
                "set its variables (docs/configuration.md) or its entry in etl.yaml"
            )
        return cls.LOADER_MAP[name.value](spark, loader_config)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ownlens_etl_duckdb.load_config import NAME
from ownlens_etl_duckdb.server import DuckDBSettings
from pyspark.sql import SparkSession

from etl.config.settings import Settings
from etl.testing.spark import small_session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with small_session(tmp_path_factory.mktemp("warehouse")) as session:
        yield session


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(others={NAME: DuckDBSettings(path=str(tmp_path / "warehouse.duckdb"))})

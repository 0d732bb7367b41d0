"""`etl.config check` and the loaders must not disagree on what a store can do."""

from __future__ import annotations

from typing import Any

import pytest

from etl.config.destinations.s3.load_config import S3Format
from etl.config.tables.capabilities import CLICKHOUSE_MODES, POSTGRESQL_MODES, S3_MODES
from etl.load.base import BaseLoader
from etl.load.clickhouse.loader import ClickHouseLoader
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.load.s3.loader import S3Loader
from etl.model import WriteMode

LOADERS: dict[type[BaseLoader[Any]], frozenset[WriteMode]] = {
    PostgreSQLLoader: POSTGRESQL_MODES,
    ClickHouseLoader: frozenset().union(*CLICKHOUSE_MODES.values()),
    S3Loader: frozenset().union(*S3_MODES.values()),
}


@pytest.mark.parametrize(("loader", "modes"), LOADERS.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_loader_takes_the_modes_that_the_configuration_allows(
    loader: type[BaseLoader[Any]], modes: frozenset[WriteMode]
) -> None:
    assert loader.supported_modes == modes


def test_refusing_an_existing_target_is_a_mode_of_tables_and_files() -> None:
    assert WriteMode.ERROR in POSTGRESQL_MODES
    assert all(WriteMode.ERROR in S3_MODES[format_] for format_ in S3Format)

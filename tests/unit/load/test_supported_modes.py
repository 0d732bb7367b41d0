"""`etl.config check` and the loaders must not disagree on what a store can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.registry import known_destinations
from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.config.tables.modes import MODES
from etl.load.base import BaseLoader
from etl.load.clickhouse.loader import ClickHouseLoader
from etl.load.clickhouse.modes import MODES as CLICKHOUSE_MODES
from etl.load.factory import loader_class
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.load.postgresql.modes import MODES as POSTGRESQL_MODES
from etl.load.s3.formats import lake_table
from etl.load.s3.job import Place
from etl.load.s3.loader import S3Loader
from etl.load.s3.modes import MODES as S3_MODES
from etl.model import WriteMode

_COMMON = frozenset({WriteMode.APPEND, WriteMode.OVERWRITE, WriteMode.IGNORE, WriteMode.ERROR})

LOADERS: dict[type[BaseLoader[Any]], frozenset[WriteMode]] = {
    PostgreSQLLoader: _COMMON | {WriteMode.UPSERT},
    ClickHouseLoader: frozenset({WriteMode.APPEND, WriteMode.MERGE, WriteMode.REPLACE_PARTITION}),
    S3Loader: _COMMON | {WriteMode.MERGE, WriteMode.OVERWRITE_PARTITIONS},
}


@pytest.mark.parametrize(("loader", "modes"), LOADERS.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_a_loader_takes_the_modes_that_the_configuration_allows(
    loader: type[BaseLoader[Any]], modes: frozenset[WriteMode]
) -> None:
    assert loader.supported_modes == modes
    assert known_destinations()[loader.destination].load_config.supported_modes == modes


@pytest.mark.parametrize(
    ("loader", "strategies"),
    [(PostgreSQLLoader, POSTGRESQL_MODES), (ClickHouseLoader, CLICKHOUSE_MODES), (S3Loader, S3_MODES)],
    ids=["postgresql", "clickhouse", "s3"],
)
def test_each_mode_of_a_store_has_its_strategy(
    loader: type[BaseLoader[Any]], strategies: Mapping[WriteMode, Any]
) -> None:
    assert set(strategies) == loader.supported_modes


@pytest.mark.parametrize("strategies", [POSTGRESQL_MODES, S3_MODES], ids=["postgresql", "s3"])
def test_what_asks_for_the_target_first_says_what_of_one_that_stands(strategies: Mapping[WriteMode, Any]) -> None:
    asking = {mode for mode, facts in MODES.items() if facts.only_new_targets}
    assert {mode for mode, strategy in strategies.items() if strategy.existing} == asking


def test_every_mode_has_its_facts() -> None:
    assert set(MODES) == set(WriteMode)


@pytest.mark.parametrize("format_", list(S3Format))
def test_every_format_of_the_lake_has_its_table(format_: S3Format) -> None:
    server = S3Settings(bucket="lake", endpoint="http://localhost:1")
    assert lake_table(Place.of(None, server, s3(format_))).place.config.format is format_  # type: ignore[arg-type]


def test_every_destination_has_its_loader() -> None:
    for name in known_destinations():
        assert loader_class(name).destination == name


def s3(format_: S3Format) -> S3TableLoadConfig:
    return S3TableLoadConfig(table_name="t", path="t", format=format_, mode=WriteMode.APPEND)


def clickhouse(engine: ClickHouseEngine) -> ClickHouseTableLoadConfig:
    return ClickHouseTableLoadConfig(table_name="t", target_name="t", engine=engine, mode=WriteMode.APPEND)


def test_formats_and_engines_take_what_they_can() -> None:
    for format_ in S3Format:
        assert (WriteMode.MERGE in s3(format_).modes) == (format_ is S3Format.DELTA)
    for engine in ClickHouseEngine:
        assert (WriteMode.MERGE in clickhouse(engine).modes) == (engine is ClickHouseEngine.REPLACING_MERGE_TREE)


def test_refusing_an_existing_target_is_a_mode_of_tables_and_files() -> None:
    assert WriteMode.ERROR in PostgreSQLTableLoadConfig.supported_modes
    assert all(WriteMode.ERROR in s3(format_).modes for format_ in S3Format)

"""The 79 entries of conf/tables against the contract, column by column."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import TransformConfig
from etl.model import PARTITION_DATE, Destination
from etl.project import DEFAULT_CONFIG_DIR

CONTRACT = Path(__file__).parents[2] / "contract_tables.csv"


def contract_rows() -> list[dict[str, str]]:
    with CONTRACT.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return load_configuration(DEFAULT_CONFIG_DIR, environ={})


def amounts_to(configuration: Configuration, name: str) -> dict[str, str]:
    """The configuration of one table in the contract's columns."""
    table = configuration.tables[name]
    s3 = configuration.get_table_load_config(name, Destination.S3)
    postgresql = configuration.get_table_load_config(name, Destination.POSTGRESQL)
    clickhouse = configuration.get_table_load_config(name, Destination.CLICKHOUSE)
    assert isinstance(s3, S3TableLoadConfig)
    assert isinstance(postgresql, PostgreSQLTableLoadConfig)
    assert isinstance(clickhouse, ClickHouseTableLoadConfig)
    return {
        "domain": table.domain,
        "table": table.name,
        "kind": table.kind,
        "key": " ".join(table.key),
        "extract": table.extract.mode,
        "watermark": table.extract.watermark or "",
        "date_column": table.date_column or "",
        "s3_path": s3.path,
        "s3_format": s3.format,
        "s3_mode": s3.mode,
        "s3_partitioned_by_date": "yes" if s3.partition_by == (PARTITION_DATE,) else "no",
        "postgresql_mode": postgresql.mode,
        "postgresql_conflict": postgresql.conflict_resolution,
        "clickhouse_table": clickhouse.target_name,
        "clickhouse_engine": clickhouse.engine,
        "clickhouse_mode": clickhouse.mode,
        "clickhouse_partition": " ".join(clickhouse.partition_by),
    }


def test_all_tables_amount_to_the_contract(configuration: Configuration) -> None:
    contract = {row["table"]: row for row in contract_rows()}
    assert len(contract) == 79
    assert {name: amounts_to(configuration, name) for name in configuration.tables} == contract


def test_every_destination_takes_the_key_of_the_table(configuration: Configuration) -> None:
    for table in configuration.tables.values():
        clickhouse = table.loads[Destination.CLICKHOUSE]
        assert isinstance(clickhouse, ClickHouseTableLoadConfig)
        assert (clickhouse.order_by, clickhouse.version) == (table.key, None)
        assert {load.key for load in table.loads.values()} == {table.key}
        assert {load.date_column for load in table.loads.values()} == {table.date_column}
        assert all(load.enabled for load in table.loads.values())


def test_postgresql_targets_bear_the_names_of_the_tables(configuration: Configuration) -> None:
    loads = [table.loads[Destination.POSTGRESQL] for table in configuration.tables.values()]
    targets = {load.table_name: load.target_name for load in loads if isinstance(load, PostgreSQLTableLoadConfig)}
    assert targets == {name: name for name in configuration.tables}


def test_keys_are_the_primary_keys_of_the_source(configuration: Configuration) -> None:
    keys = {name: set(table.key) for name, table in configuration.tables.items()}
    assert {name: set(definition.primary_key) for name, definition in configuration.definitions.items()} == keys


def test_entries_state_only_what_differs_from_the_defaults() -> None:
    """No entry repeats what its kind says already: strategy is written once."""
    said = ("mode:", "watermark:", "engine:", "target_name:", "conflict_resolution:", "partition_by:")
    lines = [
        (file.name, line.strip())
        for file in sorted((DEFAULT_CONFIG_DIR / "tables").glob("*.yaml"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith(("s3:", "postgresql:", "clickhouse:", "extract:"))
        and any(word in line for word in said)
    ]
    assert lines == [("editorial.yaml", "s3: {format: parquet, mode: overwrite_partitions}")]


def test_the_contract_s_tables_ask_for_trimmed_text_themselves(configuration: Configuration) -> None:
    """What a user adds beside them comes as it is."""
    assert {table.transform.trim for table in configuration.tables.values()} == {True}
    assert TransformConfig().trim is False

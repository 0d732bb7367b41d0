"""ClickHouse as a destination, in one value."""

from __future__ import annotations

from pathlib import Path

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.clickhouse.rules import (
    column_faults,
    common_faults,
    refused_columns,
    table_faults,
)
from etl.config.destinations.clickhouse.server import read_server
from etl.config.destinations.spec import DestinationSpec, Holding
from etl.model import Destination

CLICKHOUSE = DestinationSpec(
    name=Destination.CLICKHOUSE,
    load_config=ClickHouseTableLoadConfig,
    kinds=Path(__file__).with_name("kinds.yaml"),
    loader="etl.load.clickhouse.loader:ClickHouseLoader",
    read_server=read_server,
    aliases=("ch",),
    # Date32 and DateTime64; beyond them ClickHouse clamps without a word
    holds=Holding(first_day="1900-01-01", last_day="2299-12-31"),
    table_faults=table_faults,
    column_faults=column_faults,
    refused_columns=refused_columns,
    common_faults=common_faults,
    dataset=lambda server, load: server.dataset(load.target_database, load.target_name),
)

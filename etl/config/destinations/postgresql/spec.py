"""PostgreSQL as a destination, in one value."""

from __future__ import annotations

from pathlib import Path

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.postgresql.rules import (
    common_faults,
    refused_columns,
    require_one_database,
    table_faults,
)
from etl.config.destinations.postgresql.server import read_server
from etl.config.destinations.spec import DestinationSpec, Holding
from etl.model import Destination, Digest

POSTGRESQL = DestinationSpec(
    name=Destination.POSTGRESQL,
    load_config=PostgreSQLTableLoadConfig,
    kinds=Path(__file__).with_name("kinds.yaml"),
    loader="etl.load.postgresql.loader:PostgreSQLLoader",
    read_server=read_server,
    aliases=("postgres",),
    holds=Holding(first_day="-4712-01-01", last_day="+294246-12-31", takes_nul=False, has_source_types=True),
    digest=Digest.MD5,
    table_faults=table_faults,
    refused_columns=refused_columns,
    common_faults=common_faults,
    require_settings=require_one_database,
    dataset=lambda server, load: server.dataset(load.target_schema, load.target_name),
)

"""DuckDB as a destination, in one value: what the entry point names."""

from __future__ import annotations

from pathlib import Path

from etl.config.destinations.spec import DestinationSpec, Holding
from ownlens_etl_duckdb.load_config import NAME, DuckDBTableLoadConfig
from ownlens_etl_duckdb.rules import common_faults, table_faults
from ownlens_etl_duckdb.server import read_server

DUCKDB = DestinationSpec(
    name=NAME,
    load_config=DuckDBTableLoadConfig,
    kinds=Path(__file__).with_name("kinds.yaml"),
    loader="ownlens_etl_duckdb.loader:DuckDBLoader",
    read_server=read_server,
    # a text of Parquet may hold NUL; DuckDB's dates reach further than Spark's
    holds=Holding(first_day="0001-01-01", last_day="9999-12-31"),
    table_faults=table_faults,
    common_faults=common_faults,
)

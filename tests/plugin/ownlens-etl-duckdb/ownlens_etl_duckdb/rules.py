"""What DuckDB's loader refuses, said before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etl.config.destinations.collisions import same_targets
from etl.config.settings import Settings
from etl.config.tables.checks import has_key_at_the_source
from etl.config.tables.entry import Entry, Locator
from etl.errors import Fault
from etl.model import SchemaContract
from ownlens_etl_duckdb.load_config import NAME, DuckDBTableLoadConfig


def table_faults(entry: Entry, load: DuckDBTableLoadConfig, at: Locator) -> Iterator[Fault]:
    if not load.key and not has_key_at_the_source(entry.config):
        yield at("mode").fault(f"duckdb: table {entry.name} needs a key: rows are compared with those that stand")
    if load.schema_contract is SchemaContract.DISCARD_ROW:
        yield at("schema_contract").fault("duckdb.schema_contract: discard_row is not supported; use discard_value")


def common_faults(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    def target(load: DuckDBTableLoadConfig) -> tuple[str, ...]:
        return load.target_schema, load.target_name

    return same_targets(entries, NAME, target)

"""What PostgreSQL refuses as a target, said before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from etl.config.destinations.collisions import same_targets
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.settings import Settings, ledger_settings
from etl.config.tables.entry import Entry, Locator
from etl.config.tables.models import PostgreSQLSource
from etl.errors import Fault, UsageError
from etl.model import Destination
from etl.postgresql_types import COLUMNS_OF_A_LOAD, COLUMNS_OF_A_TABLE, IDENTIFIER_BYTES


def table_faults(entry: Entry, load: PostgreSQLTableLoadConfig, at: Locator) -> Iterator[Fault]:
    for key, name in (("target_name", load.target_name), ("target_schema", load.target_schema)):
        if len(name.encode()) > IDENTIFIER_BYTES:
            yield at(key).fault(f"postgresql.{key} {name!r} is longer than {IDENTIFIER_BYTES} bytes")
    definition = entry.config.definition
    if definition is None or set(load.conflict_target) == set(load.key):
        return
    unique = [definition.primary_key, *definition.unique_keys]
    if not any(set(load.conflict_target) == set(columns) for columns in unique):
        yield at("conflict_target").fault(
            f"postgresql.conflict_target ({', '.join(load.conflict_target)}) is not unique in table {entry.name}; "
            f"valid: {'; '.join(', '.join(columns) for columns in unique if columns)}"
        )


def refused_columns(load: PostgreSQLTableLoadConfig, columns: Mapping[str, str]) -> Iterator[str]:
    if len(columns) > COLUMNS_OF_A_LOAD:
        yield (
            f"postgresql takes at most {COLUMNS_OF_A_LOAD:,} columns (a table has {COLUMNS_OF_A_TABLE:,}, and the "
            f"staging table four of our own), found {len(columns):,}; drop some in transform, or write "
            "`postgresql: {enabled: false}`"
        )


def common_faults(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    def target(load: PostgreSQLTableLoadConfig) -> tuple[str, ...]:
        return load.target_schema, load.target_name

    yield from same_targets(entries, Destination.POSTGRESQL, target)
    yield from _overwritten_sources(entries, settings)


def _overwritten_sources(entries: Iterable[Entry], settings: Settings) -> Iterator[Fault]:
    """Source and target may be one server, never one table."""
    source, target = settings.source, settings.postgresql
    if source is None or target is None or source.address != target.address:
        return
    for entry in entries:
        read, load = entry.config.source, entry.config.loads[Destination.POSTGRESQL]
        if (
            not isinstance(read, PostgreSQLSource)
            or not isinstance(load, PostgreSQLTableLoadConfig)
            or not load.enabled
        ):
            continue
        if (read.schema_name, read.table) == (load.target_schema, load.target_name):
            yield entry.node.fault(
                f"table {entry.name} would be loaded into the table it is read from, "
                f"{read.schema_name}.{read.table} at {source.address}; give postgresql another target_schema"
            )


def require_one_database(settings: Settings) -> None:
    """Rows, rejects and ledger entry are one transaction: that makes a load into PostgreSQL exactly once."""
    ledger, warehouse = ledger_settings(settings), settings.postgresql
    if warehouse is not None and ledger.address != warehouse.address:
        raise UsageError(
            "expected the ledger in the database that PostgreSQL's loads go into, since both commit together; "
            f"found the ledger at {ledger.address} and the target at {warehouse.address}; leave out "
            "ETL_LEDGER_POSTGRES_URL (or `ledger` in etl.yaml), spell both alike, or load into the other destinations"
        )

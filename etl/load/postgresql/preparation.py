"""Looks at the target and decides what a load will be: agreement, staging columns, the write."""

from __future__ import annotations

from dataclasses import replace

import structlog
from pyspark.sql.types import StructType

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.settings import Settings
from etl.errors import ContentionError, EtlError
from etl.load.base import LoaderConfig
from etl.load.marks import require_marks
from etl.load.postgresql.door import transaction
from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.catalog import TargetTable, describe, lock_holders
from etl.load.postgresql.target.contract import Agreement, agree
from etl.load.postgresql.target.design import Design, design_target
from etl.load.postgresql.transfer.carriers import staged_column
from etl.load.postgresql.transfer.run_table import postgresql_of
from etl.model import Column
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import LOCK_NOT_AVAILABLE
from etl.statements.postgresql.naming import StagedColumn, Table, is_loosely_equal, staging_table
from etl.statements.postgresql.writing import Write

log = structlog.get_logger(__name__)

_DDL_LOCK_SECONDS = 5
"""While ALTER TABLE waits, everybody who comes after it waits too: give up soon, and try again."""


def find_target(settings: Settings, table: Table) -> TargetTable | None:
    with transaction(postgresql_of(settings), f"describe {table}") as cursor:
        return describe(cursor, table)


def prepare(schema: StructType, config: PostgreSQLTableLoadConfig, loader_config: LoaderConfig) -> Publication:
    """Reads the catalog only; `evolve` does what the agreement asks for."""
    design = design_target(schema, config, loader_config.definitions, loader_config.tables)
    found = find_target(loader_config.settings, design.table)
    prepared = publication_of(design, found, config, loader_config.run_id)
    require_marks(config, prepared.write.names, str(design.table))
    return replace(prepared, started_at=loader_config.started_at)


def publication_of(
    design: Design, found: TargetTable | None, config: PostgreSQLTableLoadConfig, run_id: str
) -> Publication:
    is_new = found is None
    if found is None:
        agreement = Agreement(ddl=(), target=design.as_target(), written=design.columns)
    else:
        agreement = agree(design, found, config)
        if agreement.generated:
            log.info("generated columns left out", table=config.table_name, columns=list(agreement.generated))
    return Publication(config, design, agreement, _write(design, agreement, run_id), is_new)


def evolve(publication: Publication, settings: Settings) -> None:
    """Adds and widens columns in a short transaction of its own; names who holds the table where it cannot."""
    table = publication.write.target
    try:
        with transaction(postgresql_of(settings), f"alter {table}", lock_timeout_seconds=_DDL_LOCK_SECONDS) as cursor:
            for statement in publication.agreement.ddl:
                log.info("target altered", table=publication.config.table_name, ddl=statement)
                cursor.execute(statement)
    except ContentionError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        raise _blocked(error, table, settings) from error.__cause__


def _blocked(error: EtlError, table: Table, settings: Settings) -> ContentionError:
    with transaction(postgresql_of(settings), f"find who holds {table}") as cursor:
        return ContentionError(f"{error.message}; held by {lock_holders(cursor, table)}")


def _write(design: Design, agreement: Agreement, run_id: str) -> Write:
    columns = tuple(_staged(agreement.target, column) for column in agreement.written)
    identities = {column.name: column for column in agreement.target.columns if column.identity}
    always = {name for name, column in identities.items() if column.is_always_identity}
    fixed = {name for name in design.match if not _may_be_respelled(agreement.target, name)}
    return Write(
        target=design.table,
        staging=staging_table(design.table, run_id),
        columns=columns,
        match=design.match,
        settable=tuple(c.name for c in columns if c.name not in fixed | always),
        null_safe=design.null_safe,
        overriding=any(column.name in identities for column in columns),
        extras=tuple(_extra(column) for column in agreement.unknown),
    )


def _extra(column: Column) -> StagedColumn:
    return staged_column(column, column.postgresql_type)


def _may_be_respelled(target: TargetTable, key: str) -> bool:
    """A key column that `=` finds although it is not the same (`Abc` and `abc` as citext): it takes the new value."""
    stored = target.column(key)
    return stored is not None and (bool(stored.loose_collation) or is_loosely_equal(stored.type))


def _staged(target: TargetTable, column: Column) -> StagedColumn:
    stored = target.column(column.name)
    if stored is None:
        return staged_column(column, column.postgresql_type)
    return staged_column(column, stored.type, stored.loose_collation)

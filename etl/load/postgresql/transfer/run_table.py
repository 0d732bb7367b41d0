"""The driver's side of staging: create the run's table, have the executors fill it, keep the winners' receipts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import Any

from pyspark.sql import DataFrame

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.settings import Settings
from etl.errors import ReconciliationError, UsageError
from etl.load.base import LoadFacts
from etl.load.executors import Attempt, Receipt, write_partitions
from etl.load.frames import rows_for_driver
from etl.load.postgresql.door import transaction
from etl.load.postgresql.transfer.partition import CopyConfig, copy_partition
from etl.statements.postgresql.naming import STAGING_SCHEMA, StagedColumn, Table
from etl.statements.postgresql.run_table import (
    STAGING_EXISTS,
    STAGING_TABLES,
    analyze_staging,
    comment_staging,
    copy_into,
    count_by_attempt,
    create_staging,
    delete_losers,
    drop_staging,
    lock_staging,
)
from etl.statements.postgresql.tables import create_schema
from etl.statements.postgresql.writing import Write
from etl.statements.quoting import spark_identifier
from etl.statements.spark_values import to_json

_DRIVER_ROWS = 10_000
_ON_DRIVER = Attempt(part=0, number=0)

_ROWS_PER_WRITER = 50_000
"""Below this a second connection costs more than it brings."""

_ROWS_WORTH_ANALYZING = 10_000

_SCHEMA_LOCK = 0x65746C5F73746167
"""CREATE SCHEMA IF NOT EXISTS still collides with itself in another session."""


@dataclass(frozen=True)
class Staged:
    """What the winning attempts left in the staging table."""

    receipts: tuple[Receipt, ...]

    @property
    def rows(self) -> int:
        return sum(receipt.rows for receipt in self.receipts)

    @property
    def bytes(self) -> int:
        return sum(receipt.bytes for receipt in self.receipts)


def stage_frame(
    df: DataFrame,
    columns: tuple[StagedColumn, ...],
    staging: Table,
    owner: tuple[Table, str],
    config: PostgreSQLTableLoadConfig,
    settings: Settings,
    facts: LoadFacts | None,
) -> Staged:
    """Starts from an empty table each time: whatever a former attempt left is not trusted."""
    server = postgresql_of(settings)
    with transaction(server, f"create {staging}") as cursor:
        recreate(cursor, staging, columns, owner)
    copy = CopyConfig(server, staging, columns, config.copy_format)
    return Staged(tuple(_copy_rows(_prepared(df, columns), copy, facts, settings.run.writers)))


def recreate(cursor: Any, staging: Table, columns: tuple[StagedColumn, ...], owner: tuple[Table, str]) -> None:
    """`owner` is the target and the run; a comment says it to `remove_orphans`."""
    cursor.execute("SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = %s", (STAGING_SCHEMA,))
    if not cursor.fetchone()[0]:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        cursor.execute(create_schema(STAGING_SCHEMA))
    cursor.execute(drop_staging(staging))
    cursor.execute(create_staging(staging, columns))
    cursor.execute(comment_staging(staging, *owner))


def keep_winners(cursor: Any, staging: Table, staged: Staged) -> None:
    """Deletes what losing attempts left, and lets none write any more; the rest must be what the receipts say, attempt
    by attempt."""
    cursor.execute(lock_staging(staging))
    expected = {receipt.attempt: receipt.rows for receipt in staged.receipts if receipt.rows}
    cursor.execute(count_by_attempt(staging))
    found = dict(cursor.fetchall())
    if set(found) - set(expected):
        cursor.execute(delete_losers(staging), {"winners": list(expected)})
    counted = {attempt: found.get(attempt, 0) for attempt in expected}
    if counted != expected:
        raise ReconciliationError(
            f"expected {sum(expected.values())} rows staged in {staging}, found {sum(counted.values())}; "
            "nothing was published, start the load again"
        )


def analyze(cursor: Any, write: Write, rows: int) -> None:
    """Few rows are joined fast in whatever way."""
    if rows >= _ROWS_WORTH_ANALYZING:
        cursor.execute(analyze_staging(write.staging, write.match))


def still_staged(settings: Settings, staging: Table) -> bool:
    """The transaction that publishes also drops the staging table: while it stands, nothing was published."""
    with transaction(postgresql_of(settings), f"look for {staging}") as cursor:
        cursor.execute(STAGING_EXISTS, {"schema": staging.schema, "name": staging.name})
        return bool(cursor.fetchone()[0])


def discard(settings: Settings, staging: Table) -> None:
    with transaction(postgresql_of(settings), f"drop {staging}") as cursor:
        cursor.execute(drop_staging(staging))


def drop_orphans(settings: Settings, target: Table, live_runs: frozenset[str]) -> list[str]:
    """Staging tables of this target whose run lives no more."""
    dropped = []
    with transaction(postgresql_of(settings), f"drop orphaned staging of {target}") as cursor:
        cursor.execute(STAGING_TABLES, {"schema": STAGING_SCHEMA})
        for name, comment in cursor.fetchall():
            owner = json.loads(comment) if comment else {}
            is_ours = (owner.get("schema"), owner.get("table")) == (target.schema, target.name)
            if is_ours and owner.get("run_id") not in live_runs:
                cursor.execute(drop_staging(Table(STAGING_SCHEMA, name)))
                dropped.append(f"{STAGING_SCHEMA}.{name}")
    return dropped


def describe_staging(columns: tuple[StagedColumn, ...], staging: Table, copy_format: str) -> list[str]:
    return [
        create_staging(staging, columns),
        copy_into(staging, columns, "csv" if copy_format == "csv" else "binary"),
    ]


def postgresql_of(settings: Settings) -> Any:
    if settings.postgresql is None:
        raise UsageError("expected a PostgreSQL server, found none configured; set ETL_POSTGRES_URL")
    return settings.postgresql


def _copy_rows(df: DataFrame, copy: CopyConfig, facts: LoadFacts | None, writers: int) -> list[Receipt]:
    """Most tables are small: their rows come to the driver as Arrow, which saves starting Python on executors."""
    if (rows := rows_for_driver(df, facts, _DRIVER_ROWS)) is not None:
        return [copy_partition(iter(rows.to_batches()), _ON_DRIVER, copy)]
    wanted = min(writers, ceil(facts.rows / _ROWS_PER_WRITER)) if facts else writers
    return write_partitions(df.coalesce(wanted), copy_partition, copy)


def _prepared(df: DataFrame, columns: tuple[StagedColumn, ...]) -> DataFrame:
    """Columns in order, nested values as JSON text."""
    nested = {
        column.name
        for column in columns
        if (kind := df.schema[column.name].dataType.typeName()) in ("struct", "map")
        or (kind == "array" and not column.carrier.endswith("[]"))
    }
    if not nested and df.columns == [column.name for column in columns]:
        return df
    names = {column.name: spark_identifier(column.name) for column in columns}
    return df.selectExpr(
        *(f"{to_json(value)} AS {value}" if name in nested else value for name, value in names.items())
    )

"""Orphans whose parents have come: from the reject table into their targets, all tables in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.load.base import LoaderConfig, LoadFacts
from etl.load.postgresql.door import transaction
from etl.load.postgresql.publication.group import lock_targets, publish
from etl.load.postgresql.publication.rejects import has_waiting, reject_owner
from etl.load.postgresql.publication.table import Publication
from etl.load.postgresql.target.catalog import TargetTable, describe
from etl.load.postgresql.target.contract import Agreement
from etl.load.postgresql.target.design import Design
from etl.load.postgresql.transfer.run_table import postgresql_of, recreate
from etl.model import Column, ConflictResolution, LoadResult, WriteMode
from etl.statements.postgresql.naming import StagedColumn, Table, staging_table
from etl.statements.postgresql.rejects import REJECTS_EXIST, WAITING_COLUMNS, close_replayed, stage_waiting
from etl.statements.postgresql.run_table import drop_staging
from etl.statements.postgresql.writing import Write
from etl.statements.types import spark_type_of


def replay_waiting(configs: Sequence[PostgreSQLTableLoadConfig], config: LoaderConfig) -> list[LoadResult]:
    """One result for each table that has waiting rows; rows whose parents are still missing count as rejected."""
    started = time.monotonic()
    lock_timeout_seconds = config.settings.run.lock_timeout_seconds
    with transaction(
        postgresql_of(config.settings), "replay orphans", lock_timeout_seconds=lock_timeout_seconds
    ) as cursor:
        publications = _find_publications(cursor, configs, config.run_id)
        if not publications:
            return []
        lock_targets(cursor, publications)
        staged = [_stage(cursor, publication, config.run_id) for publication in publications]
        results = list(publish(cursor, staged, config, started).results)
        for publication in staged:
            cursor.execute(close_replayed(publication.write.staging))
            cursor.execute(drop_staging(publication.write.staging))
        if config.hold_fence is not None:
            config.hold_fence(cursor)
        return results


def _find_publications(cursor: Any, configs: Sequence[PostgreSQLTableLoadConfig], run_id: str) -> list[Publication]:
    cursor.execute(REJECTS_EXIST)
    if not cursor.fetchone()[0]:
        return []
    found = []
    for config in configs:
        if not has_waiting(cursor, config.table_name):
            continue
        target = describe(cursor, Table(config.target_schema, config.target_name))
        if target is not None:
            cursor.execute(WAITING_COLUMNS, reject_owner(config.table_name))
            names = {name for (name,) in cursor.fetchall()}
            found.append(_publication(config, target, names, run_id))
    return found


def _publication(config: PostgreSQLTableLoadConfig, target: TargetTable, names: set[str], run_id: str) -> Publication:
    """Append and skip: what stands in the target by now is newer than what waits."""
    columns = [column for column in target.columns if not column.is_generated and column.name in names]
    match = config.conflict_target or config.key
    staged = tuple(StagedColumn(column.name, column.type, column.type, column.loose_collation) for column in columns)
    write = Write(
        target=target.table,
        staging=staging_table(target.table, f"{run_id}:replay"),
        columns=staged,
        match=match,
        settable=tuple(column.name for column in columns if column.name not in match),
        null_safe=config.null_safe_key,
        overriding=any(column.identity for column in columns),
    )
    written = tuple(Column(column.name, spark_type_of(column.type), column.type) for column in columns)
    insert_only = {"mode": WriteMode.APPEND, "conflict_resolution": ConflictResolution.SKIP}
    return Publication(
        config=config.model_copy(update=insert_only),
        design=Design(target.table, written, (), config.key, match, config.null_safe_key),
        agreement=Agreement(ddl=(), target=target, written=written),
        write=write,
        is_new=False,
    )


def _stage(cursor: Any, publication: Publication, run_id: str) -> Publication:
    write = publication.write
    recreate(cursor, write.staging, write.columns, (write.target, run_id))
    statement = stage_waiting(write.staging, write.target, write.columns, write.match)
    cursor.execute(statement, reject_owner(publication.config.table_name))
    return replace(publication, facts=LoadFacts(rows=cursor.rowcount), are_keys_checked=True)

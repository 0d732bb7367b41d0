"""What was staged against what stands: compared, counted and written, all within one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb

from etl.config.tables.modes import deletes_vanished, replaces_all
from etl.errors import (
    ConflictError,
    DuplicateKeyError,
    NullKeyError,
    ReconciliationError,
    SchemaMismatchError,
    ValidationError,
)
from etl.load.vanished import refuse_too_many_vanished
from etl.model import Column, ConflictResolution, Destination, LoadResult, SchemaContract, WriteMode
from ownlens_etl_duckdb.door import LOADS
from ownlens_etl_duckdb.load_config import NAME, DuckDBTableLoadConfig
from ownlens_etl_duckdb.statements import columns_ddl, duckdb_type, listed, name, same

_STAGED = "_etl_staged"


@dataclass(frozen=True)
class Publication:
    connection: duckdb.DuckDBPyConnection
    config: DuckDBTableLoadConfig
    columns: tuple[Column, ...]
    run_id: str

    def publish(self, files: Sequence[str], rows: int, result: LoadResult) -> LoadResult:
        """`result` with what became of the rows. Whatever it raises, the table is as it was."""
        columns = self._fitted()
        self._stage(files, rows)
        self._refuse_keys()
        result = self._write(columns, result)
        self._verify(columns, result)
        self._keep_proof(result)
        return result

    @property
    def target(self) -> str:
        return name(self.config.target_schema, self.config.target_name)

    def _fitted(self) -> list[str]:
        """The target is there and has a column for each of these names."""
        self._run(f"CREATE SCHEMA IF NOT EXISTS {name(self.config.target_schema)}")
        self._run(f"CREATE TABLE IF NOT EXISTS {self.target} ({columns_ddl(self.columns)})")
        stored = stored_columns(self.connection, self.config)
        for column in new_columns(self.config, self.columns, stored):
            self._run(f"ALTER TABLE {self.target} ADD COLUMN {columns_ddl([column])}")
        discards = self.config.schema_contract is SchemaContract.DISCARD_VALUE
        return [column.name for column in self.columns if column.name in stored or not discards]

    def _stage(self, files: Sequence[str], rows: int) -> None:
        """A temporary table is this connection's own and gone with it."""
        self._run(f"CREATE TEMP TABLE {_STAGED} ({columns_ddl(self.columns)})")
        if files:
            self._run(f"INSERT INTO {_STAGED} SELECT * FROM read_parquet(?)", [list(files)])
        staged = self._count(f"SELECT count(*) FROM {_STAGED}")
        if staged != rows:
            raise ReconciliationError(
                f"{self.config.table_name}: expected {rows} rows staged for DuckDB, found {staged}",
                table=self.config.table_name,
                destination=NAME,
            )

    def _refuse_keys(self) -> None:
        key, named = self.config.key, f"the key ({', '.join(self.config.key)})"
        is_null = " OR ".join(f"{name(column)} IS NULL" for column in key)
        nulls = 0 if self.config.null_safe_key else self._count(f"SELECT count(*) FROM {_STAGED} WHERE {is_null}")
        if nulls:
            raise NullKeyError(
                f"expected no NULL in {named}, found {nulls} rows; reject them, or set null_safe_key",
                table=self.config.table_name,
                destination=NAME,
            )
        twice = self._run(
            f"SELECT {listed(key)}, count(*) FROM {_STAGED} GROUP BY {listed(key)} HAVING count(*) > 1"
        ).fetchall()
        if twice:
            raise DuplicateKeyError(
                f"expected {named} once in a load, found {len(twice)} keys several times, e.g. {twice[0][:-1]} in "
                f"{twice[0][-1]} rows; deduplicate in transform",
                table=self.config.table_name,
                destination=NAME,
            )

    def _write(self, columns: list[str], result: LoadResult) -> LoadResult:
        config, match = self.config, same(self.config.key, "t", "s")
        others = [column for column in columns if column not in config.key]
        differs = f"NOT ({same(others, 't', 's')})"
        joined = f"{self.target} t JOIN {_STAGED} s ON {match}"
        is_new = f"NOT EXISTS (SELECT 1 FROM {self.target} t WHERE {match})"
        stored = self._count(f"SELECT count(*) FROM {self.target}")
        found = self._count(f"SELECT count(*) FROM {joined}")
        differing = self._count(f"SELECT count(*) FROM {joined} WHERE {differs}")
        updates = replaces_all(config) or config.conflict_resolution is ConflictResolution.UPDATE
        if differing and not updates and config.conflict_resolution is ConflictResolution.ERROR:
            sample = self._run(f"SELECT {listed(config.key, 's')} FROM {joined} WHERE {differs} LIMIT 1").fetchone()
            raise ConflictError(
                f"{config.table_name}: {differing} rows stand in {config.target_name} with other content "
                f"(conflict_resolution: error), e.g. key {sample}; nothing was written",
                table=config.table_name,
                destination=NAME,
            )
        deleted = 0
        if deletes_vanished(config):
            deleted = stored - found
            refuse_too_many_vanished(config, deleted, stored, f"duckdb {config.target_schema}.{config.target_name}")
            self._run(f"DELETE FROM {self.target} t WHERE NOT EXISTS (SELECT 1 FROM {_STAGED} s WHERE {match})")
        if differing and updates:
            values = ", ".join(f"{name(column)} = s.{name(column)}" for column in others)
            self._run(f"UPDATE {self.target} t SET {values} FROM {_STAGED} s WHERE {match} AND {differs}")
        new = f"SELECT {listed(columns, 's')} FROM {_STAGED} s WHERE {is_new}"
        self._run(f"INSERT INTO {self.target} ({listed(columns)}) {new}")
        return replace(
            result,
            rows_inserted=self._count(f"SELECT count(*) FROM {_STAGED}") - found,
            rows_updated=differing if updates else 0,
            rows_unchanged=found - differing,
            rows_skipped=0 if updates else differing,
            rows_deleted=deleted,
        )

    def _verify(self, columns: list[str], result: LoadResult) -> None:
        """Every staged row stands as it was staged, but for those that were skipped."""
        stands = f"EXISTS (SELECT 1 FROM {self.target} t WHERE {same(columns, 't', 's')})"
        absent = self._count(f"SELECT count(*) FROM {_STAGED} s WHERE NOT {stands}")
        if absent != result.rows_skipped:
            lost = absent - result.rows_skipped
            raise ValidationError(
                f"{self.config.table_name}: {lost} rows do not stand in DuckDB as they were staged",
                table=self.config.table_name,
                destination=NAME,
            )

    def _keep_proof(self, result: LoadResult) -> None:
        self._run(f"CREATE TABLE IF NOT EXISTS {LOADS} (run_id VARCHAR, table_name VARCHAR, result VARCHAR)")
        values = [self.run_id, self.config.table_name, json.dumps(asdict(result))]
        self._run(f"INSERT INTO {LOADS} VALUES (?, ?, ?)", values)

    def _run(self, statement: str, values: list[Any] | None = None) -> duckdb.DuckDBPyConnection:
        return self.connection.execute(statement, values)

    def _count(self, statement: str) -> int:
        found = self._run(statement).fetchone()
        return int(found[0]) if found else 0


def stored_columns(connection: duckdb.DuckDBPyConnection, config: DuckDBTableLoadConfig) -> dict[str, str]:
    """Name → type; empty where the target is not there."""
    found = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() "
        "AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [config.target_schema, config.target_name],
    )
    return dict(found.fetchall())


def published(connection: duckdb.DuckDBPyConnection, run_id: str, table_name: str) -> LoadResult | None:
    """What the file itself holds of this run's load of the table."""
    exists = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [LOADS]).fetchone()
    if not exists or not exists[0]:
        return None
    found = connection.execute(
        f"SELECT result FROM {LOADS} WHERE run_id = ? AND table_name = ? ORDER BY rowid DESC LIMIT 1",
        [run_id, table_name],
    ).fetchone()
    if not found:
        return None
    facts = json.loads(found[0])
    known = {"destination": Destination(facts["destination"]), "mode": WriteMode(facts["mode"])}
    return LoadResult(**{**facts, **known, "notes": tuple(facts["notes"])})


def new_columns(config: DuckDBTableLoadConfig, columns: Sequence[Column], stored: dict[str, str]) -> list[Column]:
    """What the target is to have on top; SchemaMismatchError where the contract or a type forbids it."""
    new = [column for column in columns if column.name not in stored]
    faults = [
        f"column {column.name} is {duckdb_type(column.spark_type)}, in the target {stored[column.name]}"
        for column in columns
        if column.name in stored and stored[column.name] != duckdb_type(column.spark_type)
    ]
    if config.schema_contract is SchemaContract.FREEZE:
        faults += [f"column {column.name} is not in the target (schema_contract: freeze)" for column in new]
    if faults:
        raise SchemaMismatchError(
            f"{config.table_name}: {'; '.join(faults)}; cast it in transform, or remove the target",
            table=config.table_name,
            destination=NAME,
        )
    return [] if config.schema_contract is SchemaContract.DISCARD_VALUE else new

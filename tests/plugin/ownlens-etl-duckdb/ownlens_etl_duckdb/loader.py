"""DuckDBLoader: executors stage Parquet files, the driver compares and publishes them in one transaction."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

from pyspark.sql import DataFrame

from etl.config.settings import Settings
from etl.errors import ConfigurationError, Fault, ReconciliationError, SchemaMismatchError
from etl.load.base import BaseLoader, LoadFacts, Sample
from etl.load.executors import write_partitions
from etl.load.frames import columns_of
from etl.load.numerics import facts_without, reject_misfits, settle_numerics
from etl.model import Column, Destination, LoadResult, SchemaContract, WriteMode
from etl.retrying import as_configured
from ownlens_etl_duckdb.door import door, require_folder, transaction
from ownlens_etl_duckdb.load_config import NAME, DuckDBTableLoadConfig
from ownlens_etl_duckdb.publication import Publication, new_columns, published, stored_columns
from ownlens_etl_duckdb.server import DuckDBSettings
from ownlens_etl_duckdb.staging import StagingConfig, StagingFolder, files_of, write_partition
from ownlens_etl_duckdb.statements import columns_ddl, duckdb_type, name


class DuckDBLoader(BaseLoader[DuckDBTableLoadConfig]):
    """A run that loads a table twice finds its rows there and changes nothing; a resumed one finds the proof of the
    run it continues in the file itself.
    """

    destination: ClassVar[Destination] = NAME
    supported_modes: ClassVar[frozenset[WriteMode]] = DuckDBTableLoadConfig.supported_modes

    @classmethod
    def require_server(cls, settings: Settings) -> None:
        server = settings.server(NAME)
        if isinstance(server, DuckDBSettings):
            require_folder(server.path)
            with door(server.path, "open it"):
                pass

    def load(self, df: DataFrame, config: DuckDBTableLoadConfig, facts: LoadFacts | None = None) -> LoadResult:
        _require_usable(config)
        for attempt in as_configured(self.config.settings.run, "load retried", config.table_name, NAME):
            with attempt:
                result = self._load(df, config, facts)
        return result

    def target(self, config: DuckDBTableLoadConfig) -> str:
        return f"{config.target_schema}.{config.target_name}"

    def target_exists(self, config: DuckDBTableLoadConfig) -> bool:
        with door(self._path, f"look for {self.target(config)}") as connection:
            return bool(stored_columns(connection, config))

    def sample(self, config: DuckDBTableLoadConfig, rows: int) -> Sample:
        table = name(config.target_schema, config.target_name)
        with door(self._path, f"read {self.target(config)}") as connection:
            found = connection.execute(f"SELECT * FROM {table} LIMIT {rows:d}")
            columns, first = [str(column[0]) for column in found.description], found.fetchall()
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
        return Sample(f"duckdb {self.target(config)}", count, columns, first)

    def published(self, config: DuckDBTableLoadConfig) -> LoadResult | None:
        with door(self._path, "read what was published") as connection:
            return published(connection, self.config.run_id, config.table_name)

    def plan(self, df: DataFrame, config: DuckDBTableLoadConfig) -> list[str]:
        _require_usable(config)
        columns = _columns(settle_numerics(df, config).frame, config)
        with door(self._path, f"look for {self.target(config)}") as connection:
            stored = stored_columns(connection, config)
        if not stored:
            return [f"CREATE TABLE {self.target(config)} ({columns_ddl(columns)})", f"{config.mode} by key"]
        new = new_columns(config, columns, stored)
        return [*(f"ADD COLUMN {columns_ddl([column])}" for column in new), f"{config.mode} by key"]

    def remove_orphans(self, config: DuckDBTableLoadConfig, live_runs: frozenset[str]) -> list[str]:
        return self._staging(config).remove_all_but(live_runs)

    def _load(self, df: DataFrame, config: DuckDBTableLoadConfig, facts: LoadFacts | None) -> LoadResult:
        started = time.monotonic()
        settled = settle_numerics(df, config)
        left_out = reject_misfits(df, settled, config, facts, self.config.keep_rejects)
        frame, facts = settled.frame, facts_without(facts, left_out, settled)
        columns, staging, run_id = _columns(frame, config), self._staging(config), self.config.run_id
        try:
            receipts = write_partitions(frame, write_partition, StagingConfig(str(staging.of_run(run_id))))
            rows = sum(receipt.rows for receipt in receipts)
            if facts is not None and facts.rows != rows:
                raise ReconciliationError(
                    f"{config.table_name}: expected {facts.rows} rows, staged {rows}; the frame changed in between",
                    table=config.table_name,
                    destination=NAME,
                )
            result = LoadResult(
                config.table_name,
                NAME,
                self.target(config),
                config.mode,
                rows_in=rows + left_out,
                rows_rejected=left_out,
                bytes_written=sum(receipt.bytes for receipt in receipts),
            )
            with transaction(self._path, f"load {self.target(config)}") as connection:
                publication = Publication(connection, config, columns, run_id)
                result = publication.publish(files_of(receipts), rows, result)
            return replace(result, seconds=round(time.monotonic() - started, 3))
        finally:
            staging.remove(run_id)

    def _staging(self, config: DuckDBTableLoadConfig) -> StagingFolder:
        return StagingFolder(self._path, self.target(config))

    @property
    def _path(self) -> str:
        server: Any = self.config.settings.server(NAME)
        return str(server.path)


def _columns(frame: DataFrame, config: DuckDBTableLoadConfig) -> tuple[Column, ...]:
    columns = columns_of(frame)
    faults = [f"{each.name} is {each.spark_type}" for each in columns if duckdb_type(each.spark_type) is None]
    if faults:
        raise SchemaMismatchError(
            f"{config.table_name}: DuckDB's loader has no type for {'; '.join(faults)}; cast or drop it in transform",
            table=config.table_name,
            destination=NAME,
        )
    return columns


def _require_usable(config: DuckDBTableLoadConfig) -> None:
    """The check of the configuration says the same sooner; a loader may be called alone."""
    faults = []
    if config.mode not in config.modes:
        faults.append(f"mode {config.mode}; valid: {', '.join(sorted(config.modes))}")
    if not config.key:
        faults.append("no key; rows are compared with those that stand")
    if config.schema_contract is SchemaContract.DISCARD_ROW:
        faults.append("schema_contract discard_row")
    if faults:
        raise ConfigurationError([Fault(f"{config.table_name}.duckdb", 0, fault) for fault in faults])

"""Where each contender of the night leaves its rows, and how many stand there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import stores
from bench.peers.environment import PeersEnvironment
from bench.together import source_of
from etl.config.configuration import Configuration
from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.settings import PostgreSQLSettings, Settings
from etl.config.tables.models import TableConfig
from etl.model import Destination
from etl.statements.quoting import (
    clickhouse_identifier,
    clickhouse_literal,
    postgresql_literal,
    postgresql_name,
)

_COUNT_LAKE = Path(__file__).parent / "peers" / "count_lake.py"


@dataclass(frozen=True)
class Place:
    """One table in the three stores: as the two databases take it after FROM, and as a path in the bucket."""

    postgresql: str
    clickhouse: str
    lake: str
    lake_format: str


Places = Mapping[str, Place]
Counts = Mapping[str, Mapping[str, int]]
"""Store → table → rows."""


def own_places(configuration: Configuration) -> Places:
    """Those of the main job, as conf/tables has them."""
    return {name: _own_place(configuration.settings, table) for name, table in configuration.tables.items()}


def places_in(dataset: str, formats: Mapping[str, str]) -> Places:
    """As dlt names them: a schema, a prefix, a folder."""
    return {
        table: Place(
            postgresql_name(dataset, table),
            clickhouse_identifier(f"{dataset}___{table}"),
            f"{dataset}/{table}",
            file_format,
        )
        for table, file_format in formats.items()
    }


def lake_formats(configuration: Configuration) -> dict[str, str]:
    return {name: place.lake_format for name, place in own_places(configuration).items()}


def _own_place(settings: Settings, table: TableConfig) -> Place:
    lake, postgresql, clickhouse = (
        table.loads[store] for store in (Destination.S3, Destination.POSTGRESQL, Destination.CLICKHOUSE)
    )
    assert isinstance(lake, S3TableLoadConfig) and settings.s3 is not None
    assert isinstance(postgresql, PostgreSQLTableLoadConfig) and isinstance(clickhouse, ClickHouseTableLoadConfig)
    # a key that was replaced stands twice until ClickHouse merges its parts
    final = " FINAL" if clickhouse.engine is ClickHouseEngine.REPLACING_MERGE_TREE else ""
    return Place(
        postgresql_name(postgresql.target_schema, postgresql.target_name),
        clickhouse_identifier(clickhouse.target_name) + final,
        settings.s3.folder(lake.path),
        lake.format,
    )


@dataclass(frozen=True)
class Targets:
    """`variables` name the servers and hold their passwords: they go into environments only."""

    settings: Settings
    variables: Mapping[str, str]
    peers: PeersEnvironment

    def source_counts(self, tables: Mapping[str, str]) -> Mapping[str, int]:
        """`tables`: their names as they stand after FROM."""
        return _count_postgresql(source_of(self.settings), tables)

    def counts(self, places: Places) -> Counts:
        return {
            "postgresql": _count_postgresql(
                self._warehouse, {table: place.postgresql for table, place in places.items()}
            ),
            "clickhouse": self._count_clickhouse(places),
            "s3": self._count_lake(places),
        }

    def settle(self) -> None:
        stores.tell_postgresql(self._warehouse, "CHECKPOINT")

    @property
    def _warehouse(self) -> PostgreSQLSettings:
        assert self.settings.postgresql is not None
        return self.settings.postgresql

    def _count_clickhouse(self, places: Places) -> Mapping[str, int]:
        counted = (
            f"SELECT {clickhouse_literal(table)}, count() FROM {place.clickhouse}" for table, place in places.items()
        )
        return {table: int(rows) for table, rows in stores.ask_clickhouse(self.settings, " UNION ALL ".join(counted))}

    def _count_lake(self, places: Places) -> Mapping[str, int]:
        asked = json.dumps({place.lake: place.lake_format for place in places.values()})
        counted = subprocess.run(
            [str(self.peers.python), str(_COUNT_LAKE)],
            input=asked,
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows = json.loads(counted.stdout)
        return {table: rows[place.lake] for table, place in places.items()}


def _count_postgresql(server: PostgreSQLSettings, tables: Mapping[str, str]) -> Mapping[str, int]:
    counted = (
        f"SELECT {postgresql_literal(name)} AS name, count(*) AS rows FROM {written}"
        for name, written in tables.items()
    )
    statement = f"SELECT jsonb_object_agg(name, rows) FROM ({' UNION ALL '.join(counted)}) AS counted"
    found: dict[str, int] = stores.ask_postgresql(server, statement)
    return found

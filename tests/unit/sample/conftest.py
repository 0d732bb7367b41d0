"""The sample's rows without a database: built in memory, table by table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from etl.config.tables.schema import read_schema
from etl.model import TableDefinition
from etl.sample.rows import World
from etl.sample.source import SCHEMA_DIR
from etl.sample.state import first_world, state_of
from etl.sample.tables import BUILDERS_BY_DOMAIN
from etl.sample.window import Window

SCALE = 0.004
DAYS = 5


def build_world(world: World) -> dict[str, pa.Table]:
    """Every table's new rows, as they would be copied."""
    return {
        table: pa.table(build(world.rows(table, np.arange(world.before[table], world.total(table)))))
        for builders in BUILDERS_BY_DOMAIN.values()
        for table, build in builders.items()
        if world.added[table]
    }


@pytest.fixture(scope="session")
def sample_definitions() -> Mapping[str, TableDefinition]:
    schema, faults = read_schema([SCHEMA_DIR])
    assert not faults
    return {table: definition for (_, table), definition in schema.items()}


@pytest.fixture(scope="session")
def sample_world() -> World:
    return first_world(seed=7, scale=SCALE, window=Window(date(2026, 6, 30), DAYS))


@pytest.fixture(scope="session")
def sample_tables(sample_world: World) -> Mapping[str, pa.Table]:
    return build_world(sample_world)


@pytest.fixture(scope="session")
def next_world(sample_world: World) -> World:
    return state_of(sample_world, SCALE).next_world(2)


@pytest.fixture(scope="session")
def next_tables(next_world: World, sample_tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
    return {table: rows.slice(0, 0) for table, rows in sample_tables.items()} | build_world(next_world)

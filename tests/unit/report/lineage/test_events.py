"""Every event is held against the specification; what stands in it comes from the ledger's records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from etl.config.lineage import LineageSettings, ParentRun
from etl.model import ColumnDefinition, Destination, LoadStatus, RunStatus, WriteMode
from etl.report.lineage.events import RunLineage
from etl.report.values import report_of
from tests.openlineage import Event, as_sent, require_valid
from tests.unit.config.conftest import Folder
from tests.unit.report.facts import STARTED, Finished, Record

ENVIRON = {
    "ETL_SOURCE_POSTGRES_URL": "postgresql://reader:s3cret@db.example.org:5433/media",
    "ETL_POSTGRES_URL": "postgresql://etl:s3cret@[::1]/warehouse",
    "ETL_CLICKHOUSE_URL": "https://etl:s3cret@ch.example.org/lake",
    "ETL_S3_BUCKET": "lake",
}
TABLES = """
defaults: {kind: snapshot}
tables:
  orders:
    transform:
      rename: {amount: total}
      derive: {year: year(order_date)}
      required: [total]
      allowed: {year: ["2026"]}
      rules: {positive: total >= 0}
      hash: [customer_id]
  customers:
    transform: {transformer: CustomerTransformer}
"""
STORES = {
    Destination.S3: ("s3://lake", "data-lake/shop/orders"),
    Destination.POSTGRESQL: ("postgres://[::1]:5432", "warehouse.public.orders"),
    Destination.CLICKHOUSE: ("clickhouse://ch.example.org:8443", "lake.orders"),
}
READ = (
    ColumnDefinition("order_id", "uuid"),
    ColumnDefinition("amount", "numeric(12,2)"),
    ColumnDefinition("old", "text", gone=True),
)
FAILED = replace(Record(), status="failed", error_message="StoreError: column amount is missing")


@dataclass(frozen=True)
class Broken:
    table_name: str
    destination: Destination | None
    rule: str
    rows: int


@pytest.fixture
def lineage(folder: Folder) -> RunLineage:
    report = report_of(Finished(status=RunStatus.SUCCESS), [Record()])
    return RunLineage(LineageSettings(), folder.tables(TABLES).load(ENVIRON), report)


def sent(lineage: RunLineage, *records: Record) -> list[Event]:
    events = [as_sent(event) for event in lineage.events(records)]
    for event in events:
        require_valid(event)
    assert "s3cret" not in str(events)
    return events


def ended(lineage: RunLineage, record: Record) -> Event:
    """The last event of the load."""
    return sent(lineage, record)[2]


def test_a_run_and_each_of_its_loads_start_and_complete_once(lineage: RunLineage) -> None:
    events = sent(lineage, *(replace(Record(), destination=store) for store in STORES))
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "etl"),
        *((state, f"etl.orders.{store}") for store in STORES for state in ("START", "COMPLETE")),
        ("COMPLETE", "etl"),
    ]
    assert {event["job"]["namespace"] for event in events} == {"ownlens-etl"}
    assert [event["eventTime"] for event in events[:3]] == [
        "2026-11-20T21:07:33.250000+00:00", "2026-11-20T21:07:34.250000+00:00", "2026-11-20T21:07:34.750000+00:00",
    ]  # fmt: skip
    run, *loads = dict.fromkeys(event["run"]["runId"] for event in events)
    assert len(loads) == 3
    assert all(UUID(each) for each in (run, *loads))
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in events[1:-1]} == {run}


def test_the_same_run_told_again_is_the_same_run(lineage: RunLineage) -> None:
    assert sent(lineage, Record()) == sent(lineage, Record())


@pytest.mark.parametrize("store", STORES)
def test_datasets_are_named_as_the_specification_says(lineage: RunLineage, store: Destination) -> None:
    event = ended(lineage, replace(Record(), destination=store))
    (source,), (target,) = event["inputs"], event["outputs"]
    assert (source["namespace"], source["name"]) == ("postgres://db.example.org:5433", "media.public.orders")
    assert (target["namespace"], target["name"]) == STORES[store]


@pytest.mark.parametrize(
    ("path", "namespace", "name"),
    [
        ("s3a://AKIAKEY:secret@lake/in/*.csv", "s3://lake", "in/*.csv"),
        ("hdfs://node:9000/in/day", "hdfs://node:9000", "in/day"),
        ("/data/in.csv", "file", "/data/in.csv"),
    ],
)
def test_files_are_named_by_where_they_lie(folder: Folder, path: str, namespace: str, name: str) -> None:
    source = f"{{type: file, format: csv, path: '{path}', columns: {{id: bigint}}}}"
    configuration = folder.tables(f"tables: {{orders: {{kind: reference, key: id, source: {source}}}}}").load(ENVIRON)
    run = RunLineage(LineageSettings(), configuration, report_of(Finished(), [Record()]))
    event = ended(run, replace(Record(), files_read=3))
    (source_,) = event["inputs"]
    assert (source_["namespace"], source_["name"]) == (namespace, name)
    assert source_["inputFacets"]["inputStatistics"]["fileCount"] == 3


def test_how_much_was_read_and_written(lineage: RunLineage) -> None:
    event = ended(lineage, replace(Record(), bytes_written=4096))
    assert event["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 10
    told = event["outputs"][0]["outputFacets"]["outputStatistics"]
    assert (told["rowCount"], told["size"]) == (5, 4096)


def columns(facet: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(each["name"], each.get("type")) for each in facet["fields"]]


def test_schemas_are_those_of_the_load(lineage: RunLineage) -> None:
    """Of a store whose types are its own, the names."""
    record = replace(Record(), destination=Destination.POSTGRESQL, next_columns=READ)
    event = ended(lineage, record)
    assert columns(event["inputs"][0]["facets"]["schema"]) == [("order_id", "uuid"), ("amount", "numeric(12,2)")]
    target = [("order_id", "uuid"), ("total", "numeric(12,2)"), ("year", None)]
    assert columns(event["outputs"][0]["facets"]["schema"]) == target
    lake = ended(lineage, replace(record, destination=Destination.S3))
    assert columns(lake["outputs"][0]["facets"]["schema"]) == [("order_id", None), ("total", None), ("year", None)]


def test_without_a_reading_the_schema_is_what_is_known(lineage: RunLineage) -> None:
    """The source was unchanged: nothing was read, and nothing checked."""
    event = ended(lineage, replace(Record(), status="unchanged"))
    assert ("customer_id", "bigint") in columns(event["inputs"][0]["facets"]["schema"])
    assert "dataQualityAssertions" not in event["inputs"][0]["inputFacets"]


def test_columns_lead_back_to_those_of_the_source(lineage: RunLineage) -> None:
    fields = ended(lineage, Record())["outputs"][0]["facets"]["columnLineage"]["fields"]

    def origin(name: str) -> tuple[str, str, bool]:
        ((field,),) = (each["inputFields"] for each in (fields[name],))
        (how,) = field["transformations"]
        assert (field["namespace"], field["name"]) == ("postgres://db.example.org:5433", "media.public.orders")
        return field["field"], how["subtype"], how["masking"]

    assert origin("order_id") == ("order_id", "IDENTITY", False)
    assert origin("total") == ("amount", "IDENTITY", False)
    assert origin("year") == ("order_date", "TRANSFORMATION", False)
    assert origin("customer_id") == ("customer_id", "TRANSFORMATION", True)


def test_columns_that_a_class_may_have_made_are_not_guessed(lineage: RunLineage) -> None:
    (target,) = ended(lineage, replace(Record(), table_name="customers"))["outputs"]
    assert "facets" not in target or not {"schema", "columnLineage"} & set(target["facets"])


def test_a_check_is_an_assertion_about_the_source(lineage: RunLineage) -> None:
    broken = (
        Broken("orders", None, "rule:positive", 2),
        Broken("orders", Destination.S3, "range:s3:total", 1),
        Broken("orders", Destination.CLICKHOUSE, "range:clickhouse:total", 5),
        Broken("customers", None, "required:total", 7),
    )
    event = ended(replace(lineage, broken=broken), replace(Record(), next_columns=READ))
    found = event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {
        (each["assertion"], each["name"], each["success"], each["actual"], each.get("column")) for each in found
    } == {
        ("not_null", "required:total", True, "0", "amount"),
        ("accepted_values", "allowed:year", True, "0", None),
        ("custom_sql", "rule:positive", False, "2", None),
        ("range", "range:s3:total", False, "1", "amount"),
    }
    assert {each.get("content") for each in found} == {None, "total >= 0"}


def test_a_table_that_is_replaced_is_overwritten(lineage: RunLineage) -> None:
    (target,) = ended(lineage, replace(Record(), mode=WriteMode.OVERWRITE))["outputs"]
    assert target["facets"]["lifecycleStateChange"]["lifecycleStateChange"] == "OVERWRITE"
    (kept,) = ended(lineage, replace(Record(), mode=WriteMode.OVERWRITE, status="unchanged"))["outputs"]
    assert "lifecycleStateChange" not in kept["facets"]


def test_a_load_that_failed_has_its_message_and_wrote_nothing(lineage: RunLineage) -> None:
    failed = replace(
        lineage, report=report_of(Finished(), [Record(), replace(FAILED, destination=Destination.CLICKHOUSE)])
    )
    *_, load, run = sent(failed, Record(), replace(FAILED, destination=Destination.CLICKHOUSE))
    assert (load["eventType"], run["eventType"]) == ("FAIL", "FAIL")
    assert load["run"]["facets"]["errorMessage"]["message"] == "StoreError: column amount is missing"
    assert load["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 0
    assert run["run"]["facets"]["errorMessage"]["message"] == "1 of 2 loads failed: orders into clickhouse"


def test_what_a_broken_off_run_left_behind(lineage: RunLineage) -> None:
    running, pending = (
        replace(Record(), status="running", finished_at=None),
        replace(Record(), status="pending", started_at=None),
    )
    *_, load, run = sent(replace(lineage, report=report_of(Finished(), [])), running, pending)
    assert load["eventType"] == "ABORT"
    assert load["run"]["facets"]["errorMessage"]["message"] == "the run ended before this load did"
    assert run["run"]["facets"]["errorMessage"]["message"] == "the run broke off"


def test_a_table_or_store_that_is_no_more_has_no_datasets(lineage: RunLineage) -> None:
    gone = ended(lineage, replace(Record(), table_name="gone"))
    assert not gone.get("inputs") and not gone.get("outputs")
    elsewhere = ended(lineage, replace(Record(), destination=Destination("attic")))
    assert elsewhere["inputs"] and not elsewhere.get("outputs")


def test_the_scheduler_that_started_it_and_its_interval(lineage: RunLineage) -> None:
    named = ("airflow", "dag.task")
    parent = ParentRun(namespace=named[0], name=named[1], run_id="f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11")
    asked = LineageSettings(namespace="night", parent=parent)
    run, load, *_ = sent(
        replace(lineage, lineage=asked, since=datetime(2026, 11, 1, tzinfo=UTC), until=STARTED), Record()
    )
    mother, told = run["run"]["facets"]["parent"], load["run"]["facets"]
    assert (mother["job"]["namespace"], mother["job"]["name"], mother["run"]["runId"]) == (*named, parent.run_id)
    assert (told["parent"]["job"]["namespace"], told["parent"]["job"]["name"]) == ("night", "etl")
    assert told["parent"]["root"]["run"]["runId"] == parent.run_id
    assert told["nominalTime"]["nominalStartTime"] == "2026-11-01T00:00:00+00:00"
    assert told["nominalTime"]["nominalEndTime"] == STARTED.isoformat()


def test_a_skipped_load_completes(lineage: RunLineage) -> None:
    event = ended(lineage, replace(Record(), status=LoadStatus.SKIPPED))
    assert event["eventType"] == "COMPLETE"
    assert event["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 0

"""Users of ClickHouse that may not do all: what is lacking is named, and what is asked for is enough for a load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import SecretStr
from pyspark.sql import SparkSession

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseEngine, ClickHouseTableLoadConfig
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.settings import RunSettings, Settings
from etl.doctor.findings import Status
from etl.load.base import LoaderConfig
from etl.load.clickhouse import ClickHouseLoader
from etl.model import WriteMode
from tests.conftest import RunningStack
from tests.integration.doctor.conftest import Patient

pytestmark = [pytest.mark.stack, pytest.mark.slow]

USER, PASSWORD, DATABASE = "doctor_weak", "weak-password", "doctor_rights"


@pytest.fixture
def database(stack: RunningStack) -> Iterator[ClickHouseSettings]:
    configured = stack.settings.clickhouse
    assert configured is not None
    with ClickHouseDoor(configured) as door:
        door.execute(f"CREATE DATABASE {DATABASE} ENGINE = Atomic")
        yield configured.model_copy(update={"database": DATABASE, "user": USER, "password": SecretStr(PASSWORD)})
        door.execute(f"DROP DATABASE {DATABASE} SYNC")


@contextmanager
def user(stack: RunningStack, *grants: str, readonly: str = "0") -> Iterator[None]:
    """In the server's own file of users, since the configured one may not make any."""
    file = stack.data_dir / "clickhouse" / "users.xml"
    before = file.read_text()
    root = ElementTree.fromstring(before)
    added = f"""<{USER}><password>{PASSWORD}</password><networks><ip>127.0.0.1</ip></networks><profile>{USER}</profile>
        <quota>default</quota><grants>{"".join(f"<query>{grant}</query>" for grant in grants)}</grants></{USER}>"""
    _child(root, "users").append(ElementTree.fromstring(added))
    profile = f"<{USER}><readonly>{readonly}</readonly></{USER}>"
    _child(root, "profiles").append(ElementTree.fromstring(profile))
    try:
        _write(stack, file, ElementTree.tostring(root, encoding="unicode"))
        yield
    finally:
        _write(stack, file, before)


def _child(root: ElementTree.Element, name: str) -> ElementTree.Element:
    found = root.find(name)
    assert found is not None
    return found


def _write(stack: RunningStack, file: Path, text: str) -> None:
    file.write_text(text)
    assert stack.settings.clickhouse is not None
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        door.execute("SYSTEM RELOAD CONFIG")


def examined(patient: Patient, database: ClickHouseSettings) -> dict[str, Any]:
    url = f"http://{USER}:{PASSWORD}@{database.host}:{database.port}/{DATABASE}"
    return dict(patient.findings("clickhouse", ETL_CLICKHOUSE_URL=url))


def test_what_is_granted_as_asked_for_is_enough(
    stack: RunningStack, patient: Patient, database: ClickHouseSettings, spark: SparkSession
) -> None:
    with user(stack, f"GRANT SELECT, INSERT ON {DATABASE}.*"):
        lacking = examined(patient, database)["clickhouse.privileges"]
    assert lacking.status is Status.FAILED
    assert "CREATE TABLE" in lacking.found
    assert "INSERT," not in lacking.found
    assert lacking.next_step.startswith("GRANT ALTER TABLE, ")
    asked_for = [each.partition(" TO ")[0] for each in lacking.next_step.split("; ")]
    with user(stack, f"GRANT SELECT, INSERT ON {DATABASE}.*", *asked_for):
        found = examined(patient, database)
        assert {each.status for each in found.values()} <= {Status.OK, Status.NOT_ASKED, Status.WARNING}
        assert found["clickhouse.privileges"].status is Status.OK
        load_all_ways(spark, database)


def load_all_ways(spark: SparkSession, database: ClickHouseSettings) -> None:
    """Into a new table, into one that stands, and so that an aggregate of the product follows."""
    columns = "id int, prediction_date date, churn_band string, churn_probability double, has_churned boolean"
    config = ClickHouseTableLoadConfig(
        table_name="customer_churn_predictions",
        target_name="customer_churn_predictions",
        key=("id", "prediction_date"),
        order_by=("id", "prediction_date"),
        partition_by=("toYYYYMM(prediction_date)",),
        date_column="prediction_date",
        engine=ClickHouseEngine.REPLACING_MERGE_TREE,
        mode=WriteMode.MERGE,
    )
    for run, (band, mode) in enumerate([("low", WriteMode.MERGE), ("high", WriteMode.MERGE), ("low", None)], 1):
        settings = Settings(clickhouse=database, run=RunSettings(retries=0, retry_for_seconds=0, writers=1))
        loader = ClickHouseLoader(spark, LoaderConfig(settings, f"run-{run}", run))
        frame = spark.sql("SELECT 1, DATE'2026-01-01', 'x', 0.5D, false").toDF(
            *[c.split()[0] for c in columns.split(", ")]
        )
        frame = frame.selectExpr("id", "prediction_date", f"'{band}' churn_band", "churn_probability", "has_churned")
        result = loader.load(frame, config) if mode else loader.replace_partition(frame, config)
        assert (result.rows_inserted, result.rows_updated) == ((1, 0) if run == 1 else (0, 1))
        assert loader.remove_orphans(config, frozenset()) == []
    with ClickHouseDoor(database) as door:
        assert door.query("SELECT churn_band, readers FROM agg_churn_bands") == [["low", 1]]


def test_a_profile_that_is_read_only(stack: RunningStack, patient: Patient, database: ClickHouseSettings) -> None:
    everything = f"GRANT ALL ON {DATABASE}.*"
    with user(stack, everything, readonly="2"):
        found = examined(patient, database)["clickhouse.writable"]
    assert (found.status, found.next_step) == (Status.FAILED, "give the user a profile without readonly")
    with user(stack, everything, readonly="1"):
        found = examined(patient, database)["clickhouse.connection"]
    assert found.status is Status.FAILED
    assert found.next_step.startswith("give the user a profile without readonly")

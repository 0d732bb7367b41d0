"""What the doctor asks for is enough: a role with just that reads the source, keeps the ledger, and loads."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr
from pyspark.sql import SparkSession

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.settings import PostgreSQLSettings, RunSettings, Settings
from etl.doctor.findings import Finding, Status
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.ledger import Ledger
from etl.load.base import LoaderConfig
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.model import RunStatus, SchemaContract, WriteMode
from tests.databases import Execute
from tests.integration.doctor.conftest import Patient, Role, url_of
from tests.integration.ledger.conftest import start_run

pytestmark = pytest.mark.stack


def as_role(server: PostgreSQLSettings, role: Role) -> PostgreSQLSettings:
    return server.model_copy(update={"user": role.name, "password": SecretStr(role.password)})


def mended(patient: Patient, execute: Execute, subject: str, **environ: str) -> dict[str, Finding]:
    """Does what the findings say, and asks again."""
    for each in patient.findings(subject, **environ).values():
        if each.status is Status.FAILED:
            execute(each.next_step)
    found = patient.findings(subject, **environ)
    assert {each.status for each in found.values()} <= {Status.OK, Status.NOT_ASKED}
    return found


def test_for_the_source(patient: Patient, role: Role) -> None:
    patient.source("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    server = as_role(patient.source_server, role)
    mended(patient, patient.source, "source", ETL_SOURCE_POSTGRES_URL=url_of(server))
    with SourceSnapshot(server) as snapshot:
        assert len(snapshot.catalog([("public", "items"), ("public", "visits")])) == 2


def test_for_the_ledger(patient: Patient, role: Role) -> None:
    server = as_role(patient.warehouse_server, role)
    environ = {"ETL_POSTGRES_URL": url_of(server)}
    mended(patient, patient.warehouse, "ledger", **environ)
    with closing(Ledger(server)) as ledger:
        assert ledger.migrate()
    again = mended(patient, patient.warehouse, "ledger", **environ)
    assert again["ledger.migrations"].found.startswith("all ")


def test_for_a_ledger_that_somebody_else_has_made(patient: Patient, role: Role) -> None:
    with closing(Ledger(patient.warehouse_server)) as ledger:
        ledger.migrate()
    server = as_role(patient.warehouse_server, role)
    environ = {"ETL_POSTGRES_URL": url_of(server)}
    # what may not be seen is granted first
    while wrong := [each for each in patient.findings("ledger", **environ).values() if each.status is Status.FAILED]:
        patient.warehouse(wrong[-1].next_step)
    with closing(Ledger(server)) as ledger:
        run = start_run(ledger)
        assert ledger.heartbeat(run.run_id)
        assert ledger.finish_run(run.run_id, RunStatus.SUCCESS)


@pytest.mark.slow
def test_for_loads(patient: Patient, role: Role, spark: SparkSession) -> None:
    patient.warehouse("CREATE TABLE items (id int PRIMARY KEY, name text)")
    tables = "{items: {kind: reference, key: id, postgresql: {mode: upsert, schema_contract: freeze}}}"
    (patient.folder / "tables" / "all.yaml").write_text(f"tables: {tables}\n")
    server = as_role(patient.warehouse_server, role)
    environ = {"ETL_POSTGRES_URL": url_of(server)}
    mended(patient, patient.warehouse, "postgresql", **environ)
    mended(patient, patient.warehouse, "ledger", **environ)
    with closing(Ledger(server)) as ledger:
        ledger.migrate()
    patient.warehouse(f'GRANT CREATE ON SCHEMA public TO "{role.name}"')  # for a table that the entry does not have
    settings = Settings(postgresql=server, ledger=server, run=RunSettings(retries=0, retry_for_seconds=0))
    for run, (name, mode) in enumerate([("items", WriteMode.UPSERT), ("fresh", WriteMode.OVERWRITE)] * 2):
        loader = PostgreSQLLoader(spark, LoaderConfig(settings, f"run-{run}", run + 1))
        result = loader.load(spark.createDataFrame([(1, f"run {run}")], "id int, name string"), config(name, mode))
        assert result.rows_inserted + result.rows_updated == 1
        assert loader.remove_orphans(config(name, mode), frozenset()) == []


def config(name: str, mode: WriteMode) -> PostgreSQLTableLoadConfig:
    fields: dict[str, Any] = {"table_name": name, "target_name": name, "key": ("id",), "conflict_target": ("id",)}
    return PostgreSQLTableLoadConfig(**fields, mode=mode, schema_contract=SchemaContract.FREEZE)

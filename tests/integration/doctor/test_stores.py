"""Defects of ClickHouse and of the object store, really made."""

from __future__ import annotations

import time

import pytest

from etl.doctor.findings import Status
from etl.s3.store import ObjectStore, StoreAddress, client_of
from etl.stack.ports import free_port
from tests.conftest import RunningStack
from tests.integration.doctor.conftest import PREFIX, Patient

pytestmark = pytest.mark.stack

A_DAY = 86_400


@pytest.mark.parametrize(("subject", "variable"), [("clickhouse", "ETL_CLICKHOUSE_URL"), ("s3", "ETL_S3_ENDPOINT")])
def test_a_port_that_nobody_listens_at(patient: Patient, subject: str, variable: str) -> None:
    url = patient.environ[variable]
    port = url.rpartition(":")[2].partition("/")[0]
    found = patient.failed(subject, **{variable: url.replace(port, str(free_port(39300, taken=set())))})
    assert found.id == f"{subject}.connection"
    assert "up?" in found.next_step
    assert variable in found.next_step


def test_a_wrong_password_of_clickhouse(patient: Patient) -> None:
    url = patient.environ["ETL_CLICKHOUSE_URL"]
    password = url.partition("@")[0].rpartition(":")[2]
    found = patient.failed("clickhouse", ETL_CLICKHOUSE_URL=url.replace(password, "mistaken"))
    assert found.id == "clickhouse.connection"
    assert found.next_step.startswith("check user and password in ETL_CLICKHOUSE_URL")
    assert "mistaken" not in f"{found}"


def test_a_database_of_clickhouse_that_is_not_there(patient: Patient) -> None:
    url = patient.environ["ETL_CLICKHOUSE_URL"]
    found = patient.failed("clickhouse", ETL_CLICKHOUSE_URL=url.rpartition("/")[0] + "/nowhere")
    assert (found.id, found.next_step) == ("clickhouse.database", "CREATE DATABASE `nowhere` ENGINE = Atomic")


def test_a_bucket_that_is_not_there(patient: Patient) -> None:
    found = patient.failed("s3", ETL_S3_BUCKET="nowhere")
    assert found.id == "s3.connection"
    assert found.next_step.startswith("create the bucket or correct ETL_S3_BUCKET")


def test_a_wrong_key(patient: Patient) -> None:
    found = patient.failed("s3", AWS_SECRET_ACCESS_KEY="mistaken")
    assert found.id == "s3.connection"
    assert found.next_step.startswith("check AWS_SECRET_ACCESS_KEY")


def test_uploads_that_were_begun_and_never_ended(stack: RunningStack, patient: Patient) -> None:
    assert stack.settings.s3 is not None
    address = StoreAddress.of(stack.settings.s3)
    key = f"{PREFIX}/things/left.parquet"
    begun = client_of(address).create_multipart_upload(Bucket=address.bucket, Key=key)
    try:
        assert patient.findings("s3")["s3.uploads"].status is Status.OK
        found = patient.findings("s3", clock=lambda: time.time() + 2 * A_DAY)["s3.uploads"]
    finally:
        ObjectStore(address).abort([(key, begun["UploadId"])])
    assert found.status is Status.WARNING
    assert key in found.found
    assert "lifecycle rule" in found.next_step


def test_conditional_writes_matter_to_delta_alone(patient: Patient) -> None:
    assert "is honoured" in patient.findings("s3")["s3.conditional_put"].found
    tables = "{items: {kind: reference, key: id, s3: {format: parquet}}}"
    (patient.folder / "tables" / "all.yaml").write_text(f"tables: {tables}\n")
    assert patient.findings("s3")["s3.conditional_put"].status is Status.NOT_ASKED

"""A real PgBouncer before the source, in each of its modes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from etl.doctor.findings import Finding, Status
from etl.postgresql.connection import connect
from tests.integration.doctor.conftest import Patient, url_of
from tests.pgbouncer import pgbouncer

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    return folder


def through(patient: Patient, folder: Path, **options: str) -> dict[str, Finding]:
    with pgbouncer(patient.source_server, folder, **options) as pooled:
        return patient.findings("source", ETL_SOURCE_POSTGRES_URL=url_of(pooled))


@pytest.mark.parametrize("round_robin", ["0", "1"])
def test_transaction_mode_will_do(patient: Patient, folder: Path, round_robin: str) -> None:
    found = through(patient, folder, pool_mode="transaction", server_round_robin=round_robin)
    assert {each.status for each in found.values()} <= {Status.OK, Status.NOT_ASKED}
    assert "in transaction mode" in found["source.pooler"].found


def test_transaction_mode_is_told_where_the_pool_has_many_servers(patient: Patient, folder: Path) -> None:
    options = {"pool_mode": "transaction", "min_pool_size": "4", "default_pool_size": "8"}
    assert "in transaction mode" in through(patient, folder, **options)["source.pooler"].found


def test_session_mode_costs_a_connection_each(patient: Patient, folder: Path) -> None:
    found = through(patient, folder, pool_mode="session")["source.pooler"]
    assert (found.status, "in session mode" in found.found) == (Status.WARNING, True)
    assert "default_pool_size" in found.next_step


def test_session_mode_with_no_connection_left(patient: Patient, folder: Path) -> None:
    found = through(patient, folder, pool_mode="session", default_pool_size="1")["source.pooler"]
    assert found.status is Status.FAILED
    assert "no server connection for a second session" in found.found
    assert "default_pool_size" in found.next_step


def test_statement_mode_allows_no_transaction(patient: Patient, folder: Path) -> None:
    found = through(patient, folder, pool_mode="statement")["source.pooler"]
    assert (found.status, "in statement mode" in found.found) == (Status.FAILED, True)
    assert found.next_step == "pool_mode = transaction in pgbouncer.ini"


def test_no_session_of_ours_stays(patient: Patient, folder: Path) -> None:
    through(patient, folder, pool_mode="transaction")
    with closing(connect(patient.source_server)) as held, held.cursor() as cursor:
        cursor.execute("SELECT count(*) AS left FROM pg_stat_activity WHERE application_name LIKE '%% doctor'")
        assert cursor.fetchone()["left"] == 0

"""Each defect of a PostgreSQL really made: what is found, and that the next step mends it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from etl.doctor.findings import Status
from etl.ledger.migrations import read_migrations
from etl.stack.ports import free_port
from tests.conftest import RunningStack
from tests.integration.doctor.conftest import Patient, Role, url_of
from tests.integration.load.certificates import issue_certificate
from tests.integration.load.postgresql.tls_proxy import tls_proxy

pytestmark = pytest.mark.stack


def test_a_port_that_nobody_listens_at(patient: Patient) -> None:
    closed = patient.source_server.model_copy(update={"port": free_port(39200, taken=set())})
    found = patient.findings("source", ETL_SOURCE_POSTGRES_URL=url_of(closed))
    first, *others = found.values()
    assert (first.id, first.status) == ("source.connection", Status.FAILED)
    assert f":{closed.port}" in first.found
    assert first.next_step == "check that the server is up and can be reached (ETL_SOURCE_POSTGRES_URL)"
    assert {(each.status, each.found) for each in others} == {(Status.NOT_ASKED, "connection has failed")}


def test_a_wrong_password_is_told_without_it(patient: Patient) -> None:
    found = patient.failed("source", ETL_SOURCE_POSTGRES_URL=url_of(patient.source_server, password="mistaken"))
    assert found.id == "source.connection"
    assert "authentication failed" in found.found
    assert found.next_step.startswith("check the user, password and database of this URL")
    assert "mistaken" not in f"{found}"


def test_a_database_that_is_not_there(patient: Patient) -> None:
    gone = patient.source_server.model_copy(update={"database": "nowhere"})
    found = patient.failed("source", ETL_SOURCE_POSTGRES_URL=url_of(gone))
    assert found.id == "source.connection"
    assert 'database "nowhere" does not exist' in found.found


def test_a_source_that_the_role_may_not_read(patient: Patient, role: Role) -> None:
    patient.source("CREATE SCHEMA shop; ALTER TABLE items SET SCHEMA shop; REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    tables = "{items: {kind: reference, key: id, source: {schema_name: shop}}, visits: {kind: reference, key: id}}"
    (patient.folder / "tables" / "all.yaml").write_text(f"tables: {tables}\n")
    url = url_of(patient.source_server, role.name, role.password)
    found = patient.failed("source", ETL_SOURCE_POSTGRES_URL=url)
    assert found.id == "source.privileges"
    assert "USAGE on schema shop, USAGE on schema public, SELECT on shop.items, public.visits" in found.found
    assert f'GRANT SELECT ON "public"."visits" TO "{role.name}";' in found.next_step
    patient.source(found.next_step)
    again = patient.findings("source", ETL_SOURCE_POSTGRES_URL=url)
    assert {each.status for each in again.values()} <= {Status.OK, Status.NOT_ASKED}


def test_a_table_that_is_not_there(patient: Patient) -> None:
    patient.source("DROP TABLE items")
    found = patient.failed("source")
    assert (found.id, found.found) == ("source.tables", "no public.items")


def test_policies_that_hide_rows(patient: Patient, role: Role) -> None:
    patient.source(
        f"ALTER TABLE items ENABLE ROW LEVEL SECURITY; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role.name}"
    )
    url = url_of(patient.source_server, role.name, role.password)
    found = patient.failed("source", ETL_SOURCE_POSTGRES_URL=url)
    assert found.id == "source.row_security"
    assert "public.items" in found.found
    assert f'ALTER ROLE "{role.name}" BYPASSRLS' in found.next_step
    tables = "{items: {kind: reference, key: id, source: {row_security: filter}}, visits: {kind: reference, key: id}}"
    (patient.folder / "tables" / "all.yaml").write_text(f"tables: {tables}\n")
    assert patient.findings("source", ETL_SOURCE_POSTGRES_URL=url)["source.row_security"].status is Status.OK


def test_times_without_a_zone_in_a_server_that_is_not_in_utc(patient: Patient) -> None:
    patient.source(f"ALTER DATABASE {patient.source_server.database} SET timezone = 'Europe/Berlin'")
    assert patient.findings("source")["source.time_zone"].status is Status.OK
    patient.source("ALTER TABLE visits ADD seen timestamp")
    found = patient.findings("source")["source.time_zone"]
    assert found.status is Status.WARNING
    assert "Europe/Berlin" in found.found
    assert "public.visits" in found.found
    assert "timestamptz" in found.next_step


def test_a_target_that_the_role_may_not_write(patient: Patient, role: Role) -> None:
    patient.warehouse("CREATE TABLE items (id int PRIMARY KEY)")
    url = url_of(patient.warehouse_server, role.name, role.password)
    found = patient.findings("postgresql", "ledger", ETL_POSTGRES_URL=url)
    wrong = {each.id: each for each in found.values() if each.status is Status.FAILED}
    assert set(wrong) == {"postgresql.schemas", "postgresql.privileges", "ledger.privileges"}
    assert "schema etl_staging" in wrong["postgresql.schemas"].found
    assert wrong["postgresql.privileges"].next_step == (
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."items" TO "{role.name}";'
    )
    for each in wrong.values():
        patient.warehouse(each.next_step)
    again = patient.findings("postgresql", "ledger", ETL_POSTGRES_URL=url)
    [left] = [each for each in again.values() if each.status not in (Status.OK, Status.NOT_ASKED)]
    assert (left.id, left.status) == ("postgresql.privileges", Status.WARNING)
    assert left.next_step == f'ALTER TABLE "public"."items" OWNER TO "{role.name}";'


def test_a_role_whose_transactions_are_read_only(patient: Patient, role: Role) -> None:
    patient.warehouse(
        f"ALTER ROLE {role.name} SET default_transaction_read_only = on; "
        f"GRANT CREATE ON DATABASE {patient.warehouse_server.database} TO {role.name}; "
        f"GRANT CREATE ON SCHEMA public TO {role.name}"
    )
    url = url_of(patient.warehouse_server, role.name, role.password)
    found = patient.failed("postgresql", ETL_POSTGRES_URL=url)
    assert found.id == "postgresql.writable"
    assert "read-only" in found.found
    patient.warehouse(found.next_step.partition(";")[0])
    assert patient.findings("postgresql", ETL_POSTGRES_URL=url)["postgresql.writable"].status is Status.OK


def test_more_connections_than_the_role_may_have(patient: Patient, role: Role) -> None:
    patient.source(f"ALTER ROLE {role.name} CONNECTION LIMIT 3; GRANT SELECT ON items, visits TO {role.name}")
    url = url_of(patient.source_server, role.name, role.password)
    found = patient.findings("source", ETL_SOURCE_POSTGRES_URL=url)["source.connections"]
    assert (found.status, found.found.partition(" of ")[0]) == (Status.WARNING, "3 free")
    assert "run.parallelism" in found.next_step


def test_a_ledger_of_another_version(patient: Patient) -> None:
    newest = read_migrations()[-1].name
    assert "the first run makes them" in patient.findings("ledger")["ledger.migrations"].found
    patient.warehouse(
        "CREATE SCHEMA etl; CREATE TABLE etl.migrations (name text, sha256 text);"
        + "".join(
            f"INSERT INTO etl.migrations VALUES ('{each.name}', '{each.sha256}');" for each in read_migrations()[:-1]
        )
    )
    behind = patient.findings("ledger")["ledger.migrations"]
    assert (behind.status, behind.found) == (Status.OK, f"{newest} to be applied, which the next run does")
    patient.warehouse("INSERT INTO etl.migrations VALUES ('9999_from_tomorrow', '')")
    ahead = patient.failed("ledger")
    assert ahead.id == "ledger.migrations"
    assert "9999_from_tomorrow" in ahead.found
    assert ahead.next_step == "use the version that applied them, or a newer one"


def test_tools_that_are_asked_for_and_not_installed(patient: Patient) -> None:
    own = {"ETL_STAGING_POSTGRES_URL": url_of(patient.warehouse_server), "ETL_ORCHESTRATOR_POSTGRES_URL": ""}
    found = patient.findings("staging", "orchestrator", **own)
    assert found["staging.migrations"].status is Status.WARNING
    assert found["staging.migrations"].next_step.endswith("etl staging init")
    assert found["orchestrator.migrations"].status is Status.NOT_ASKED
    assert found["orchestrator.migrations"].next_step.endswith("etl orchestrator migrate, where it is to be used")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, Status.OK), (60, Status.WARNING), (-60, Status.WARNING), (1_000, Status.FAILED)]
)
def test_clocks_that_differ(patient: Patient, seconds: float, expected: Status) -> None:
    found = patient.findings("source", "clickhouse", "s3", clock=lambda: time.time() + seconds)
    for subject in ("source", "clickhouse", "s3"):
        assert found[f"{subject}.clock"].status is expected, found[f"{subject}.clock"]
        assert ("NTP" in found[f"{subject}.clock"].next_step) == bool(seconds)


def test_passwords_in_the_clear_off_loopback(stack: RunningStack, patient: Patient) -> None:
    """Linux takes 0.0.0.0 for this machine; nothing else does."""
    address = {"ETL_SOURCE_POSTGRES_URL", "ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT"}
    outside = {name: patient.environ[name].replace("127.0.0.1", "0.0.0.0") for name in address}
    outside["ETL_SOURCE_POSTGRES_URL"] += "?sslmode=prefer"
    found = patient.findings("source", "clickhouse", "s3", **outside)
    for subject in ("source", "clickhouse", "s3"):
        tls = found[f"{subject}.tls"]
        assert (tls.status, "in the clear" in tls.found) == (Status.WARNING, True), tls
    assert "sslmode=verify-full" in found["source.tls"].next_step


def test_tls_that_is_asked_for_and_not_there(patient: Patient) -> None:
    found = patient.failed("source", ETL_SOURCE_POSTGRES_URL=f"{url_of(patient.source_server)}?sslmode=require")
    assert found.id == "source.connection"
    assert "does not support SSL" in found.found
    assert found.next_step.startswith("switch TLS on at the server (ssl = on), or ask for less of it (sslmode)")


def test_a_certificate_of_an_unknown_authority(patient: Patient, tmp_path: Path) -> None:
    certificate, other = issue_certificate(tmp_path / "known"), issue_certificate(tmp_path / "other")
    with tls_proxy(patient.source_server.host, patient.source_server.port, certificate) as proxy:
        url = url_of(patient.source_server.model_copy(update={"port": proxy.port})) + "?sslmode=verify-full"
        environ = {"ETL_SOURCE_POSTGRES_URL": url}
        found = patient.failed("source", ETL_SOURCE_POSTGRES_CA_FILE=str(other.authority), **environ)
        known = patient.findings("source", ETL_SOURCE_POSTGRES_CA_FILE=str(certificate.authority), **environ)
    assert found.id == "source.connection"
    assert "certificate verify failed" in found.found
    assert found.next_step.startswith("name the authority that signed the server's certificate (ca_file)")
    assert known["source.tls"].found == "encrypted"


def test_a_target_in_the_database_of_the_source(patient: Patient) -> None:
    """It is read and written by one role; what is asked of a target is asked all the same."""
    (patient.folder / "tables" / "all.yaml").write_text(
        "tables: {items: {kind: reference, key: id, postgresql: {target_schema: copies}}}\n"
    )
    found = patient.findings("source", "postgresql", "ledger", ETL_POSTGRES_URL=url_of(patient.source_server))
    assert {each.status for each in found.values()} <= {Status.OK, Status.NOT_ASKED}
    assert found["postgresql.writable"].status is Status.OK
    assert "copies" in found["postgresql.schemas"].found
    assert found["ledger.connection"].found == "the server of postgresql"
    assert "source.writable" not in found

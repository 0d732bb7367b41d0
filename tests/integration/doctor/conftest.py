"""A configuration of two tables over real servers, with an empty warehouse and a source of two empty tables."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from etl.config.configuration import load_configuration
from etl.config.servers import secrets_of
from etl.config.settings import PostgreSQLSettings
from etl.doctor.asked import Asked
from etl.doctor.examination import Clock, examine
from etl.doctor.findings import Finding, Status
from etl.doctor.subjects import subjects
from etl.model import Destination
from tests.conftest import RunningStack
from tests.databases import Execute, database_of_its_own, statements_of

PREFIX = "doctor-tests"


@dataclass(frozen=True)
class Patient:
    """`source` and `warehouse` run statements there as an administrator."""

    folder: Path
    environ: dict[str, str]
    source_server: PostgreSQLSettings
    warehouse_server: PostgreSQLSettings
    source: Execute
    warehouse: Execute

    def findings(
        self, *names: str, destinations: Sequence[str] = (), clock: Clock = time.time, **environ: str
    ) -> dict[str, Finding]:
        """By their ids; of these subjects, or of all. `environ` is laid upon the patient's own."""
        configuration = load_configuration(self.folder, {**self.environ, **environ})
        asked = Asked(configuration, [Destination(each) for each in destinations], {**os.environ, **environ}, clock)
        chosen = [each for each in subjects(asked) if each.name in names or not names]
        return {each.id: each for each in examine(chosen, secrets_of(configuration.settings))}

    def failed(self, *names: str, **options: str) -> Finding:
        """The one that has failed, of these subjects."""
        found = [each for each in self.findings(*names, **options).values() if each.status is Status.FAILED]
        assert len(found) == 1, found
        return found[0]


def url_of(server: PostgreSQLSettings, user: str | None = None, password: str | None = None) -> str:
    secret = quote(password or server.password.get_secret_value(), safe="")
    return f"postgresql://{user or server.user}:{secret}@{server.host}:{server.port}/{server.database}"


EMPTY = """
DO $$ BEGIN EXECUTE (
    SELECT string_agg(format('DROP SCHEMA %I CASCADE', nspname), '; ')
    FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
); END $$;
CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$;
"""

Place = tuple[PostgreSQLSettings, Execute]
"""A database, and an administrator in it."""


@pytest.fixture(scope="session")
def databases(stack: RunningStack) -> Iterator[tuple[Place, Place]]:
    """Source and warehouse of these tests; to make them takes longer than most tests."""
    with (
        database_of_its_own(stack.settings.source, "doctor_source") as source,
        database_of_its_own(stack.settings.postgresql, "doctor_warehouse") as warehouse,
        statements_of(source) as in_source,
        statements_of(warehouse) as in_warehouse,
    ):
        yield (source, in_source), (warehouse, in_warehouse)


@pytest.fixture
def patient(stack: RunningStack, databases: tuple[Place, Place], tmp_path: Path) -> Patient:
    (tmp_path / "tables").mkdir()
    tables = "{items: {kind: reference, key: id}, visits: {kind: event, key: id, date_column: at}}"
    (tmp_path / "tables" / "all.yaml").write_text(f"tables: {tables}\n")
    (tmp_path / "etl.yaml").write_text(f"s3: {{bucket: unused, prefix: {PREFIX}}}\n")
    (source, in_source), (warehouse, in_warehouse) = databases
    in_source(
        f"{EMPTY} CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE visits (id int PRIMARY KEY, at timestamptz)"
    )
    in_warehouse(EMPTY)
    urls = {"ETL_SOURCE_POSTGRES_URL": url_of(source), "ETL_POSTGRES_URL": url_of(warehouse)}
    return Patient(tmp_path, {**stack.environment, **urls}, source, warehouse, in_source, in_warehouse)


@dataclass(frozen=True)
class Role:
    """A user without any right of its own, beyond what everybody may."""

    name: str
    password: str


@pytest.fixture
def role(patient: Patient) -> Iterator[Role]:
    made = Role(f"doctor_{secrets.token_hex(4)}", secrets.token_hex(8))
    patient.source(f"CREATE ROLE {made.name} LOGIN PASSWORD '{made.password}'")
    yield made
    for execute in (patient.source, patient.warehouse):
        execute(f"GRANT {made.name} TO CURRENT_USER; DROP OWNED BY {made.name}")
    patient.source(f"DROP ROLE {made.name}")

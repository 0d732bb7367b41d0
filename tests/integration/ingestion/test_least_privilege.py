"""A role with exactly the rights that `uploader init` prints."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from etl.errors import UsageError
from etl.ingestion.command.commands import retry_failed_files, show_status
from etl.ingestion.database.settings import Dsn
from etl.ingestion.model import BadRows, FileStatus, Mode, UploadReport
from etl.ingestion.upload.manifest import alerts_sql, statement
from etl.ingestion.uploader import async_upsert
from etl.statements.uploader.grants import Places, grant_statements
from tests.integration.ingestion.conftest import Uploads, told

pytestmark = pytest.mark.stack

TABLE = "other.t"


@dataclass(frozen=True)
class Loader:
    """The role, and the database that its owner sees."""

    uploads: Uploads
    name: str
    dsn: Dsn

    def load(self, *files: Path, **options: Any) -> UploadReport:
        return asyncio.run(async_upsert(self.uploads.options(*files, table=TABLE, **options), self.dsn))


@pytest.fixture
def loader(uploads: Uploads) -> Iterator[Loader]:
    """The table holds a row, and so does the manifest: of a file that the owner has loaded."""
    name, password, database = f"loader_{secrets.token_hex(4)}", secrets.token_hex(8), uploads.settings.database
    uploads.execute(f"CREATE SCHEMA other; CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, name text)")
    uploads.load(uploads.csv("owner.csv", "id,name", "0,stored"), table=TABLE)
    uploads.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'; REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    try:
        uploads.execute(alerts_sql())  # as `init` makes it
        uploads.execute("".join(grant_statements(Places(database, "public", "other"), name, TABLE)))
        yield Loader(uploads, name, replace(uploads.dsn, user=name, password=password))
    finally:
        uploads.execute(
            f"DROP SCHEMA other CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
            f"REVOKE ALL ON DATABASE {database} FROM {name}; DROP ROLE {name}"
        )


def test_the_documented_rights_are_enough(loader: Loader) -> None:
    uploads = loader.uploads
    file = uploads.csv("a.csv", "id,name", "0,changed", "1,one", "x,bad")
    report = loader.load(file, bad_rows=BadRows.REJECT)
    assert told(report.counts) == {"read": 3, "inserted": 1, "updated": 1, "rejected": 1}
    assert loader.load(file, resume=True).files[0].status is FileStatus.SKIPPED
    more = uploads.csv("b.csv", "id,name", "2,two")
    assert told(loader.load(more, mode=Mode.APPEND).counts) == {"read": 1, "inserted": 1}
    assert loader.load(more, dry_run=True).is_success
    assert uploads.rows(TABLE) == [(0, "changed"), (1, "one"), (2, "two")]


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ("TEMPORARY ON DATABASE {database}", "TEMPORARY on database {database}"),
        ("SELECT ON other.t", 'SELECT on "other"."t"'),
        ("INSERT ON other.t", 'INSERT on "other"."t"'),
        ("UPDATE ON other.t", 'UPDATE on "other"."t"'),
        ("SELECT ON ingestion_manifest", "SELECT on ingestion_manifest"),
        ("INSERT ON ingestion_manifest", "INSERT on ingestion_manifest"),
        ("UPDATE ON ingestion_manifest", "UPDATE on ingestion_manifest"),
        ("SELECT ON ingestion_batches", "SELECT on ingestion_batches"),
        ("INSERT ON ingestion_batches", "INSERT on ingestion_batches"),
        ("INSERT ON ingestion_rejects", "INSERT on ingestion_rejects"),
        ("CONNECT ON DATABASE {database}", 'permission denied for database "{database}"'),
        ("USAGE ON SCHEMA other", "permission denied for schema other"),
        ("USAGE ON SCHEMA public", "in a schema that this role may not use"),
    ],
)
def test_each_of_them_is_missed_before_anything_is_written(loader: Loader, right: str, said: str) -> None:
    uploads, database = loader.uploads, loader.uploads.settings.database
    before = uploads.rows(TABLE), uploads.manifest("*")
    uploads.execute(f"REVOKE {right.format(database=database)} FROM {loader.name}")
    with pytest.raises(UsageError) as caught:
        loader.load(uploads.csv("a.csv", "id,name", "0,changed", "1,one"))
    assert said.format(database=database) in caught.value.message
    assert (uploads.rows(TABLE), uploads.manifest("*")) == before


def test_all_that_is_missing_is_named_together(loader: Loader) -> None:
    loader.uploads.execute(
        f"REVOKE UPDATE ON other.t FROM {loader.name}; REVOKE INSERT ON ingestion_batches FROM {loader.name}"
    )
    with pytest.raises(UsageError, match=r'lacks UPDATE on "other"\."t", INSERT on ingestion_batches'):
        loader.load(loader.uploads.numbered("a.csv", (1,)))


def test_appending_needs_no_more_than_insert(loader: Loader) -> None:
    loader.uploads.execute(f"REVOKE SELECT, UPDATE ON other.t FROM {loader.name}")
    report = loader.load(loader.uploads.numbered("a.csv", (1, 2)), mode=Mode.APPEND)
    assert told(report.counts) == {"read": 2, "inserted": 2}


def test_advancing_a_sequence_needs_rights_on_it(loader: Loader) -> None:
    file = loader.uploads.numbered("a.csv", (1, 2))
    with pytest.raises(UsageError, match=r"UPDATE on .*t_id_seq"):
        loader.load(file, advance_sequences=True)
    loader.uploads.execute(f"GRANT SELECT, UPDATE ON SEQUENCE other.t_id_seq TO {loader.name}")
    assert loader.load(file, advance_sequences=True).is_success
    assert loader.uploads.execute("SELECT nextval('other.t_id_seq')") == [(3,)]


@pytest.mark.parametrize("command", [show_status, retry_failed_files])
def test_who_may_not_read_the_manifest_hears_what_grants_it(
    loader: Loader, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    loader.uploads.execute(f"REVOKE SELECT ON ingestion_manifest FROM {loader.name}")
    dsn = loader.dsn
    url = f"postgresql://{dsn.user}:{dsn.password}@{dsn.hosts[0]}:{dsn.ports[0]}/{dsn.database}"
    assert command({"table": TABLE, "connect_timeout": "10"}, {"ETL_UPLOADER_DSN": url}) == 2
    said = capsys.readouterr().err
    assert "permission denied for table ingestion_manifest" in said
    assert "`uploader init --role ROLE --table TABLE`, run by an administrator, prints the grants" in said
    assert "Error" not in said


@pytest.mark.parametrize("kind", ["serial", "bigint GENERATED ALWAYS AS IDENTITY"])
def test_a_default_that_draws_from_a_sequence_needs_it(loader: Loader, kind: str) -> None:
    uploads = loader.uploads
    uploads.execute(f"ALTER TABLE other.t ADD COLUMN n {kind}")
    file = uploads.numbered("a.csv", (1, 2))
    if kind == "serial":
        with pytest.raises(UsageError, match=r'lacks USAGE on "other"\."t_n_seq"'):
            loader.load(file)
        (found,) = uploads.execute(statement("places_for_grants").replace("$1", f"'{TABLE}'"))
        uploads.execute("".join(grant_statements(Places(*found), loader.name, TABLE)))
    assert told(loader.load(file).counts) == {"read": 2, "inserted": 2}


def test_a_server_that_lets_read_only_is_refused(loader: Loader) -> None:
    loader.uploads.execute(f"ALTER ROLE {loader.name} SET default_transaction_read_only = on")
    file = loader.uploads.numbered("a.csv", (1, 2))
    for is_dry_run in (False, True):
        with pytest.raises(UsageError, match="expected a server that can be written to"):
            loader.load(file, dry_run=is_dry_run)

"""citext and collations that call different texts equal, beside the texts of the contract and in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import JsonFiles, StagingJob
from etl.errors import UsageError
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.migrate import MigrationSettings, TableStatus, plan_migration, run_migration
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.statements.staging.tables import StagingTable
from tests.contrib import LOOSE
from tests.databases import database_of_its_own
from tests.integration.ingestion.conftest import ask
from tests.integration.staging.test_loader import write

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TABLE = StagingTable("stg_people")
KINDS = ["citext", "text COLLATE loose"]


@pytest.fixture
def loose(contrib: PostgreSQLSettings) -> Iterator[StagingDatabase]:
    with database_of_its_own(contrib, "loose") as settings, closing(StagingDatabase(settings)) as database:
        ask(settings, f"CREATE EXTENSION citext; {LOOSE}")
        install(database, [TABLE])
        yield database


def load(database: StagingDatabase, file: Path, *records: dict[str, Any]) -> dict[str, int]:
    write(file, list(records))
    job = StagingJob(
        id="people", target_table=TABLE.name, source=JsonFiles(type="ndjson", path=(str(file),)), source_id="id"
    )
    run = StagingLoader(database).load(job, FileSource(NdjsonFormat(1 << 20), (file,)), LoadOptions()).run
    counted = ("inserted", "updated", "unchanged", "deduplicated", "rejected")
    counts = {name: getattr(run, f"rows_{name}") for name in counted}
    assert run.rows_attempted == sum(counts.values()), run
    return {name: count for name, count in counts.items() if count}


def stored(database: StagingDatabase) -> list[Any]:
    return ask(
        database.settings,
        """SELECT source_id::text, data->>'name' FROM stg_people ORDER BY source_id::text COLLATE "C" """,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_told_apart_by_their_text(loose: StagingDatabase, tmp_path: Path, kind: str) -> None:
    """A generated column of such a type takes part in nothing."""
    expression = "(data->>'name')" + kind.removeprefix("text") if "COLLATE" in kind else "(data->>'name')::citext"
    ask(loose.settings, f"ALTER TABLE stg_people ADD name {kind} GENERATED ALWAYS AS ({expression}) STORED")
    file = tmp_path / "people.ndjson"
    assert load(loose, file, {"id": "A", "name": "Abc"}, {"id": "a", "name": "abc"}) == {"inserted": 2}
    assert load(loose, file, {"id": "A", "name": "Abc"}, {"id": "a", "name": "ABC"}) == {"updated": 1, "unchanged": 1}
    assert stored(loose) == [("A", "Abc"), ("a", "ABC")]


@pytest.mark.parametrize("kind", [*KINDS, "varchar(99) COLLATE loose"])
def test_a_loose_source_id_is_refused_until_it_is_migrated(loose: StagingDatabase, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "people.ndjson"
    assert load(loose, file, {"id": "A", "name": "Abc"}) == {"inserted": 1}
    ask(loose.settings, f"ALTER TABLE stg_people ALTER source_id TYPE {kind}")
    with pytest.raises(UsageError, match=r"source_id is .*(citext|takes different texts for equal), expected text"):
        load(loose, file, {"id": "A", "name": "Abc"}, {"id": "a", "name": "abc"})
    report = run_migration(loose.settings, MigrationSettings())
    assert [table.status for table in report.tables] == [TableStatus.MIGRATED], report
    told = load(loose, file, {"id": "A", "name": "Abc"}, {"id": "a", "name": "abc"})
    assert told == {"inserted": 1, "unchanged": 1}
    assert stored(loose) == [("A", "Abc"), ("a", "abc")]
    assert all(not plan.steps for plan in plan_migration(loose.settings, MigrationSettings()).tables)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_a_loose_type_called_one_are_no_duplicates(loose: StagingDatabase, kind: str) -> None:
    """Of a table without a unique index."""
    ask(
        loose.settings,
        f"DROP TABLE stg_people; CREATE TABLE stg_people (source_id {kind}, data jsonb);"
        """INSERT INTO stg_people VALUES ('A', '{"name": "Abc"}'), ('a', '{"name": "abc"}')""",
    )
    (report,) = run_migration(loose.settings, MigrationSettings()).tables
    assert (report.status, report.rows_kept, report.rows_archived) == (TableStatus.MIGRATED, 2, 0), report
    assert stored(loose) == [("A", "Abc"), ("a", "abc")]

"""Who may begin a load, and whose batches count."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import asyncpg
import pytest

from etl.ingestion.database.connection import transaction
from etl.ingestion.model import FileStatus, FileType, Mode
from etl.ingestion.upload import manifest
from etl.ingestion.upload.manifest import Entry, Load
from etl.postgresql.connection import connect
from tests.integration.ingestion.conftest import Uploads, wait_until

pytestmark = pytest.mark.stack

OTHER = (
    "INSERT INTO ingestion_manifest (filename, target_table, checksum, filesize, status, run_id, load_id, file_type, "
    "mode, chunk_size, options) VALUES ('/a.csv', 't', '', 0, 'pending', 'other', 'other', 'csv', 'append', 1, '{}')"
)


@pytest.fixture
def database(uploads: Uploads) -> Uploads:
    uploads.execute(manifest.schema_sql())
    return uploads


def begin(uploads: Uploads, load_id: str, found: Entry | None) -> frozenset[int] | None:
    async def once() -> frozenset[int] | None:
        connection = await asyncpg.connect(**uploads.dsn.connect_parameters)
        try:
            async with transaction(connection):
                return await manifest.begin_load(
                    connection,
                    Load("/a.csv", "t", load_id, load_id),
                    found=found,
                    checksum="",
                    size_bytes=0,
                    file_type=FileType.CSV,
                    mode=Mode.APPEND,
                    chunk_size=1,
                    options={},
                )
        finally:
            await connection.close()

    return asyncio.run(once())


def entry(load_id: str, status: FileStatus = FileStatus.PENDING, batches: int = 0) -> Entry:
    return Entry("", status, load_id, load_id, 0, Mode.APPEND, 1, {}, batches)


def test_a_load_begins_where_all_is_as_it_was_found(database: Uploads) -> None:
    assert begin(database, "first", None) == frozenset()
    assert begin(database, "second", entry("first")) == frozenset()
    assert database.manifest("load_id") == [("second",)]


@pytest.mark.parametrize(
    "found",
    [None, entry("third"), entry("first", FileStatus.SUCCESS), entry("first", batches=1)],
    ids=["nothing", "another load", "another status", "batches"],
)
def test_a_load_does_not_begin_where_the_manifest_has_changed(database: Uploads, found: Entry | None) -> None:
    begin(database, "first", None)
    assert begin(database, "second", found) is None
    assert database.manifest("load_id") == [("first",)]


def test_of_two_that_begin_a_new_file_at_once_one_does(database: Uploads) -> None:
    with closing(connect(database.settings)) as connection, connection.cursor() as cursor, ThreadPoolExecutor(1) as run:
        cursor.execute(OTHER)
        second = run.submit(begin, database, "second", None)
        wait_until(database.settings, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
        connection.commit()
        assert second.result() is None
    assert database.manifest("load_id") == [("other",)]


def test_a_load_taken_up_knows_its_batches(database: Uploads) -> None:
    begin(database, "first", None)
    database.execute(
        "INSERT INTO ingestion_batches SELECT 'first', n, '', 1, 1, 0, 0, 0, 0, 0, 0 FROM generate_series(3, 5) AS n"
    )
    assert begin(database, "first", entry("first", batches=3)) == frozenset({3, 4, 5})


def test_the_manifest_can_be_made_twice(database: Uploads) -> None:
    begin(database, "first", None)
    database.execute(manifest.schema_sql())
    assert database.manifest("load_id") == [("first",)]

"""Files as spreadsheets, pandas and other people's exports write them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import ReconciliationError
from etl.ingestion.database.connection import create_pool
from etl.ingestion.model import Batch, CopyPath, CsvBytes, FileStatus, StagedColumn
from etl.ingestion.upload.copy import copy_batch
from tests.integration.ingestion.conftest import Uploads, headers_of, told

pytestmark = pytest.mark.stack

TYPED = "CREATE TABLE t (id bigint PRIMARY KEY, name text)"


def written(uploads: Uploads, content: bytes) -> Path:
    path = uploads.folder / "a.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("copy_path", CopyPath)
def test_a_spreadsheets_mark_is_no_part_of_the_first_column(uploads: Uploads, copy_path: CopyPath) -> None:
    uploads.execute(TYPED)
    uploads.load(written(uploads, b"\xef\xbb\xbfid,name\r\n1,Ann\r\n"), copy_path=copy_path)
    assert uploads.rows() == [(1, "Ann")]


@pytest.mark.parametrize("copy_path", CopyPath)
def test_lines_that_end_in_two_ways_lose_and_change_nothing(uploads: Uploads, copy_path: CopyPath) -> None:
    file = written(uploads, b'id,name\r\n1,one\r\n2,two\n3,"a\r\nb"\n4,four\r\n')
    assert told(uploads.load(file, copy_path=copy_path, chunk_size=3).counts) == {"read": 4, "inserted": 4}
    assert uploads.rows() == [("1", "one"), ("2", "two"), ("3", "a\r\nb"), ("4", "four")]


def test_lines_that_end_in_a_carriage_return_alone_are_refused(uploads: Uploads) -> None:
    failed = uploads.load_one(written(uploads, b"id,name\r1,one\r2,two\r"))
    assert failed.status is FileStatus.FAILED
    assert "carriage return alone" in failed.notes


@pytest.mark.parametrize("preserve_types", [False, True])
@pytest.mark.parametrize("copy_path", CopyPath)
def test_what_pandas_has_for_a_missing_text_is_null(
    uploads: Uploads, copy_path: CopyPath, preserve_types: bool
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": ["1", "2", "3"], "name": ["Ann", float("nan"), None]})
    path = uploads.folder / "a.parquet"
    frame.to_parquet(path)
    uploads.load(path, copy_path=copy_path, preserve_types=preserve_types)
    assert uploads.rows() == [("1", "Ann"), ("2", None), ("3", None)]


@pytest.mark.parametrize("copy_path", CopyPath)
def test_no_number_of_parquet_is_null_and_null_is_not_no_number(uploads: Uploads, copy_path: CopyPath) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, v float8, n numeric)")
    values = [float("nan"), None, float("inf")]
    path = uploads.folder / "a.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "v": pa.array(values), "n": pa.array(values)}), path)
    uploads.load(path, headers=headers_of("id v n"), copy_path=copy_path)
    expected = [(1, "NaN", "NaN"), (2, None, None), (3, "Infinity", "Infinity")]
    assert uploads.rows(columns="id, v::text, n::text") == expected


def test_a_copy_that_takes_other_rows_than_were_read_is_no_success(uploads: Uploads) -> None:
    uploads.execute(TYPED)
    columns = (StagedColumn("id", "text", "id"), StagedColumn("name", "text", "name"))
    batch = Batch(0, columns, CsvBytes(b"1,one\n2,two\n", ",", '"', ""), 12, rows=3)

    async def copied() -> None:
        pool = await create_pool(uploads.dsn, 1)
        try:
            async with pool.acquire() as connection:
                await copy_batch(connection, batch, "t", ["id", "name"])
        finally:
            await pool.close()

    with pytest.raises(ReconciliationError, match="3"):
        asyncio.run(copied())

"""Everything an upload does, through PgBouncer in transaction mode."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.ingestion.database.settings import Dsn
from etl.ingestion.model import BadRows, CopyPath, FileStatus, Mode, UploadReport
from etl.ingestion.uploader import async_upsert
from tests.integration.ingestion.conftest import Uploads, dsn_of, headers_of, order_of, told
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack

ROWS = 3000


@pytest.fixture
def pooled(uploads: Uploads) -> Iterator[Dsn]:
    folder = uploads.folder / "pgbouncer"
    folder.mkdir()
    with pgbouncer(uploads.settings, folder, default_pool_size="3") as settings:
        yield dsn_of(settings)


def load(uploads: Uploads, dsn: Dsn, *files: Path, **options: Any) -> UploadReport:
    """More workers than the pooler has sessions."""
    return asyncio.run(async_upsert(uploads.options(*files, concurrency=4, chunk_size=100, **options), dsn))


@pytest.mark.parametrize("copy_path", CopyPath)
def test_upserts(uploads: Uploads, pooled: Dsn, copy_path: CopyPath) -> None:
    uploads.execute(
        "CREATE TYPE mood AS ENUM ('name 1', 'other'); CREATE TABLE t (id bigint PRIMARY KEY, name text, m mood)"
    )
    file = uploads.csv("a.csv", "id,name,m", *(f"{n},name {n},other" for n in range(ROWS)))
    options = {"copy_path": copy_path, "headers": headers_of("id name m")}
    assert told(load(uploads, pooled, file, **options).counts) == {"read": ROWS, "inserted": ROWS}
    assert told(load(uploads, pooled, file, **options).counts) == {"read": ROWS, "unchanged": ROWS}
    changed = uploads.csv("b.csv", "id,name,m", *(f"{n},new {n},other" for n in range(0, ROWS, 2)))
    report = load(uploads, pooled, changed, **options, dedup_order_by=order_of("name"))
    assert told(report.counts)["read"] == ROWS // 2
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(ROWS, ROWS)]


def test_an_append_that_broke_off_and_is_resumed(uploads: Uploads, pooled: Dsn) -> None:
    uploads.execute(f"CREATE TABLE t (id bigint CHECK (id <> {ROWS - 5}), name text)")
    file = uploads.numbered("a.csv", range(ROWS))
    options = {"mode": Mode.APPEND, "primary_key": ()}
    assert not load(uploads, pooled, file, **options).is_success
    uploads.execute("ALTER TABLE t DROP CONSTRAINT t_id_check")
    report = load(uploads, pooled, file, **options, resume=True)
    assert told(report.counts) == {"read": ROWS, "inserted": ROWS}
    assert load(uploads, pooled, file, **options, resume=True).files[0].status is FileStatus.SKIPPED
    assert uploads.execute("SELECT count(*), count(DISTINCT id) FROM t") == [(ROWS, ROWS)]


@pytest.mark.parametrize("copy_path", CopyPath)
def test_typed_parquet_with_bad_rows(uploads: Uploads, pooled: Dsn, copy_path: CopyPath) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name varchar(4))")
    file = uploads.folder / "a.parquet"
    pq.write_table(pa.table({"id": range(ROWS), "name": [f"n{n % 1500}" for n in range(ROWS)]}), file)
    options = {"bad_rows": BadRows.REJECT, "copy_path": copy_path, "preserve_types": True}
    report = load(uploads, pooled, file, **options)
    assert told(report.counts) == {"read": ROWS, "inserted": 2000, "rejected": 1000}
    assert uploads.execute("SELECT count(*) FROM ingestion_rejects") == [(1000,)]

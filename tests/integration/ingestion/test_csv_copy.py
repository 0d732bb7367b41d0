"""CSV files in PostgreSQL: the file's own bytes, the exact path and records leave equal tables, for whatever bytes."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from etl.config.settings import PostgreSQLSettings
from etl.ingestion.csv.source import CsvSource
from etl.ingestion.model import BadRows, Batch, CopyPath, CsvBytes, CsvOptions, NulCharacters, Records, TolerantMode
from tests.databases import database_of_its_own
from tests.unit.ingestion.csv_support import WITHOUT_HEADER, Row, source_of, write

if TYPE_CHECKING:
    from tests.conftest import RunningStack

pytestmark = pytest.mark.stack

PIECES = [b"a", b",", b",", b'"', b"\n", b"\n", b"\r\n", b"\r", b"\\", b".", b"\0", "é".encode(), b"\xe9", b'""']
PIECES += [b'"x"', b',"', b'",', b"\n\\.\n", b"NA", b"\xef\xbb\xbf"]
VALUES = st.text(st.sampled_from("ab,;\t|\"'\n\r\\.é😀 \ufeff"), max_size=6)
OPTIONS = st.builds(
    CsvOptions,
    has_header=st.just(False),
    null=st.sampled_from(["", "NA"]),
    tolerant=st.sampled_from([None, *TolerantMode]),
    nul_characters=st.sampled_from(NulCharacters),
)
many_examples = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def database(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "csv_copy") as server:
        yield server


def stored(database: PostgreSQLSettings, *sources: CsvSource) -> list[list[Row]]:
    """What stands in a table of text columns after each source, in the order of its rows."""

    async def run() -> list[list[Row]]:
        connection = await asyncpg.connect(
            host=database.host,
            port=database.port,
            user=database.user,
            password=database.password.get_secret_value(),
            database=database.database,
        )
        try:
            return [await _load(connection, source) for source in sources]
        finally:
            await connection.close()

    return asyncio.run(run())


async def _load(connection: asyncpg.Connection, source: CsvSource) -> list[Row]:
    columns = ", ".join(f'"{column.name}" text' for column in source.columns)
    await connection.execute(f"CREATE TEMP TABLE t ({columns}, place bigserial)")
    for batch in source.batches():
        await _copy_or_check(connection, source, batch)
    rows = await connection.fetch("SELECT * FROM t ORDER BY place")
    await connection.execute("DROP TABLE t")
    source.close()
    return [tuple(row)[:-1] for row in rows]


async def _copy_or_check(connection: asyncpg.Connection, source: CsvSource, batch: Batch) -> None:
    try:
        count = await _copy(connection, batch)
    except asyncpg.PostgresError:
        assert not batch.is_checked
        assert source.checked(batch) is not batch
        batch = source.checked(batch)
        count = await _copy(connection, batch)
    assert count == batch.rows


async def _copy(connection: asyncpg.Connection, batch: Batch) -> int:
    columns = [column.name for column in batch.columns]
    payload = batch.payload
    if isinstance(payload, Records):
        status = await connection.copy_records_to_table("t", records=payload.rows, columns=columns)
    else:
        assert isinstance(payload, CsvBytes)
        status = await connection.copy_to_table(
            "t",
            source=io.BytesIO(payload.data),
            columns=columns,
            format="csv",
            delimiter=payload.delimiter,
            quote=payload.quotechar,
            null=payload.null,
        )
    return int(status.split()[-1])


def both_ways(folder: Path, data: bytes, width: int, options: CsvOptions, chunk_size: int) -> list[CsvSource]:
    path = write(folder, data)
    return [
        source_of(path, width, options, chunk_size=chunk_size, bad_rows=BadRows.REJECT, copy_path=copy_path)
        for copy_path in CopyPath
    ]


@many_examples
@given(
    data=st.lists(st.sampled_from(PIECES), max_size=80).map(b"".join),
    width=st.integers(1, 3),
    options=OPTIONS,
    chunk_size=st.sampled_from([1, 2, 5, 1000]),
)
@example(data=b"a\n\\.\nb\n", width=1, options=WITHOUT_HEADER, chunk_size=1000)
@example(data=b"\\.", width=1, options=WITHOUT_HEADER, chunk_size=1)
@example(data=b"a,b\r\nc,d\n", width=2, options=WITHOUT_HEADER, chunk_size=1000)
@example(data=b'a,b"c"d\n', width=2, options=WITHOUT_HEADER, chunk_size=1000)
@example(data=b'a,b\n"c', width=2, options=WITHOUT_HEADER, chunk_size=1000)
@example(data=b"a\rb\rc\r", width=1, options=WITHOUT_HEADER, chunk_size=1000)
@example(data=b"\n\na\n", width=1, options=WITHOUT_HEADER, chunk_size=1000)
@example(data=b'"",', width=2, options=WITHOUT_HEADER, chunk_size=1000)
def test_whatever_the_bytes_both_paths_store_the_same(
    database: PostgreSQLSettings, tmp_path: Path, data: bytes, width: int, options: CsvOptions, chunk_size: int
) -> None:
    by_bytes, by_records = stored(database, *both_ways(tmp_path, data, width, options, chunk_size))
    assert by_bytes == by_records


@many_examples
@given(
    rows=st.lists(st.lists(VALUES, min_size=2, max_size=2), max_size=30),
    delimiter=st.sampled_from(",;\t|"),
    quotechar=st.sampled_from("\"'"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    chunk_size=st.integers(1, 40),
)
def test_what_pythons_csv_module_writes_stands_in_the_table(
    database: PostgreSQLSettings,
    tmp_path: Path,
    rows: list[list[str]],
    delimiter: str,
    quotechar: str,
    line_end: str,
    quoting: int,
    chunk_size: int,
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quotechar=quotechar, lineterminator=line_end, quoting=quoting).writerows(rows)
    # it leaves a carriage return bare where lines end with LF, and then cannot read it itself
    assume(line_end == "\r\n" or quoting == csv.QUOTE_ALL or "\r" not in text.getvalue())
    options = CsvOptions(delimiter=delimiter, quotechar=quotechar, has_header=False)
    data = b"\xef\xbb\xbf" + text.getvalue().encode()
    for found in stored(database, *both_ways(tmp_path, data, 2, options, chunk_size)):
        assert [tuple(value or "" for value in row) for row in found] == [tuple(row) for row in rows]


def test_null_and_the_empty_string_are_told_apart_by_both_paths(database: PostgreSQLSettings, tmp_path: Path) -> None:
    data = b',"",NULL,\\N\n"\\.",,NaN,""'
    expected = [(None, "", "NULL", "\\N"), ("\\.", None, "NaN", "")]
    assert stored(database, *both_ways(tmp_path, data, 4, WITHOUT_HEADER, 1000)) == [expected, expected]

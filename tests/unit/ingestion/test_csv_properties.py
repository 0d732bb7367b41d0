"""Properties of the CSV reader that hold for every dialect, chunk size and block size."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.ingestion import compressed
from etl.ingestion.csv.dialect import Dialect
from etl.ingestion.csv.records import Record, RecordParser
from etl.ingestion.csv.scanner import RecordScanner
from etl.ingestion.model import BadRows, CopyPath, CsvOptions
from tests.unit.ingestion.csv_support import Loaded, load, source_of, write

DIALECT = Dialect(b",", b'"', b"")
VALUES = st.text(st.sampled_from("abc,;\t|\"'\n\r\\.é😀 \ufeff"), max_size=8)
PIECES = [b"a", b",", b'"', b"\n", b"\r\n", b"\r", b"\\.", b"\0", b"\xe9", b'""', b'"x"', b',"', b'",', b'",\n"']
WILD = st.lists(st.sampled_from(PIECES), max_size=80).map(b"".join)
many_examples = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def blocks_of(size_bytes: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "BLOCK_BYTES", size_bytes)
        yield


@many_examples
@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=30)
    ),
    delimiter=st.sampled_from(",;\t|"),
    quotechar=st.sampled_from("\"'"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-be"]),
    has_last_line_end=st.booleans(),
    chunk_size=st.integers(1, 40),
    block_bytes=st.sampled_from([1, 5, 64, 1000]),
    copy_path=st.sampled_from(CopyPath),
)
def test_what_pythons_csv_module_writes_is_read_as_it_reads_it(
    tmp_path: Path,
    rows: list[list[str]],
    delimiter: str,
    quotechar: str,
    line_end: str,
    quoting: int,
    encoding: str,
    has_last_line_end: bool,
    chunk_size: int,
    block_bytes: int,
    copy_path: CopyPath,
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quotechar=quotechar, lineterminator=line_end, quoting=quoting).writerows(rows)
    # it leaves a carriage return bare where lines end with LF, and then cannot read it itself
    assume(line_end == "\r\n" or quoting == csv.QUOTE_ALL or "\r" not in text.getvalue())
    written = text.getvalue() if has_last_line_end else text.getvalue().removesuffix(line_end)
    options = CsvOptions(delimiter=delimiter, quotechar=quotechar, has_header=False, encoding=encoding)
    mark = "" if encoding in ("utf-8-sig", "utf-16") else "\ufeff"  # else a first value that begins with one loses it
    path = write(tmp_path, (mark + written).encode(encoding))
    with blocks_of(block_bytes):
        loaded = load(source_of(path, len(rows[0]), options, chunk_size=chunk_size, copy_path=copy_path))
    assert [[value or "" for value in row] for row in loaded.rows] == rows
    assert loaded.numbers == list(range(1, len(rows) + 1))
    assert all(size == chunk_size for size in loaded.sizes[:-1])


@many_examples
@given(
    data=WILD,
    width=st.integers(1, 3),
    chunk_size=st.sampled_from([1, 2, 7, 1000]),
    block_bytes=st.sampled_from([1, 3, 64, 65]),
    maximum_bytes=st.sampled_from([20, 50, 1000]),
    bad_rows=st.sampled_from(BadRows),
)
def test_whatever_the_bytes_rows_do_not_depend_on_path_chunks_and_blocks(
    tmp_path: Path,
    data: bytes,
    width: int,
    chunk_size: int,
    block_bytes: int,
    maximum_bytes: int,
    bad_rows: BadRows,
) -> None:
    path = write(tmp_path, data)

    def outcome(chunk_size: int, copy_path: CopyPath) -> Loaded | str:
        source = source_of(
            path,
            width,
            CsvOptions(has_header=False),
            chunk_size=chunk_size,
            bad_rows=bad_rows,
            copy_path=copy_path,
            maximum_bytes=maximum_bytes,
        )
        try:
            return load(source)
        except SourceError as error:
            return str(error)

    one = outcome(1000, CopyPath.AUTO)
    with blocks_of(block_bytes):
        others = [outcome(chunk_size, copy_path) for copy_path in CopyPath]
    if isinstance(one, str):
        assert others == [one, one]
        return
    for other in others:
        assert isinstance(other, Loaded)
        assert (one.rows, one.lines) == (other.rows, other.lines)
        assert (one.numbers, one.rejects) == (other.numbers, other.rejects)
    numbers = sorted([*one.numbers, *(reject.row for reject in one.rejects)])
    assert numbers == list(range(1, len(one.rows) + len(one.rejects) + 1))


@many_examples
@given(data=WILD, block_bytes=st.sampled_from([1, 2, 63, 64, 65, 1000]))
def test_record_ends_are_where_a_parser_finds_them_up_to_the_first_doubt(data: bytes, block_bytes: int) -> None:
    scanner = RecordScanner(DIALECT)
    ends: list[int] = []
    doubts: list[int] = []
    for start in range(0, len(data), block_bytes):
        marks = scanner.scan(data[start : start + block_bytes])
        ends += (marks.ends + start).tolist()
        doubts += (marks.doubts + start).tolist()
    first_doubt = min(doubts, default=len(data) - 1 if scanner.is_within else len(data))
    expected = []
    is_clean = True
    for record in RecordParser(DIALECT).records(data, 0, 1, is_end=True):
        is_clean = isinstance(record, Record)
        if not is_clean:
            break
        expected.append(record.end - 1)
    assert [end for end in ends if end < first_doubt] == [end for end in expected if data[end : end + 1] == b"\n"]
    assert is_clean == (first_doubt == len(data))


@many_examples
@given(data=st.binary(max_size=300), block_bytes=st.sampled_from([1, 64, 100]))
def test_a_file_of_no_quotes_and_returns_ends_its_records_at_its_newlines(data: bytes, block_bytes: int) -> None:
    data = data.translate(None, b'"\r')
    scanner = RecordScanner(DIALECT)
    found = [
        start + int(end)
        for start in range(0, len(data), block_bytes)
        for end in scanner.scan(data[start : start + block_bytes]).ends
    ]
    assert found == np.flatnonzero(np.frombuffer(data, np.uint8) == 10).tolist()

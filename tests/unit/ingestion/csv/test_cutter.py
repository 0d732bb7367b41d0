from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import structlog

from etl.errors import SourceError
from etl.ingestion import compressed
from etl.ingestion.model import BadRows, CopyPath
from tests.unit.ingestion.csv_support import WITHOUT_HEADER, load, source_of, write

LINES = [b'%d,"a ""%d""\nb"\n' % (number, number) for number in range(100)]


@pytest.fixture(params=[1, 7, 64, 1 << 20])
def any_block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("any_block")
@pytest.mark.parametrize("chunk_size", [1, 3, 33, 99, 100, 101])
@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_batches_are_whole_records_and_full(tmp_path: Path, chunk_size: int, copy_path: CopyPath) -> None:
    path = write(tmp_path, b"".join(LINES))
    loaded = load(source_of(path, 2, WITHOUT_HEADER, chunk_size=chunk_size, copy_path=copy_path))
    full, rest = divmod(100, chunk_size)
    assert loaded.sizes == [chunk_size] * full + [rest] * (rest > 0)
    assert [batch.index for batch in loaded.batches] == list(range(len(loaded.sizes)))
    assert loaded.rows == [(str(number), f'a "{number}"\nb') for number in range(100)]
    assert loaded.lines == [1 + 2 * number for number in range(100)]
    assert loaded.numbers == list(range(1, 101))


@pytest.mark.usefixtures("any_block")
def test_payloads_of_a_clean_file_are_the_file(tmp_path: Path) -> None:
    loaded = load(source_of(write(tmp_path, b"".join(LINES)), 2, WITHOUT_HEADER, chunk_size=7))
    assert loaded.payload == b"".join(LINES)


def test_skipped_batches_are_numbered_and_not_yielded(tmp_path: Path) -> None:
    path = write(tmp_path, b"".join(LINES[:5]) + b"\n\n" + b"".join(LINES[5:]))
    whole = load(source_of(path, 2, WITHOUT_HEADER, chunk_size=10)).batches
    part = load(source_of(path, 2, WITHOUT_HEADER, chunk_size=10), skip=[0, 1, 5, 99]).batches
    assert part == [batch for batch in whole if batch.index not in (0, 1, 5)]


def test_a_batch_beyond_the_limit_of_bytes_is_cut_earlier_and_that_is_told_once(tmp_path: Path) -> None:
    path = write(tmp_path, b"".join(LINES[:10]) * 2)
    source = source_of(path, 2, WITHOUT_HEADER, maximum_bytes=30)
    with structlog.testing.capture_logs() as lines:
        loaded = load(source)
    assert len(loaded.rows) == 20
    assert max(batch.size_bytes for batch in loaded.batches) <= 30
    assert set(loaded.sizes) == {2}
    assert [(line["event"], line["rows"], line["maximum_bytes"]) for line in lines] == [("chunk shrunk", 2, 30)]


def test_a_batch_as_large_as_the_limit_is_not_shrunk(tmp_path: Path) -> None:
    data = b"".join(LINES)
    source = source_of(write(tmp_path, data), 2, WITHOUT_HEADER, maximum_bytes=len(data))
    with structlog.testing.capture_logs() as lines:
        assert load(source).sizes == [100]
    assert lines == []


@pytest.mark.usefixtures("any_block")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'1,a\n2,"b\n' + b"x" * 200, "line 2: the quotation that begins here is not closed within 50 bytes"),
        (b'1,a\n2,"b\nc"\n3,"d\n' + b"x\n" * 100, "line 4: the quotation that begins here is not closed within 50"),
        (b"1,a\n2," + b"b" * 200 + b"\n", "line 2: expected a record of at most 50 bytes, found no end to this one$"),
        (b"1,a\r" * 50, "line 1: expected a record of at most 50 bytes, .*carriage return alone are not read"),
    ],
)
@pytest.mark.parametrize("bad_rows", list(BadRows))
def test_a_record_without_end_ends_the_file(tmp_path: Path, data: bytes, message: str, bad_rows: BadRows) -> None:
    """What follows an open quotation cannot be told from its text, so it is no row to reject."""
    source = source_of(write(tmp_path, data), 2, WITHOUT_HEADER, chunk_size=1, maximum_bytes=50, bad_rows=bad_rows)
    with pytest.raises(SourceError, match=message):
        load(source)


def test_an_open_quotation_is_not_read_to_the_end_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "BLOCK_BYTES", 1000)
    source = source_of(write(tmp_path, b'1,"' + b"x,y\n" * 100_000), 2, WITHOUT_HEADER, maximum_bytes=10_000)
    with pytest.raises(SourceError, match="line 1: the quotation"):
        next(source.batches())
    assert source.bytes_read <= 12_000


def test_a_stray_quote_spoils_no_batch_before_its_own(tmp_path: Path) -> None:
    """And those behind it are the file's own bytes again."""
    path = write(tmp_path, b"".join(LINES[:10]) + b'x,5"\n' + b"".join(LINES[11:97]) + b'y,5"')
    source = source_of(path, 2, WITHOUT_HEADER, chunk_size=10, bad_rows=BadRows.REJECT)
    with structlog.testing.capture_logs() as lines:
        loaded = load(source, is_checked=False)
    assert lines == []
    assert [batch.is_checked for batch in loaded.batches] == [False, True] + [False] * 7 + [True]
    assert loaded.sizes == [10, 9] + [10] * 7 + [7]


def test_many_stray_quotes_within_one_block_cost_no_row(tmp_path: Path) -> None:
    lines = [b"%d,%s\n" % (number, b'5"' if number % 50 == 0 else b"x" * 100) for number in range(5000)]
    source = source_of(write(tmp_path, b"".join(lines)), 2, WITHOUT_HEADER, chunk_size=20, bad_rows=BadRows.REJECT)
    loaded = load(source)
    assert [row[0] for row in loaded.rows] == [str(number) for number in range(5000) if number % 50]
    assert [reject.line for reject in loaded.rejects] == list(range(1, 5000, 50))
    assert {batch.is_checked for batch in loaded.batches} == {True, False}


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 50])
def test_where_batches_end_does_not_depend_on_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    pieces = [b'1,"', b"2,3\n", b'"x",4\n', b'5"', b"\r\n", b'""', b'6,"\n"\n', b",\n\n"]
    data = b"".join(b"".join(order) for order in itertools.islice(itertools.permutations(pieces), 0, 5000, 97))
    path = write(tmp_path, data)
    found = []
    for block_bytes in (1, 13, 4096):
        monkeypatch.setattr(compressed, "BLOCK_BYTES", block_bytes)
        source = source_of(path, 2, WITHOUT_HEADER, chunk_size=chunk_size, bad_rows=BadRows.REJECT, maximum_bytes=100)
        found.append(load(source))
    assert found[0] == found[1] == found[2]
    assert len(found[0].rejects) > 10
    assert len(found[0].rows) > 10

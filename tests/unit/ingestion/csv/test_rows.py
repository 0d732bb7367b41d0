from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.ingestion.model import BadRows, CopyPath, CsvOptions, Reject, TolerantMode
from tests.unit.ingestion.csv_support import WITHOUT_HEADER, load, source_of, write

HEAD = b"id,name,note\n"
INCH = b'1,5" pipe,x\n'


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (b"1,a\n", 'line 2, column "note": expected 3 fields, found 2; --tolerant fills up short rows; --rejects rej'),
        (b'1,a,b\n2,c,d,"e\nf"\n', r"line 3: expected 3 fields, found 4; .* needs quotes.*\(value: 'e\\nf'\)"),
        (b"1,a\0b,c\n", r"column \"name\": found the character NUL.*--nul-characters strip or replace.*'a\\\\x00b'"),
        (b"1,a,\xff\n", r'line 2, column "note": expected UTF-8; .*--encoding'),
        (INCH, r"line 2, column \"name\": expected a field with quotechars to be quoted .*\(value: '5\" pipe,x'\)"),
        (b'1,"a"b,c\n', 'line 2, column "name": expected a delimiter or a line end after the closing quotechar'),
        (b'1,"a\n"b,c\n', r"line 2, column \"name\": expected a delimiter .* found more text \(on line 3\)"),
        (b'1,a,b\n2,"c,d\n', 'line 3, column "name": the quotation that begins here is never closed'),
        (b"1,a,b\r2,c,d\n", 'line 2, column "note": expected lines to end with LF or CRLF, found a carriage return al'),
        (b'1,a,"b"\r2,c,d\n', 'line 2, column "note": expected lines to end with LF or CRLF, found a carriage return'),
        (b"1,a,b\r", "line 2, .*found a carriage return alone"),
        (b"1,a," + b"v" * 200 + b",x,y\n", "found 5; .*value: 'x'"),
        (b"1,a," + b"v" * 200 + b"\xff\n", r"value: 'v{99}…'\)$"),
    ],
)
@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_the_first_bad_row_is_told(tmp_path: Path, rows: bytes, message: str, copy_path: CopyPath) -> None:
    source = source_of(write(tmp_path, HEAD + rows), "id name note", copy_path=copy_path)
    with pytest.raises(SourceError, match=message) as caught:
        load(source)
    assert str(caught.value).startswith(f"{tmp_path}/rows.csv, line ")


@pytest.mark.parametrize("bad", [INCH, b'1,"a"b,c\n', b"1,a\r,b\n", b"1,a\0,b\n"])
def test_what_copy_would_misread_never_leaves_the_reader_unchecked(tmp_path: Path, bad: bytes) -> None:
    good = b"0,a,b\n"
    source = source_of(write(tmp_path, HEAD + good * 3 + bad + good), "id name note")
    with pytest.raises(SourceError, match="line 5"):
        load(source, is_checked=False)


@pytest.mark.parametrize(
    ("bad", "columns"),
    [
        (INCH, ["name"]),
        (b'1,"unclosed,x\n', ["name"]),
        (b'1,"two\nlines" and more,x\n', ["name", "id"]),
        (b"1,a\r,b\n", ["name"]),
        (b"1,a\0,b\n", ["name"]),
        (b"1,\xe9,b\n", ["name"]),
        (b"1,a\n", ["note"]),
        (b"1,a,b,c\n", [None]),
    ],
)
@pytest.mark.parametrize("chunk_size", [1, 2, 1000])
@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_bad_rows_are_taken_out_and_the_rest_is_loaded(
    tmp_path: Path, bad: bytes, columns: list[str | None], chunk_size: int, copy_path: CopyPath
) -> None:
    """One quote too many spoils its own lines and no other."""
    path = write(tmp_path, HEAD + b'0,"x",y\n' + bad + b'2,"x",y\n3,"x\ny",z\n')
    source = source_of(path, "id name note", chunk_size=chunk_size, bad_rows=BadRows.REJECT, copy_path=copy_path)
    loaded = load(source)
    lines = bad.count(b"\n")
    assert loaded.rows == [("0", "x", "y"), ("2", "x", "y"), ("3", "x\ny", "z")]
    assert loaded.lines == [2, 3 + lines, 4 + lines]
    assert loaded.numbers == [1, 2 + lines, 3 + lines]
    assert [(reject.row, reject.line) for reject in loaded.rejects] == [(2 + n, 3 + n) for n in range(lines)]
    assert [reject.column for reject in loaded.rejects] == columns


def test_a_reject_says_where_and_why(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, HEAD + b"1,a,b,c,d\n"), "id name note", bad_rows=BadRows.REJECT)
    loaded = load(source)
    assert loaded.rejects == [Reject(1, 2, None, "c", "expected 3 fields, found 5")]
    assert loaded.sizes == [0]


def test_no_reject_holds_what_postgresql_cannot_store(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, HEAD + b"1,a\0\xff,b\n"), "id name note", bad_rows=BadRows.REJECT)
    assert [reject.value for reject in load(source).rejects] == ["a\\x00\\xff"]


@pytest.mark.parametrize(("mode", "filler"), [(TolerantMode.NULL, None), (TolerantMode.EMPTY, "")])
@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_short_rows_are_filled_up_where_that_is_asked_for(
    tmp_path: Path, mode: TolerantMode, filler: str | None, copy_path: CopyPath
) -> None:
    path = write(tmp_path, HEAD + b"1\n2,a\n3,,\n\n")
    loaded = load(source_of(path, "id name note", CsvOptions(tolerant=mode), copy_path=copy_path))
    assert loaded.rows == [("1", filler, filler), ("2", "a", filler), ("3", None, None)]
    assert [batch.rows_padded for batch in loaded.batches] == [2]


def test_a_row_too_long_is_an_error_for_the_tolerant_too(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD + b"1,a,b,c\n")
    with pytest.raises(SourceError, match="expected 3 fields, found 4"):
        load(source_of(path, "id name note", CsvOptions(tolerant=TolerantMode.NULL)))


def test_the_file_of_another_system_is_refused_by_its_first_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"line 1.*found a carriage return alone"):
        load(source_of(write(tmp_path, b"1,a\r2,b\r3,c\r"), 2, WITHOUT_HEADER))

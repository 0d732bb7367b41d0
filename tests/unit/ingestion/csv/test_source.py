from __future__ import annotations

from pathlib import Path

import pytest

from etl.ingestion.model import Batch, CopyPath, CsvBytes, CsvOptions, FileType, NulCharacters, Records
from tests.unit.ingestion.csv_support import WITHOUT_HEADER, Row, load, source_of, write


def rows_of(folder: Path, data: bytes, columns: int, options: CsvOptions = WITHOUT_HEADER) -> list[Row]:
    """By both paths, which must agree."""
    path = write(folder, data)
    rows = load(source_of(path, columns, options)).rows
    assert load(source_of(path, columns, options, copy_path=CopyPath.RECORDS)).rows == rows
    return rows


def batch_of(folder: Path, data: bytes, columns: int, options: CsvOptions = WITHOUT_HEADER) -> Batch:
    (batch,) = source_of(write(folder, data), columns, options).batches()
    return batch


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quotechar", ['"', "'"])
def test_delimiters_and_quotechars(tmp_path: Path, delimiter: str, quotechar: str) -> None:
    text = "~a~,b,~c,~~d~~~,\n".replace(",", delimiter).replace("~", quotechar)
    options = CsvOptions(delimiter=delimiter, quotechar=quotechar, has_header=False)
    expected = ("a", "b", f"c{delimiter}{quotechar}d{quotechar}", None)
    assert rows_of(tmp_path, text.encode(), 4, options) == [expected]


def test_a_clean_file_travels_as_its_own_bytes(tmp_path: Path) -> None:
    data = b'1,"a ""b""\r\nc"\r\n,""\r\n'
    batch = batch_of(tmp_path, data, 2)
    assert batch.payload == CsvBytes(data, ",", '"', "")
    assert (batch.rows, batch.size_bytes, batch.is_checked, batch.first_row, batch.first_line) == (
        2,
        len(data),
        False,
        1,
        1,
    )


def test_a_batch_with_nothing_wrong_comes_back_from_the_check_as_it_is(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b'1,"a\nb"\n2,""\n'), 2, WITHOUT_HEADER)
    (batch,) = source.batches()
    assert source.checked(batch) is batch


def test_bare_empty_is_null_and_quoted_empty_is_not(tmp_path: Path) -> None:
    assert rows_of(tmp_path, b',""\n"",\n', 2) == [(None, ""), ("", None)]


def test_texts_that_look_like_null_stay_texts(tmp_path: Path) -> None:
    assert rows_of(tmp_path, b"NULL,\\N,NaN, ,null\n", 5) == [("NULL", "\\N", "NaN", " ", "null")]


def test_with_a_null_token_only_that_is_null(tmp_path: Path) -> None:
    options = CsvOptions(null="NA", has_header=False)
    assert rows_of(tmp_path, b'NA,"NA",,"",NAN\n', 5, options) == [(None, "NA", "", "", "NAN")]


def test_line_breaks_within_quotes_are_kept(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, b'1,"a\nb\r\nc\rd"\n2,"\n"\n', 2)
    assert rows == [("1", "a\nb\r\nc\rd"), ("2", "\n")]


def test_a_last_line_without_its_end_is_a_row(tmp_path: Path) -> None:
    assert rows_of(tmp_path, b'1,a\n2,"b"', 2) == [("1", "a"), ("2", "b")]
    assert rows_of(tmp_path, b'1,""\n"2",', 2) == [("1", ""), ("2", None)]


def test_mixed_line_ends_are_read_and_made_one_kind(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b'1,a\r\n2,"b\r\nc"\n3,d\r\n'), 2, WITHOUT_HEADER)
    loaded = load(source)
    assert loaded.rows == [("1", "a"), ("2", "b\r\nc"), ("3", "d")]
    assert loaded.payload == b'"1","a"\n"2","b\r\nc"\n"3","d"\n'


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b"\n1,a\n\n\r\n2,b\n\n"), 2, WITHOUT_HEADER, chunk_size=2)
    loaded = load(source, is_checked=False)
    assert loaded.rows == [("1", "a"), ("2", "b")]
    assert loaded.lines == [2, 5]
    assert loaded.numbers == [1, 2]
    assert sum(loaded.sizes) == 2


def test_in_a_file_of_one_column_a_blank_line_is_null(tmp_path: Path) -> None:
    assert rows_of(tmp_path, b'a\n\n""\n', 1) == [("a",), (None,), ("",)]
    assert rows_of(tmp_path, b"a\n\n", 1, CsvOptions(null="NA", has_header=False)) == [("a",), ("",)]


def test_a_line_that_would_end_the_copy_is_a_row(tmp_path: Path) -> None:
    batch = batch_of(tmp_path, b"a\n\\.\nb\n", 1)
    assert batch.payload == CsvBytes(b'"a"\n"\\."\n"b"\n', ",", '"', "")
    assert batch_of(tmp_path, b"\\.", 1).payload == CsvBytes(b'"\\."\n', ",", '"', "")
    assert not batch_of(tmp_path, b"\\\n\\", 1).is_checked


def test_nul_characters_are_stripped_or_replaced_and_counted(tmp_path: Path) -> None:
    data = b"a\0b,\0\nc,d\n"
    stripped = CsvOptions(has_header=False, nul_characters=NulCharacters.STRIP)
    assert rows_of(tmp_path, data, 2, stripped) == [("ab", ""), ("c", "d")]
    replaced = CsvOptions(has_header=False, nul_characters=NulCharacters.REPLACE)
    assert rows_of(tmp_path, data, 2, replaced) == [("a\ufffdb", "\ufffd"), ("c", "d")]
    assert batch_of(tmp_path, data, 2, replaced).nul_characters == 2


def test_a_byte_order_mark_is_taken_off_the_file_and_only_there(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    assert load(source_of(write(tmp_path, mark + b"id\n1\n"), "id")).rows == [("1",)]
    assert load(source_of(write(tmp_path, mark + b'"id"\n1\n'), "id")).rows == [("1",)]
    assert rows_of(tmp_path, mark + mark + b"1\n2\n", 1) == [("\ufeff1",), ("2",)]


def test_records_are_tuples_with_their_lines(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b'id,a\n1,"x\ny"\n2,\n'), "id a", copy_path=CopyPath.RECORDS)
    (batch,) = source.batches()
    assert batch.payload == Records([("1", "x\ny"), ("2", None)])
    assert [source.line_of(batch, row) for row in (0, 1)] == [2, 4]
    assert source.record_of(batch, 0) == ("1", "x\ny")
    assert source.checked(batch) is batch


def test_records_begin_with_the_mark_that_they_hold(tmp_path: Path) -> None:
    """pyarrow's parser would take it off the first value of each batch."""
    path = write(tmp_path, "1\n\ufeff2\n".encode())
    source = source_of(path, 1, WITHOUT_HEADER, chunk_size=1, copy_path=CopyPath.RECORDS)
    assert load(source).rows == [("1",), ("\ufeff2",)]


def test_the_source_tells_how_far_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, b"id\n" + b"1\n" * 10)
    source = source_of(path, "id")
    assert (source.path, source.file_type, source.size_bytes) == (path, FileType.CSV, 23)
    load(source)
    assert source.bytes_read == 23


def test_lines_and_records_of_rows_behind_embedded_line_breaks(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b'id,a\n1,"x\n\ny"\n2,\xff\n"3",\n'), "id a")
    (batch,) = source.batches()
    assert [source.line_of(batch, row) for row in range(3)] == [2, 5, 6]
    assert [source.record_of(batch, row) for row in range(3)] == [("1", "x\n\ny"), ("2", "\\xff"), ("3", None)]

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.ingestion.csv.ingestor import batch_generator
from etl.ingestion.model import CsvOptions, Header, StagedColumn
from tests.unit.ingestion.csv_support import WITHOUT_HEADER, load, source_of, write


def test_columns_keep_the_files_order_whatever_the_order_that_is_asked_for(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b"name,id\nAda,1\n"), "id name")
    assert source.columns == (StagedColumn("name", "text", "name"), StagedColumn("id", "text", "id"))
    assert load(source).rows == [("Ada", "1")]


def test_a_column_nobody_asked_for_travels_under_a_name_of_its_own(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, '"Größe (m²)",id,\n1.80,1,x\n'.encode()), "id")
    assert source.columns == (
        StagedColumn("_unread_1", "text", None),
        StagedColumn("id", "text", "id"),
        StagedColumn("_unread_3", "text", None),
    )


def test_a_name_that_nobody_asked_for_may_stand_twice(tmp_path: Path) -> None:
    """As in a spreadsheet with empty columns at its right."""
    assert load(source_of(write(tmp_path, b"id,name,,\n1,Ada,,\n"), "id name")).rows == [("1", "Ada", None, None)]


def test_that_name_is_no_column_of_the_table(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b"x,_unread_1\n1,2\n"), "_unread_1")
    assert [column.name for column in source.columns] == ["__unread_1", "_unread_1"]


def test_a_column_that_the_file_lacks_is_not_in_the_batches(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b"id\n1\n"), "id name")
    assert [column.header for column in source.columns] == ["id"]
    assert load(source).rows == [("1",)]


def test_a_header_may_be_quoted_and_hold_line_breaks(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b'"id","a ""b"",\r\nc"\r\n1,2\r\n'), "id")
    loaded = load(source)
    assert loaded.rows == [("1", "2")]
    assert loaded.lines == [3]


def test_without_a_header_columns_come_by_position(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b"id,name\n1,Ada\n"), "id name", WITHOUT_HEADER)
    assert load(source).rows == [("id", "name"), ("1", "Ada")]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"id,name,id\n", 'rows.csv, line 1: expected each column of the header once, found more than once: "id"'),
        (
            b"\nID,Name\n",
            'line 2: expected a header with some of "id", "name", found "ID", "Name"; '
            "id: did you mean 'ID'\\?; name: did you mean 'Name'\\?$",
        ),
        (b"id;name\n", "found \"id;name\"; the header is separated by ';': --delimiter semicolon$"),
        (b"1,Ada\n", 'found "1", "Ada"; .*; if the first line is data already: --no-header$'),
        (b'id,"na"me\n', "line 1: expected a delimiter or a line end after the closing quotechar"),
        (b'id,"name\n1,2\n', "line 1: the quotation that begins here is never closed"),
        (b"id,n\xe9e\n", r"line 1: expected a header in UTF-8.*--encoding.*n\\\\xe9e"),
        (b"id,name\r1,2\r", "line 1: expected lines to end with LF or CRLF, found a carriage return alone"),
    ],
)
def test_a_header_that_does_not_fit_is_told(tmp_path: Path, head: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        source_of(write(tmp_path, head), "id name")


@pytest.mark.parametrize("data", [b"", b"id,name", b"id,name\n", b"\xef\xbb\xbfid,name\r\n", b"\xef\xbb\xbf", b"\n\n"])
def test_a_file_without_rows_has_no_batches(tmp_path: Path, data: bytes) -> None:
    loaded = load(source_of(write(tmp_path, data), "id name"))
    assert (loaded.rows, loaded.rejects) == ([], [])


def test_an_empty_file_has_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, b"")
    assert [column.header for column in source_of(path, "id name").columns] == ["id", "name"]
    assert list(source_of(path, "id name").batches()) == []


def test_the_generator_yields_tuples_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, b'b,unread,a\n1,x,""\n,x,2\n3,x,\n')
    headers = [Header("a", "bigint"), "missing", "b"]
    assert list(batch_generator(path, headers, 2)) == [[("", None, "1"), ("2", None, None)], [(None, None, "3")]]


def test_the_generator_goes_by_position_where_there_is_no_header(tmp_path: Path) -> None:
    path = write(tmp_path, b"1;x\n")
    options = CsvOptions(delimiter=";", has_header=False)
    assert list(batch_generator(path, ["a", "b"], options=options)) == [[("1", "x")]]

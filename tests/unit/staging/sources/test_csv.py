from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.staging.sources.csv import CsvFormat
from tests.unit.staging.sources.support import LONGEST, PACKERS, check_batches, records_of, source_of, write

CSV = CsvFormat(LONGEST)
# a lone carriage return ends a row for Python's writer, not here
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.sampled_from(
    ['"', ",", "\n", "\r\n", '""', 'a"b', "NULL", "1.10", " "]
)


def rows_of(content: str | bytes, form: CsvFormat = CSV) -> list[Any]:
    data = content if isinstance(content, bytes) else content.encode()
    return [orjson.loads(record) for piece in form.slices(io.BytesIO(data), 100) for record in piece.records]


@given(
    names=st.lists(TEXT.filter(bool), min_size=2, max_size=4, unique=True),
    data=st.data(),
    batch_size=st.integers(1, 7),
    end=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from(",;\t|"),
    suffix=st.sampled_from(sorted(PACKERS)),
)
def test_what_was_written_comes_back(
    names: list[str], data: st.DataObject, batch_size: int, end: str, delimiter: str, suffix: str
) -> None:
    rows = data.draw(st.lists(st.lists(TEXT, min_size=len(names), max_size=len(names)), max_size=15))
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([names, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a.csv{suffix}", written.getvalue().encode())
        source = source_of(CsvFormat(LONGEST, delimiter), path)
        batches = check_batches(source, batch_size)
        lines = [source.locate(batch, ordinal)["line"] for batch in batches for ordinal in batch.ordinals]
    assert [orjson.loads(each) for each in records_of(batches)] == [dict(zip(names, row, strict=True)) for row in rows]
    assert lines == first_lines(names, rows)


def first_lines(names: list[str], rows: list[list[str]]) -> list[int]:
    """Of each row: one line, and one more for each newline within."""
    lines, line = [], 1
    for row in [names, *rows]:
        lines.append(line)
        line += 1 + sum(field.count("\n") for field in row)
    return lines[1:]


def test_an_empty_field_is_null_and_a_quoted_one_is_empty() -> None:
    assert rows_of('a,b,c\n,"",x\n') == [{"a": None, "b": "", "c": "x"}]


def test_a_value_is_text_and_nothing_is_guessed() -> None:
    assert rows_of("a,b,c,d\n007,1.10,NULL,\\N\n") == [{"a": "007", "b": "1.10", "c": "NULL", "d": "\\N"}]


def test_a_mark_blank_lines_and_a_missing_last_newline() -> None:
    assert rows_of(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n\n3,4") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_a_quote_within_a_bare_field_is_a_character() -> None:
    assert rows_of('a,b\n5" disk,3\n') == [{"a": '5" disk', "b": "3"}]


def test_a_broken_row_says_so_and_the_next_is_read() -> None:
    assert rows_of('a,b\n1\n1,2,3\n"x"y,2\n3,4\n') == [
        "expected 2 fields, as the header has, found 1: 1",
        "expected 2 fields, as the header has, found 3: 1,2,3",
        "expected ',' after a closing quote, found 'y': \"x\"y,2",
        {"a": "3", "b": "4"},
    ]


def test_bytes_that_are_no_text_are_left_to_be_judged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'a,b\n1,\xff\n2,"\n\xff"\n3,4\n')
    assert records_of(check_batches(source_of(CSV, path), 2)) == [b"1,\xff", b'2," \xff"', b'{"a":"3","b":"4"}']


def test_a_row_too_long_is_left_to_be_judged() -> None:
    (piece,) = CsvFormat(20).slices(io.BytesIO(b"a,b\n" + b"x" * 30 + b",1\n2,3\n"), 10)
    assert piece.records == [b"x" * 30 + b",1", b'{"a":"2","b":"3"}']


@pytest.mark.parametrize(
    "content", ['a,b\n1,2\n3,"x\n' + rest for rest in ("4,5\n", "4,5\n" * 20_000, '4,""\n' * 20_000)]
)
def test_a_quote_that_never_closes_is_no_silent_end(content: str) -> None:
    slices = CSV.slices(io.BytesIO(content.encode()), 10)
    assert next(slices).records == [b'{"a":"1","b":"2"}']
    with pytest.raises(SourceError, match="line 3: a quoted field of this row does not end"):
        next(slices)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b,a\n", "expected a name of its own for each column, found 'a' in the header"),
        (b"a,,b\n", "expected a name of its own for each column, found '' in the header"),
        (b"a,\xff\n", "the header row cannot be read"),
    ],
)
def test_a_header_is_needed(content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        rows_of(content)


def test_where_rows_stand(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'a,b\n\n1,"x\ny"\n2,z\n\n\n3,"\n\n"\n4,5\n')
    source = source_of(CSV, path)
    for size in range(1, 6):
        batches = check_batches(source, size)
        lines = [source.locate(batch, ordinal)["line"] for batch in batches for ordinal in batch.ordinals]
        assert lines == [3, 5, 8, 11]

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.staging.sources.json_array import BLOCK_BYTES, JsonArrayFormat
from tests.unit.staging.sources.support import LONGEST, PACKERS, check_batches, records_of, source_of, write
from tests.unit.staging.sources.test_ndjson import JSON

ARRAY = JsonArrayFormat(LONGEST)


class OneByteAtATime(io.BytesIO):
    """A slow pipe: every place where a text can be cut is one."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(1)


def elements(content: bytes, stream: type[io.BytesIO] = io.BytesIO) -> list[bytes]:
    return [record for piece in ARRAY.slices(stream(content), 3) for record in piece.records]


@given(
    values=st.lists(JSON, max_size=20),
    batch_size=st.integers(1, 7),
    indent=st.sampled_from([None, 2]),
    is_ascii=st.booleans(),
    suffix=st.sampled_from(sorted(PACKERS)),
)
def test_any_array_comes_back(
    values: list[Any], batch_size: int, indent: int | None, is_ascii: bool, suffix: str
) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=is_ascii).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"a.json{suffix}", content)
        source = source_of(ARRAY, path)
        batches = check_batches(source, batch_size)
        for batch in batches:
            for ordinal in batch.ordinals:
                assert source.locate(batch, ordinal) == {"file": str(path), "element": ordinal + 1}
    assert [json.loads(record) for record in records_of(batches)] == values
    assert not any(b"\n" in record for record in records_of(batches))


@given(values=st.lists(JSON, max_size=5))
def test_a_text_may_be_cut_anywhere(values: list[Any]) -> None:
    content = json.dumps(values, ensure_ascii=False).encode()
    assert [json.loads(each) for each in elements(content, OneByteAtATime)] == values


def test_the_text_stays_as_it_was_read() -> None:
    written = [
        b'{"a": 1.10, "b": -0, "c": 1E400}',
        b"12345678901234567890123.4567890",
        rb'"\ud800 \u0000 \/"',
        b'{"a": 1, "a": 2}',
        b'"\xff\xfe"',
        b"NaN",
    ]
    assert elements(b"\xef\xbb\xbf [" + b" ,\n".join(written) + b"\n]\n") == written


def test_a_number_of_any_length_is_passed_over() -> None:
    number = b"9" * 10_000
    assert elements(b"[" + number + b"]") == [number]


@pytest.mark.parametrize("content", [b"[]", b" [ ] \n", b"\xef\xbb\xbf[]"])
def test_an_empty_array_has_no_elements(content: bytes) -> None:
    assert elements(content) == []


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (b"", "element 5: expected ',' or ']', found the end of the input"),
        (b",", "element 5: Expecting value"),
        (b',{"a": ', "element 5: Expecting value"),
        (b',{"a": "x', "element 5: Unterminated string starting at"),
        (b",]", "element 5: Expecting value"),
        (b"  {}", "element 5: expected ',' or ']', found '{'"),
        (b"] []", r"expected the end of the input after the array, found '\['"),
        (b',{"a" 1]', "element 5: Expecting ':' delimiter"),
        (b',{"a" [1}]', "element 5: Expecting ':' delimiter"),
        (b",}]", "element 5: Expecting value"),
        (b",5,", "element 6: Expecting value"),
        (b',"' + b"x" * (LONGEST + BLOCK_BYTES), "element 5: Unterminated string"),
        (b"," + b"[" * 100_000, "element 5: nested too deeply"),
        (b',{"a": 5}{"a": 6}', "element 6: expected ',' or ']', found '{'"),
    ],
)
def test_a_broken_array_is_an_error_after_what_was_whole(rest: bytes, message: str) -> None:
    slices = ARRAY.slices(io.BytesIO(b"[1,2,3,4" + rest), 3)
    assert next(slices).records == [b"1", b"2", b"3"]
    assert next(slices).records[0] == b"4"
    with pytest.raises(SourceError, match=message):
        next(slices)


DEEP = b'{"a": ' + b"[" * 3000 + b"]" * 3000 + b"}"


@pytest.mark.parametrize("stream", [io.BytesIO, OneByteAtATime])
@pytest.mark.parametrize(
    ("element", "kept"),
    [
        (b'{"a" 1}', b'{"a" 1}'),
        (b"bad \n ", b"bad"),
        (b"[1 2]", b"[1 2]"),
        (b'{"a": ["\\"]}, \\", {", x]}', b'{"a": ["\\"]}, \\", {", x]}'),
        (b'{"a": "\xff", b}', b'{"a": "\xff", b}'),
        (DEEP, DEEP),
    ],
    ids=["no colon", "no text", "no comma", "brackets in texts", "no UTF-8", "deep"],
)
def test_an_element_that_cannot_be_read_is_left_to_be_judged(
    stream: type[io.BytesIO], element: bytes, kept: bytes
) -> None:
    assert elements(b'[{"b": 1}, ' + element + b', {"b": 2}]', stream) == [b'{"b": 1}', kept, b'{"b": 2}']


def test_of_an_element_too_long_only_the_beginning_is_kept() -> None:
    long = b'{"a": "' + b"x[" * BLOCK_BYTES + b'"}'
    assert elements(b"[1, " + long + b", 2]") == [b"1", long[: LONGEST + 1], b"2"]


def test_no_more_is_read_than_shows_that_an_array_is_broken() -> None:
    content = io.BytesIO(b'[{"a": 1}{"a": 2}' + b" " * (4 * BLOCK_BYTES))
    with pytest.raises(SourceError, match=r"element 2: expected ',' or '\]', found '\{'"):
        list(ARRAY.slices(content, 3))
    assert content.tell() <= 2 * BLOCK_BYTES


@pytest.mark.parametrize("content", [b"{}", b'{"a": []}', b"null"])
def test_what_is_no_array_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"broken JSON array at element 1: expected '\[', found"):
        elements(content)

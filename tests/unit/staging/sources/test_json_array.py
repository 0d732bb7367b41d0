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
        (b',{"a" 1}]', "element 5: Expecting ':' delimiter"),
        (b',"' + b"x" * (LONGEST + BLOCK_BYTES), "element 5: Unterminated string"),
        (b"," + b"[" * 100_000, "element 5: nested too deeply"),
    ],
)
def test_a_broken_array_is_an_error_after_what_was_whole(rest: bytes, message: str) -> None:
    slices = ARRAY.slices(io.BytesIO(b"[1,2,3,4" + rest), 3)
    assert next(slices).records == [b"1", b"2", b"3"]
    assert next(slices).records == [b"4"]
    with pytest.raises(SourceError, match=message):
        next(slices)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"a": []}', b"null"])
def test_what_is_no_array_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"broken JSON array at element 1: expected '\[', found"):
        elements(content)

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.staging.sources.lines import BLOCK_BYTES
from etl.staging.sources.ndjson import NdjsonFormat
from tests.unit.staging.sources.support import LONGEST, PACKERS, check_batches, records_of, source_of, write

NDJSON = NdjsonFormat(LONGEST)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def split(content: bytes, size: int = 2) -> list[list[bytes]]:
    return [piece.records for piece in NDJSON.slices(io.BytesIO(content), size)]


@given(
    objects=st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=30),
    batch_size=st.integers(1, 12),
    end=st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"]),
    has_last_end=st.booleans(),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    suffix=st.sampled_from(sorted(PACKERS)),
)
def test_any_objects_come_back_in_any_batches(
    objects: list[dict[str, Any]], batch_size: int, end: bytes, has_last_end: bool, mark: bytes, suffix: str
) -> None:
    lines = [orjson.dumps(each) for each in objects]
    content = mark + end.join(lines) + (end if has_last_end and lines else b"")
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / f"records.ndjson{suffix}", content)
        source = source_of(NDJSON, path)
        batches = check_batches(source, batch_size)
        lines_between = end.count(b"\n")
        for batch in batches:
            for ordinal in batch.ordinals:
                assert source.locate(batch, ordinal) == {"file": str(path), "line": 1 + ordinal * lines_between}
    assert records_of(batches) == lines
    assert all(len(batch.records) == batch_size for batch in batches[:-1])


def test_lines_are_handed_on_as_they_were_read() -> None:
    assert split(b'{"a": 1.10, "b": 12345678901234567890123}\nno json\n"\xff"\n') == [
        [b'{"a": 1.10, "b": 12345678901234567890123}', b"no json"],
        [b'"\xff"'],
    ]


def test_only_a_newline_ends_a_line() -> None:
    text = '{"a": "\u2028\u0085\x0b"}'.encode()
    assert split(text + b"\n" + text) == [[text, text]]


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_nothing_gives_no_batch(content: bytes) -> None:
    assert split(content) == []


def test_blank_lines_before_a_batch_are_no_part_of_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", b"\n" * 5 + b"1\n\n2\n\n\n3\n")
    source = source_of(NDJSON, path)
    batches = check_batches(source, 2)
    places = [source.locate(batch, ordinal)["line"] for batch in batches for ordinal in batch.ordinals]
    assert places == [6, 8, 11]
    assert batches[0].position["start"] == {"offset": 5, "line": 6}
    assert batches[0].position["gaps"] == [[1, 1]]


def test_lines_may_be_longer_than_a_block(tmp_path: Path) -> None:
    long = b'"' + b"x" * (2 * BLOCK_BYTES) + b'"'
    path = write(tmp_path / "a.ndjson", b"1\n" + long + b"\n2\n")
    batches = check_batches(source_of(NdjsonFormat(4 * BLOCK_BYTES), path), 2)
    assert records_of(batches) == [b"1", long, b"2"]


@pytest.mark.parametrize("suffix", sorted(PACKERS))
@pytest.mark.parametrize("ending", [b"\n2\n3\n", b""])
def test_of_a_line_too_long_for_memory_only_the_beginning_is_kept(tmp_path: Path, suffix: str, ending: bytes) -> None:
    path = write(tmp_path / f"a.ndjson{suffix}", b"1\n" + b"x" * (3 * BLOCK_BYTES) + ending)
    batches = check_batches(source_of(NDJSON, path), 1)
    assert records_of(batches) == [b"1", b"x" * (LONGEST + 1), *ending.split()]


def test_what_is_whole_comes_before_the_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson.gz", b"\n".join(b'{"number": %d}' % n for n in range(300_000)))
    path.write_bytes(path.read_bytes()[:-100])
    batches, failure = [], ""
    try:
        for batch in source_of(NDJSON, path).batches(1000):
            batches.append(batch)
    except SourceError as error:
        failure = error.message
    found = records_of(batches)
    assert failure.startswith(f"{path} cannot be read: Truncated compressed stream behind byte ")
    assert failure.endswith(f"until then the input gave {len(found):,} records")
    assert len(found) > 100_000
    assert found == [b'{"number": %d}' % n for n in range(len(found))]

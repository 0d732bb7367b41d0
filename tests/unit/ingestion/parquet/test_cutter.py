from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.ingestion.parquet.cutter import chunks, row_bytes
from etl.ingestion.parquet.reader import open_file


def cut(path: Path, chunk_size: int, maximum_bytes: int = 1 << 20) -> list[tuple[int, list[Any]]]:
    with open_file(path) as file:
        found = chunks(file, path, ["a"], chunk_size=chunk_size, maximum_bytes=maximum_bytes)
        return [(chunk.first_row, chunk.rows.column("a").to_pylist()) for chunk in found]


def write(folder: Path, values: Any, **options: Any) -> Path:
    path = folder / "some.parquet"
    pq.write_table(pa.table({"a": values}), path, **options)
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text("x", max_size=60), max_size=30),
    chunk_size=st.integers(1, 12),
    maximum_bytes=st.integers(1, 300),
    row_group_sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    is_dictionary=st.booleans(),
)
def test_cuts_depend_on_content_and_limits_alone(
    tmp_path: Path,
    texts: list[str],
    chunk_size: int,
    maximum_bytes: int,
    row_group_sizes: tuple[int, int],
    is_dictionary: bool,
) -> None:
    column = pa.array(texts, pa.string())
    plain = cut(write(tmp_path, column, row_group_size=row_group_sizes[0]), chunk_size, maximum_bytes)
    other = write(tmp_path, column, row_group_size=row_group_sizes[1], use_dictionary=is_dictionary, compression="zstd")

    assert cut(other, chunk_size, maximum_bytes) == plain
    assert [text for _, rows in plain for text in rows] == texts
    assert [first for first, _ in plain] == [1 + sum(len(r) for _, r in plain[:n]) for n in range(len(plain))]
    for place, (_, rows) in enumerate(plain):
        size = sum(len(text) + 8 for text in rows)
        assert 0 < len(rows) <= chunk_size
        assert size <= maximum_bytes or len(rows) == 1
        if len(rows) < chunk_size and place + 1 < len(plain):
            assert size + len(plain[place + 1][1][0]) + 8 > maximum_bytes


def test_a_row_beyond_the_limit_travels_alone(tmp_path: Path) -> None:
    assert cut(write(tmp_path, ["a", "x" * 500, "b"]), 10, 100) == [(1, ["a"]), (2, ["x" * 500]), (3, ["b"])]


def test_a_shrunk_chunk_is_told_once(tmp_path: Path) -> None:
    path = write(tmp_path, ["x" * 100] * 9)

    with structlog.testing.capture_logs() as logs:
        cut(path, 5, 250)
        cut(path, 5)

    assert [(log["event"], log["file"], log["rows"]) for log in logs] == [("chunk shrunk", str(path), 2)]


def test_a_file_without_rows_has_no_chunks(tmp_path: Path) -> None:
    assert cut(write(tmp_path, pa.array([], pa.string())), 10) == []


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None]), [8, 8]),
        (pa.array(["abc", None, ""]), [11, 8, 8]),
        (pa.array(["abc", None], pa.string_view()), [11, 8]),
        (pa.array([b"abc", None], pa.binary_view()), [11, 8]),
        (pa.array(["abc", None, "abc"]).dictionary_encode(), [11, 8, 11]),
        (pa.array([b"abcd"], pa.binary(4)), [4]),
        (pa.array([b"a" * 16], pa.uuid()), [16]),
        (pa.array([["abc", "d"], None, []]), [28, 8, 8]),
        (pa.array([[[1], [2, 3]]]), [48]),
        (pa.array([{"a": "abc", "b": 1}, None]), [27, 24]),
        (pa.array([[("k", "abc")], []], pa.map_(pa.string(), pa.string())), [36, 8]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_row_weighs_its_texts_and_something_a_cell(array: pa.Array, expected: list[int]) -> None:
    assert row_bytes(pa.record_batch({"a": array})).tolist() == expected
    assert row_bytes(pa.record_batch({"a": array}).slice(1)).tolist() == expected[1:]

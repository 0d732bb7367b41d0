from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import SourceError
from etl.ingestion.parquet.reader import open_file, read_batches, rows_between


def write(folder: Path, table: pa.Table, **options: object) -> Path:
    path = folder / "some.parquet"
    pq.write_table(table, path, **options)
    return path


@pytest.mark.parametrize("kept_bytes", [0, 3, 100, -1])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, kept_bytes: int) -> None:
    path = write(tmp_path, pa.table({"a": list(range(1000))}))
    path.write_bytes(path.read_bytes()[:kept_bytes])

    with pytest.raises(SourceError, match=r"expected a whole Parquet file .*some\.parquet"):
        open_file(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("id,name\n" * 10)

    with pytest.raises(SourceError, match=r"some\.csv"):
        open_file(tmp_path / "some.csv")
    with pytest.raises(SourceError, match="found none"):
        open_file(tmp_path / "missing.parquet")


def test_a_page_whose_bytes_have_changed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, pa.table({"a": ["x" * 50] * 9}), compression=None, write_page_checksum=True)
    path.write_bytes(path.read_bytes().replace(b"x" * 50, b"x" * 49 + b"y", 1))

    with open_file(path) as file, pytest.raises(SourceError, match="CRC"):
        list(read_batches(file, path, ["a"], 5))


def test_columns_come_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, pa.table({"a": [1], "b": [2], "c": [3]}))

    with open_file(path) as file:
        assert [batch.schema.names for batch in read_batches(file, path, ["c", "a"], 5)] == [["c", "a"]]


@pytest.mark.parametrize(("first_row", "count"), [(1, 1), (3, 4), (10, 1), (1, 10), (4, 3)])
def test_rows_are_found_again_across_row_groups(tmp_path: Path, first_row: int, count: int) -> None:
    path = write(tmp_path, pa.table({"a": list(range(1, 11))}), row_group_size=3)

    found = rows_between(path, ["a"], first_row, count)

    assert found.column("a").to_pylist() == list(range(first_row, first_row + count))


def test_an_int96_of_whole_microseconds_is_read_over_its_whole_range(tmp_path: Path) -> None:
    moments = [datetime.min, datetime.max, datetime(1969, 12, 31, 23, 59, 59, 999_999), None]
    path = write(tmp_path, pa.table({"a": moments}), use_deprecated_int96_timestamps=True)

    with open_file(path) as file:
        assert [value for batch in read_batches(file, path, ["a"], 2) for value in batch["a"].to_pylist()] == moments


def test_an_int96_with_digits_beyond_the_microsecond_is_refused_by_its_row(tmp_path: Path) -> None:
    moments = pa.array([0, 1_000, None, 1_001], pa.timestamp("ns"))
    path = write(tmp_path, pa.table({"a": moments}), use_deprecated_int96_timestamps=True)

    with open_file(path) as file, pytest.raises(SourceError, match=r"row 4, column a, found .*000001001"):
        list(read_batches(file, path, ["a"], 2))

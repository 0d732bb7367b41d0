from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import SourceError
from etl.ingestion.model import BadRows, Batch, BinaryBytes, CopyPath, Header, Records, StagedColumn
from etl.ingestion.parquet.ingestor import open_parquet
from etl.ingestion.parquet.source import ParquetSource
from etl.ingestion.source import Source


@contextmanager
def opened(folder: Path, columns: dict[str, Any], types: dict[str, str], **options: Any) -> Iterator[ParquetSource]:
    path = folder / "some.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=4)
    source = open_parquet(path, [Header(name) for name in types], types, **{"chunk_size": 3, **options})
    try:
        yield source
    finally:
        source.close()


def rows_of(batches: Sequence[Batch]) -> list[tuple[Any, ...]]:
    return [row for batch in batches if isinstance(batch.payload, Records) for row in batch.payload.rows]


def test_a_parquet_file_is_a_source(tmp_path: Path) -> None:
    with opened(tmp_path, {"a": [1]}, {"a": "bigint"}) as source:
        as_any_other: Source = source
        assert as_any_other.columns == (StagedColumn("a", "bigint", "a"),)


def test_batches_are_numbered_and_bounded(tmp_path: Path) -> None:
    with opened(tmp_path, {"a": list(range(8))}, {"a": "bigint"}) as source:
        batches = list(source.batches())

    assert [(batch.index, batch.first_row, batch.rows) for batch in batches] == [(0, 1, 3), (1, 4, 3), (2, 7, 2)]
    assert all(isinstance(batch.payload, BinaryBytes) and batch.size_bytes > 0 for batch in batches)
    assert source.bytes_read == source.size_bytes == (tmp_path / "some.parquet").stat().st_size


def test_batches_are_the_same_each_time(tmp_path: Path) -> None:
    columns = {"a": [1, 2, None, 4], "t": ["x", None, "é", ""]}
    with opened(tmp_path, columns, {"t": "text", "a": "numeric"}) as first:
        expected = list(first.batches())
    with opened(tmp_path, columns, {"t": "text", "a": "numeric"}) as second:
        assert list(second.batches()) == expected


def test_skipped_batches_are_numbered_but_not_yielded(tmp_path: Path) -> None:
    with opened(tmp_path, {"a": list(range(8))}, {"a": "bigint"}) as source:
        batches = list(source.batches(skip=[0, 2]))

    assert [(batch.index, batch.first_row) for batch in batches] == [(1, 4)]


def test_records_are_tuples_in_the_headers_order(tmp_path: Path) -> None:
    columns = {"a": [1, None], "t": ["x", None]}
    with opened(tmp_path, columns, {"t": "text", "a": "integer"}, copy_path=CopyPath.RECORDS) as source:
        assert rows_of(list(source.batches())) == [("x", 1), (None, None)]
        assert [column.name for column in source.columns] == ["t", "a"]


def test_the_first_bad_row_fails_the_file_whatever_its_column(tmp_path: Path) -> None:
    columns = {"a": [1, 2, 3, 4, 5, 70_001], "t": ["", "", "", "", "\0", ""]}
    with (
        opened(tmp_path, columns, {"a": "smallint", "t": "text"}) as source,
        pytest.raises(SourceError, match=r"without U\+0000.* in .*some\.parquet, row 5, column t, found '\\x00'; mend"),
    ):
        list(source.batches())


@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_bad_rows_are_rejected_and_the_others_go_on(tmp_path: Path, copy_path: CopyPath) -> None:
    columns = {"a": [1, 70_000, 3, 4, 70_001, None], "t": ["a", "b", "\0", "d", "\0", "f"]}  # row 5: twice
    types = {"a": "smallint", "t": "text"}
    with opened(tmp_path, columns, types, bad_rows=BadRows.REJECT, copy_path=copy_path) as source:
        batches = list(source.batches())
        records = [source.record_of(batch, row) for batch in batches for row in range(batch.rows or 0)]

    rejects = [reject for batch in batches for reject in batch.rejects]
    assert [(reject.row, reject.column, reject.value) for reject in rejects] == [
        (2, "a", "70000"),
        (3, "t", "'\\x00'"),
        (5, "a", "70001"),
    ]
    assert sum(batch.rows or 0 for batch in batches) + len(rejects) == 6
    assert records == [("1", "a"), ("4", "d"), (None, "f")]


def test_a_batch_may_lose_all_its_rows(tmp_path: Path) -> None:
    with opened(tmp_path, {"a": [70_000]}, {"a": "smallint"}, bad_rows=BadRows.REJECT) as source:
        (batch,) = source.batches()

    assert (batch.rows, len(batch.rejects)) == (0, 1)


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    with opened(tmp_path, {"a": ["x" * 1000]}, {"a": "uuid"}, bad_rows=BadRows.REJECT) as source:
        (batch,) = source.batches()

    assert batch.rejects[0].value == "x" * 100


@pytest.mark.parametrize("copy_path", list(CopyPath))
def test_a_refused_batch_is_searched_for_what_is_no_json(tmp_path: Path, copy_path: CopyPath) -> None:
    columns = {"j": ["{}", "[", '"\\u0000"', "[]", "{}"]}
    with opened(tmp_path, columns, {"j": "jsonb"}, bad_rows=BadRows.REJECT, copy_path=copy_path) as source:
        bad, good = source.batches()
        checked = source.checked(bad)
        unchanged = source.checked(good)

    assert (checked.index, checked.first_row, checked.rows) == (0, 1, 1)
    assert [(reject.row, reject.value) for reject in checked.rejects] == [(2, "["), (3, '"\\u0000"')]
    assert unchanged is good


def test_a_refused_batch_fails_the_file_by_its_first_bad_row(tmp_path: Path) -> None:
    with opened(tmp_path, {"j": ["{}", "{}", "{}", "1", "["]}, {"j": "json"}) as source:
        first, second = source.batches()

        assert source.checked(first) is first
        with pytest.raises(SourceError, match=r"expected JSON .*row 5, column j, found \["):
            source.checked(second)


def test_a_row_of_a_batch_is_told_as_text(tmp_path: Path) -> None:
    columns = {"a": [1, 2, 3, 4], "f": [None, 0.5, 1e20, float("nan")]}
    with opened(tmp_path, columns, {"f": "double precision", "a": "bigint"}) as source:
        _, second = source.batches()

        assert source.record_of(second, 0) == ("NaN", "4")
        assert source.line_of(second, 0) is None

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.errors import SchemaMismatchError, SourceError
from etl.ingestion.model import Header
from etl.ingestion.parquet.ingestor import batch_generator, open_parquet, parquet_columns

HEADERS = [Header("id"), Header("name"), Header("amount")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.parquet"
    amounts = pa.array([Decimal("1.50"), None], pa.decimal128(10, 2))
    pq.write_table(pa.table({"name": ["a", None], "amount": amounts, "id": [1, 2], "more": [0, 0]}), path)
    return path


def test_columns_have_the_files_types_where_they_are_preserved(path: Path) -> None:
    assert parquet_columns(path, HEADERS, True) == (
        Header("id", "bigint"),
        Header("name", "text"),
        Header("amount", "numeric(10,2)"),
    )


def test_columns_are_text_where_types_are_not_preserved(path: Path) -> None:
    found = parquet_columns(path, [*HEADERS, Header("missing")], False)

    assert [header.type for header in found] == ["text"] * 4


def test_a_declared_type_goes_before_the_files_and_a_missing_one_stays_open(path: Path) -> None:
    headers = [Header("id", "integer"), Header("missing"), Header("absent", "date")]

    assert parquet_columns(path, headers, True) == (
        Header("id", "integer"),
        Header("missing"),
        Header("absent", "date"),
    )


def test_a_header_that_the_file_lacks_is_not_among_the_columns(path: Path) -> None:
    source = open_parquet(path, [Header("missing"), *HEADERS], {"id": "bigint"}, chunk_size=10)
    source.close()

    assert [(column.header, column.type) for column in source.columns] == [
        ("id", "bigint"),
        ("name", "text"),
        ("amount", "text"),
    ]


def test_a_file_without_any_of_the_headers_is_refused(path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected columns ID, x in .*, found only name, amount, id, more"):
        parquet_columns(path, [Header("ID"), Header("x")], True)


def test_a_header_that_stands_twice_in_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    pq.write_table(pa.table([[1], [2], [3]], names=["a", "b", "a"]), path)

    with pytest.raises(SourceError, match=r"expected every header once .* found a more often"):
        open_parquet(path, [Header("a"), Header("b")], {}, chunk_size=10)
    assert list(batch_generator(path, ["b"], 10)) == [[(2,)]]


def test_types_without_a_counterpart_are_named_all_at_once(tmp_path: Path) -> None:
    """Parquet itself holds no such types, but its Arrow schema may name extensions."""
    path = tmp_path / "some.parquet"
    shapes = pa.array([b"x"], pa.opaque(pa.binary(), "shape", "drawings"))
    pq.write_table(pa.table({"a": shapes, "b": [1], "c": shapes}), path)

    with pytest.raises(SourceError, match=r"(?s)a: extension type shape.*c: extension type shape"):
        parquet_columns(path, [Header("a"), Header("b"), Header("c")], True)
    with pytest.raises(SchemaMismatchError, match=r"(?s)a: extension type shape"):
        open_parquet(path, [Header("a"), Header("b")], {}, chunk_size=10)


def test_types_that_do_not_become_the_targets_are_named_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    pq.write_table(pa.table({"a": [datetime(2024, 1, 1)], "b": [1], "c": [True]}), path)
    types = {"a": "timestamp with time zone", "b": "bigint", "c": "integer"}

    with pytest.raises(SchemaMismatchError, match=r"(?s)some\.parquet:\n  a: .*--timezone.*\n  c: .*integer") as caught:
        open_parquet(path, [Header(name) for name in types], types, chunk_size=10)

    assert "b:" not in str(caught.value)


# --- tuples ---------------------------------------------------------------------------------------------------------


def test_tuples_stand_in_the_headers_order_with_none_for_what_is_missing(path: Path) -> None:
    assert list(batch_generator(path, [Header("missing"), *HEADERS], 1)) == [
        [(None, 1, "a", Decimal("1.50"))],
        [(None, 2, None, None)],
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.dates()), max_size=20),
    chunk_size=st.integers(1, 25),
)
def test_all_rows_come_in_chunks_of_their_size(
    tmp_path: Path, rows: list[tuple[int | None, date | None]], chunk_size: int
) -> None:
    path = tmp_path / "any.parquet"
    columns = {"n": pa.array([n for n, _ in rows], pa.int64()), "d": pa.array([d for _, d in rows], pa.date32())}
    pq.write_table(pa.table(columns), path, row_group_size=7)

    found = list(batch_generator(path, ["n", "d"], chunk_size))

    assert [row for chunk in found for row in chunk] == rows
    assert [len(chunk) for chunk in found[:-1]] == [chunk_size] * len(found[:-1])


def test_nanoseconds_need_nothing_but_arrow(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    pq.write_table(pa.table({"a": pa.array([1_000, None], pa.timestamp("ns"))}), path)

    assert list(batch_generator(path, ["a"], 9)) == [[(datetime(1970, 1, 1, 0, 0, 0, 1),), (None,)]]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([0, 1], pa.timestamp("ns")), "row 2, column a, found 1970-01-01 00:00:00.000000001"),
        (pa.array([0, 2_932_897], pa.date32()), "column a of .*rows 1 to 2"),
        (pa.array([0, 2**62], pa.timestamp("us")), "column a of .*rows 1 to 2"),
    ],
    ids=str,
)
def test_a_value_that_python_cannot_hold_is_refused(tmp_path: Path, array: pa.Array, said: str) -> None:
    path = tmp_path / "some.parquet"
    pq.write_table(pa.table({"a": array}), path)

    with pytest.raises(SourceError, match=said):
        list(batch_generator(path, ["a"], 9))

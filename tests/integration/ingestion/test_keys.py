"""Which row of a key stands in the table in the end."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import UsageError
from etl.ingestion.model import BadRows, FileStatus, Mode
from tests.integration.ingestion.conftest import Uploads, headers_of, order_of, told

pytestmark = pytest.mark.stack

TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, name text, at int)"
HEADERS = headers_of("id name at")
BY_TIME = {"headers": HEADERS, "dedup_order_by": order_of("at")}


def test_a_null_key_fails_its_file_and_names_the_line(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint UNIQUE, name text)")
    result = uploads.load_one(uploads.csv("a.csv", "id,name", "1,one", ",two"))
    assert result.status is FileStatus.FAILED
    assert "line 3, column id: expected a value, found NULL" in result.notes
    assert uploads.rows() == []


def test_null_keys_can_be_rejected(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint UNIQUE, name text)")
    file = uploads.csv("a.csv", "id,name", "1,one", ",two", "3,three", ",four")
    result = uploads.load_one(file, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 4, "inserted": 2, "rejected": 2}
    assert uploads.rows() == [(1, "one"), (3, "three")]
    assert uploads.execute("SELECT line, column_name, value, reason FROM ingestion_rejects ORDER BY line") == [
        (3, "id", None, "expected a value, found NULL"),
        (5, "id", None, "expected a value, found NULL"),
    ]


def test_null_keys_can_be_rejected_where_every_column_is_text(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one", ",two", "3,three")
    result = uploads.load_one(file, bad_rows=BadRows.REJECT)
    assert (result.notes, told(result.counts)) == ("1 rows rejected", {"read": 3, "inserted": 2, "rejected": 1})
    assert uploads.rows() == [("1", "one"), ("3", "three")]
    assert uploads.execute("SELECT line, column_name FROM ingestion_rejects") == [(3, "id")]


def test_a_key_twice_in_a_batch_is_named(uploads: Uploads) -> None:
    uploads.execute(TABLE)
    file = uploads.csv("a.csv", "id,name", "1,one", "2,two", "1,uno", "2,dos", "1,eins")
    result = uploads.load_one(file)
    assert result.status is FileStatus.FAILED
    assert "(1) 3 times" in result.notes
    assert "(2) 2 times" in result.notes
    assert "--dedup-order-by" in result.notes
    assert uploads.rows(columns="id, name") == []


def test_a_composite_key_twice_in_a_batch_is_named(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name,at", "1,a,1", "1,a,2", "1,b,3")
    result = uploads.load_one(file, headers=HEADERS, primary_key=("id", "name"))
    assert result.status is FileStatus.FAILED
    assert "(1, a) 2 times" in result.notes


def test_keys_that_differ_as_text_alone_are_one_key(uploads: Uploads) -> None:
    """A uuid in capitals, a number with zeros: the table's type decides."""
    uploads.execute("CREATE TABLE t (id uuid PRIMARY KEY, name text)")
    key = "6f1c0a52-7e7a-4a54-8ff0-3b2f1f6f0c11"
    uploads.load(uploads.csv("a.csv", "id,name", f"{key},one"))
    assert told(uploads.load(uploads.csv("b.csv", "id,name", f"{key.upper()},uno")).counts) == {"read": 1, "updated": 1}
    twice = uploads.load_one(uploads.csv("c.csv", "id,name", f"{key},a", f"{key.upper()},b"))
    assert twice.status is FileStatus.FAILED
    assert f"({key}) 2 times" in twice.notes


def test_appending_keeps_every_row_of_a_key(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint, name text)")
    result = uploads.load_one(uploads.csv("a.csv", "id,name", "1,a", "1,a", ",a"), mode=Mode.APPEND)
    assert told(result.counts) == {"read": 3, "inserted": 3}


@pytest.mark.parametrize("order", ["at", "-at", "at -name"])
def test_the_order_decides_and_nothing_else(uploads: Uploads, order: str) -> None:
    """Whatever the batches and workers: also with ties, with NULL, and where the table holds rows already."""
    rows = [(n % 7, f"name {n * 5 % 11}", None if n % 9 == 0 else n * 13 % 6) for n in range(120)]
    file = uploads.csv("a.csv", "id,name,at", *(f"{i},{name},{'' if at is None else at}" for i, name, at in rows))
    outcomes = []
    for chunk_size, concurrency in ((1000, 1), (1, 4), (7, 3), (50, 2)):
        uploads.execute(f"DROP TABLE IF EXISTS t; {TABLE}; INSERT INTO t VALUES (0, 'stored', NULL), (9, 'stored', 1)")
        result = uploads.load_one(
            file, headers=HEADERS, dedup_order_by=order_of(order), chunk_size=chunk_size, concurrency=concurrency
        )
        assert result.status is FileStatus.SUCCESS, result.notes
        assert told(result.counts)["read"] == 120
        outcomes.append(uploads.rows())
    assert outcomes == [outcomes[0]] * 4
    assert outcomes[0] == [*sorted(first_of_each_key(rows, order)), (9, "stored", 1)]


def first_of_each_key(rows: list[tuple[int, str, int | None]], order: str) -> list[tuple[int, str, int | None]]:
    """NULL stands last; of rows alike in the order the greater text is kept."""
    sign = -1 if order.startswith("at") else 1
    found: dict[int, tuple[int, str, int | None]] = {}
    for row in sorted(rows, key=lambda row: row[1], reverse=order != "at -name"):
        best = found.get(row[0])
        if best is None or rank(row[2], sign) < rank(best[2], sign):
            found[row[0]] = row
    return list(found.values())


def rank(at: int | None, sign: int) -> tuple[bool, int]:
    return at is None, sign * (at or 0)


@pytest.mark.parametrize("batches", [((0, 1),), ((0,), (1,)), ((1,), (0,))], ids=["one batch", "in turn", "reversed"])
def test_rows_that_the_table_makes_equal_tie(uploads: Uploads, batches: tuple[tuple[int, ...], ...]) -> None:
    """The order is that of the values as they are stored: rounded, and of ties the greater text, in batches and between
    them."""
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, price numeric(10,2), name text)")
    prices, names = [1.004, 1.001], ["a", "b"]
    for count, places in enumerate(batches):
        columns = {"id": [1] * len(places), "price": [prices[n] for n in places], "name": [names[n] for n in places]}
        path = uploads.folder / f"{count}.parquet"
        pq.write_table(pa.table(columns), path)
        uploads.load(path, headers=headers_of("id price name"), dedup_order_by=order_of("price"))
    assert uploads.rows(columns="price::text, name") == [("1.00", "b")]


def test_keys_that_the_table_rounds_to_one_are_named(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id numeric(10,2) PRIMARY KEY, name text)")
    path = uploads.folder / "a.parquet"
    pq.write_table(pa.table({"id": [1.001, 1.004], "name": ["a", "b"]}), path)
    assert "(1.00) 2 times" in uploads.load_one(path).notes
    assert uploads.rows() == []


def test_rows_that_give_way_in_their_batch_are_counted(uploads: Uploads) -> None:
    uploads.execute(TABLE)
    file = uploads.csv("a.csv", "id,name,at", "1,old,1", "1,new,3", "1,middle,2", "2,only,1")
    assert told(uploads.load(file, **BY_TIME).counts) == {"read": 4, "inserted": 2, "deduplicated": 2}
    assert uploads.rows() == [(1, "new", 3), (2, "only", 1)]


def test_a_later_stored_row_stays(uploads: Uploads) -> None:
    uploads.execute(f"{TABLE}; INSERT INTO t VALUES (1, 'later', 10), (2, 'earlier', 1)")
    file = uploads.csv("a.csv", "id,name,at", "1,file,5", "2,file,5")
    assert told(uploads.load(file, **BY_TIME).counts) == {"read": 2, "updated": 1, "unchanged": 1}
    assert uploads.rows() == [(1, "later", 10), (2, "file", 5)]


@pytest.mark.parametrize("column", ["id", "at"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_without_what_decides_is_refused(uploads: Uploads, column: str, ending: str) -> None:
    uploads.execute(TABLE)
    values = {"id": ["1"], "name": ["one"], "at": ["1"]}
    del values[column]
    file = uploads.folder / f"a.{ending}"
    write(file, values)
    good = uploads.csv("good.csv", "id,name,at", "2,two,2")
    report = uploads.load(file, good, **BY_TIME)
    assert [each.status.value for each in report.files] == ["failed", "success"]
    assert f"column {column}" in report.files[0].notes
    assert uploads.rows() == [(2, "two", 2)]


def test_a_type_without_an_order_is_refused_before_the_first_row(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name json)")
    with pytest.raises(
        UsageError, match="--dedup-order-by name: could not identify an ordering operator for type json"
    ):
        uploads.load(uploads.csv("a.csv", "id,name", "1,{}"), dedup_order_by=order_of("name"))


def write(file: Path, values: dict[str, list[str]]) -> None:
    if file.suffix == ".parquet":
        pq.write_table(pa.table(values), file)
    else:
        rows = zip(*values.values(), strict=True)
        file.write_text("\n".join([",".join(values), *(",".join(row) for row in rows)]) + "\n")

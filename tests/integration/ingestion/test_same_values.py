"""Equal is not the same: what an upsert leaves alone is what it would write, value by value, key by key."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.ingestion.model import BadRows, CopyPath, FileStatus, Header
from tests.integration.ingestion.conftest import Uploads, headers_of, order_of, told

pytestmark = pytest.mark.stack

TYPES = """
    CREATE TYPE span AS RANGE (subtype = numeric);
    CREATE TYPE pair AS (amount numeric, term interval);
    CREATE DOMAIN price AS numeric CHECK (VALUE >= 0);
    CREATE DOMAIN price_of_price AS price;
    CREATE DOMAIN code AS varchar(3);
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE DOMAIN mood_of_ours AS mood
"""

PAIRS = [
    ("interval", "30 days", "1 mon"),
    ("numeric", "1.5", "1.50"),
    ("jsonb", '{"v": 1.0}', '{"v": 1.00}'),
    ("json", '{"v":1}', '{"v": 1}'),
    ("double precision", "0", "-0"),
    ("real", "-0", "0"),
    ("bpchar", "a", "a "),
    ("text", "a", "A"),
    ('text COLLATE "C"', "a", "á"),
    ('varchar(9) COLLATE "POSIX"', "a", "A"),
    ("char(3)", "a", "A"),
    ("time with time zone", "12:00:00+00", "13:00:00+01"),
    ("box", "(1,1),(0,0)", "(3,1),(2,0)"),
    ("point", "(0,1)", "(-0,1)"),
    ("circle", "<(0,0),1>", "<(5,5),1>"),
    ("lseg", "[(0,0),(0,1)]", "[(0,0),(1,0)]"),
    ("path", "((0,0),(1,1))", "((0,0),(2,2))"),
    ("polygon", "((0,0),(1,1))", "((1,1),(0,0))"),
    ("line", "{1,-1,0}", "{2,-2,0}"),
    ("interval[]", "{30 days}", "{1 mon}"),
    ("numeric(10,3)[]", "{1.5,NULL}", "{1.50,2}"),
    ("numeric[]", "{1.5}", "{1.50}"),
    ("double precision[]", "{0}", "{-0}"),
    ("jsonb[]", '{"1.0"}', '{"1.00"}'),
    ("char(3)[]", "{a}", "{b}"),
    ("bit(3)[]", "{101}", "{100}"),
    ("span", "[1.5,2)", "[1.50,2)"),
    ("nummultirange", "{[1.5,2)}", "{[1.50,2)}"),
    ("pair", '(1.5,"30 days")', '(1.50,"1 mon")'),
    ("pair[]", '{"(1.5,)"}', '{"(1.50,)"}'),
    ("price", "1.5", "1.50"),
    ("price_of_price", "2", "2.0"),
    ("tsvector", "'a':1", "'a':1B"),
    ("mood", "sad", "glad"),
    ("bit varying", "10", "100"),
    ("bytea", "\\x00", "\\x0000"),
    ("money", "1", "2"),
    ("pg_lsn", "0/1", "0/2"),
]
"""Of most of them PostgreSQL says that the one equals the other; of each the other must be stored."""

NAMES = [f"c{place}" for place in range(len(PAIRS))]
ALL = (Header("id"), *map(Header, NAMES))


def old_and_new_files(uploads: Uploads) -> tuple[Path, Path]:
    """In row n of the second file column n is another value, and all the rest as it was."""
    stored = [old for _, old, _ in PAIRS]
    changed = [[new if at == row else stored[at] for at, (_, _, new) in enumerate(PAIRS)] for row in range(len(PAIRS))]
    first = [["id", *NAMES], *([str(row), *stored] for row in range(len(PAIRS)))]
    second = [["id", *NAMES], *([str(row), *values] for row, values in enumerate(changed))]
    return written(uploads.folder / "old.csv", first), written(uploads.folder / "new.csv", second)


def written(path: Path, rows: list[list[str]]) -> Path:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def as_parquet(path: Path, null: str | None = None) -> Path:
    """Every column as text."""
    names, *rows = csv.reader(StringIO(path.read_text(encoding="utf-8"), newline=""))
    values = [[None if row[at] == null else row[at] for row in rows] for at in range(len(names))]
    made = path.with_suffix(".parquet")
    pq.write_table(pa.table([pa.array(each, pa.string()) for each in values], names), made)
    return made


@pytest.mark.parametrize("how", ["csv", "records", "csv loosened", "parquet", "parquet as records", "partitioned"])
def test_a_value_that_is_equal_and_not_the_same_is_stored(uploads: Uploads, how: str) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in zip(NAMES, PAIRS, strict=True))
    ending = " PARTITION BY HASH (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    table = f"CREATE TABLE t (id int PRIMARY KEY, {columns}){ending if how == 'partitioned' else ''}"
    uploads.execute(f"{TYPES}; {table}")
    old, new = old_and_new_files(uploads)
    path = CopyPath.RECORDS if "records" in how else CopyPath.AUTO
    bad_rows = BadRows.REJECT if "loosened" in how else BadRows.FAIL
    if "parquet" in how:
        old, new = as_parquet(old), as_parquet(new)
    if "loosened" in how:
        unfit = ",".join(["no number", *[""] * len(PAIRS)])
        new.write_text(f"{new.read_text(encoding='utf-8')}{unfit}\n", encoding="utf-8")

    def load(file: Path) -> dict[str, int]:
        result = uploads.load_one(file, headers=ALL, copy_path=path, bad_rows=bad_rows)
        assert result.status is FileStatus.SUCCESS, result.notes
        return told(result.counts) | {"read": 0, "rejected": 0}

    assert load(old)["inserted"] == len(PAIRS)
    assert load(old)["unchanged"] == len(PAIRS)
    expected = [stored_text(uploads, kind, new_value) for kind, _, new_value in PAIRS]
    counts = load(new)
    found = [uploads.execute(f"SELECT {name}::text FROM t WHERE id = %s", (row,)) for row, name in enumerate(NAMES)]
    assert [row[0][0] for row in found] == expected
    assert counts["updated"] == len(PAIRS)
    assert load(new)["unchanged"] == len(PAIRS)


def stored_text(uploads: Uploads, kind: str, value: str) -> str:
    bare = kind.partition(" COLLATE ")[0]
    return str(uploads.execute(f"SELECT CAST(CAST(%s AS {bare}) AS text)", (value,))[0][0])


@pytest.mark.parametrize(
    ("kind", "stored", "new"),
    [
        ("numeric", "1.5", "1.50"),
        ("interval", "30 days", "1 mon"),
        ("jsonb", '{"v": 1}', '{"v": 1.0}'),
        ("double precision", "0", "-0"),
        ("numeric[]", "{1.5}", "{1.50}"),
        ("bpchar", "a", "a "),
        ("price_of_price", "2", "2.0"),
    ],
)
@pytest.mark.parametrize("headers", ["id name", "id"])
def test_a_key_is_one_by_its_index_and_stored_as_it_is_written(
    uploads: Uploads, kind: str, stored: str, new: str, headers: str
) -> None:
    uploads.execute(f"{TYPES}; CREATE TABLE t (id {kind} PRIMARY KEY, name text)")
    names = headers_of(headers)

    def file(name: str, *keys: str) -> Path:
        return written(uploads.folder / name, [["id", "name"], *([key, "x"] for key in keys)])

    assert told(uploads.load_one(file("a.csv", stored), headers=names).counts) == {"read": 1, "inserted": 1}
    again = uploads.load_one(file("b.csv", new), headers=names)
    assert (again.notes, told(again.counts)) == ("", {"read": 1, "updated": 1})
    assert uploads.execute("SELECT id::text FROM t") == [(stored_text(uploads, kind, new),)]
    twice = uploads.load_one(file("c.csv", stored, new), headers=names)
    assert twice.status is FileStatus.FAILED
    assert "2 times" in twice.notes


ORDERS = ["amount", "-amount", "-name amount", "amount_2 name"]
AMOUNTS = st.sampled_from(["2.5", "2.50", "2.500", "-0", "0", "", "3"])
NAMED = st.sampled_from(["a", "a ", "a  ", "$$", "!!", "ab", "B", "b", ""])
ROWS = st.lists(st.tuples(st.sampled_from(["1", "1.0", "2"]), AMOUNTS, AMOUNTS, NAMED), min_size=2, max_size=7)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, order=st.sampled_from(ORDERS), chunk_size=st.integers(1, 3), is_parquet=st.booleans())
def test_which_row_stays_depends_on_neither_batches_nor_their_order(
    uploads: Uploads, rows: list[tuple[str, ...]], order: str, chunk_size: int, is_parquet: bool
) -> None:
    """Where 2.5 and 2.50 meet, -0 and 0, "a" and "a "; however the stored row came in."""
    header = ["id", "amount", "amount_2", "name"]
    outcomes = []
    for size, turned in ((100, rows), (chunk_size, rows), (chunk_size, rows[::-1])):
        uploads.execute(
            "DROP TABLE IF EXISTS t;"
            'CREATE TABLE t (id numeric PRIMARY KEY, amount numeric, amount_2 float8, name char(3) COLLATE "POSIX")'
        )
        file = written(uploads.folder / "a.csv", [header, *map(list, turned)])
        file = as_parquet(file, null="") if is_parquet else file
        result = uploads.load_one(
            file, headers=tuple(map(Header, header)), dedup_order_by=order_of(order), chunk_size=size
        )
        assert result.status is FileStatus.SUCCESS, result.notes
        outcomes.append(uploads.execute("SELECT t::text FROM t ORDER BY id"))
    assert outcomes == [outcomes[0]] * 3


@pytest.mark.parametrize("kind", ["code", "code_of_code", "character(3)", "bit(3)"])
@pytest.mark.parametrize("path", [CopyPath.AUTO, CopyPath.RECORDS])
@pytest.mark.parametrize("bad_rows", list(BadRows))
def test_no_value_is_cut_off_on_its_way(uploads: Uploads, kind: str, path: CopyPath, bad_rows: BadRows) -> None:
    """A cast to a domain over varchar(3) would."""
    uploads.execute(f"{TYPES}; CREATE DOMAIN code_of_code AS code; CREATE TABLE t (id text PRIMARY KEY, name {kind})")
    file = uploads.folder / "a.parquet"
    pq.write_table(pa.table({"id": ["1", "2"], "name": ["101", "1011"]}), file)
    result = uploads.load_one(file, copy_path=path, bad_rows=bad_rows)
    assert result.status is (FileStatus.FAILED if bad_rows is BadRows.FAIL else FileStatus.SUCCESS), result.notes
    assert "row 2" in result.notes or told(result.counts) == {"read": 2, "inserted": 1, "rejected": 1}
    assert uploads.rows(columns="id, name::text") == ([] if bad_rows is BadRows.FAIL else [("1", "101")])

"""Every type of a fresh server as a target column: what goes in comes out as INSERT … VALUES ('literal') stores it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import psycopg2.errors
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import SchemaMismatchError
from etl.ingestion.model import BadRows, CopyPath, FileStatus, FileType, Header
from etl.statements.quoting import postgresql_literal
from tests.integration.ingestion.conftest import Uploads, told
from tests.integration.ingestion.target_types import WITHOUT_INPUT, Case, every_case

pytestmark = pytest.mark.stack

Rows = list[tuple[str | None, ...]]


COLUMNS_OF_A_TABLE = 120


@pytest.mark.parametrize("copy_path", CopyPath)
@pytest.mark.parametrize("file_type", FileType)
def test_every_type_is_stored_as_insert_stores_it(uploads: Uploads, file_type: FileType, copy_path: CopyPath) -> None:
    for cases in tables_of(every_case(uploads)):
        rows = make_tables(uploads, cases)
        path = write(uploads, cases, rows, file_type)
        for fate in ("inserted", "unchanged"):
            result = uploads.load_one(path, headers=headers_of_cases(cases), copy_path=copy_path)
            assert (result.notes, told(result.counts)) == ("", {"read": len(rows), fate: len(rows)})
        assert differing(uploads, cases) == []


@pytest.mark.slow
@pytest.mark.parametrize("copy_path", CopyPath)
@pytest.mark.parametrize("file_type", FileType)
def test_every_type_beside_a_row_that_is_rejected(uploads: Uploads, file_type: FileType, copy_path: CopyPath) -> None:
    """A batch with a bad row is staged as text and asked value by value: another way in for all its other rows."""
    for cases in tables_of(every_case(uploads)):
        rows = make_tables(uploads, cases)
        bad = ("no number", *(None for _ in cases))
        path = write(uploads, [NUMBER, *cases], [*(("7", *row) for row in rows), bad], file_type)
        uploads.execute("ALTER TABLE t ADD COLUMN number integer")
        options = {"headers": headers_of_cases([NUMBER, *cases]), "copy_path": copy_path, "bad_rows": BadRows.REJECT}
        for fate in ("inserted", "unchanged"):
            result = uploads.load_one(path, **options)
            assert told(result.counts) == {"read": len(rows) + 1, fate: len(rows), "rejected": 1}, result.notes
        assert differing(uploads, cases) == []


@pytest.mark.slow
@pytest.mark.parametrize("file_type", FileType)
def test_every_type_that_can_be_ordered_as_a_key(uploads: Uploads, file_type: FileType) -> None:
    for case in every_case(uploads):
        if not can_be_key(uploads, case):
            continue
        path = write(uploads, [case], [case.literals[:1]], file_type)
        if case.name == "d_mood":
            with pytest.raises(SchemaMismatchError, match="key d_mood: d_mood is a domain over an enumeration"):
                uploads.load(path, headers=headers_of_cases([case]), primary_key=(case.name,))
            continue
        for fate in ("inserted", "unchanged"):
            result = uploads.load_one(path, headers=headers_of_cases([case]), primary_key=(case.name,))
            assert told(result.counts) == {"read": 1, fate: 1}, (case, result.notes)


def can_be_key(uploads: Uploads, case: Case) -> bool:
    """Makes the table; that an array may be a key does not say that its elements can be ordered."""
    key, literal = f'"{case.name}"', postgresql_literal(case.literals[0])
    try:
        uploads.execute(
            f"DROP TABLE IF EXISTS t; CREATE TABLE t ({key} {case.type} PRIMARY KEY, id integer); "
            f"INSERT INTO t VALUES ({literal}, 0), ({literal}, 1) ON CONFLICT DO NOTHING; TRUNCATE t"
        )
    except (psycopg2.errors.UndefinedObject, psycopg2.errors.UndefinedFunction):
        return False
    return True


@pytest.mark.parametrize("file_type", FileType)
def test_a_type_that_takes_no_values_is_refused_by_its_column(uploads: Uploads, file_type: FileType) -> None:
    cases = [Case(f"c_{name}", name, ("x",)) for name in sorted(WITHOUT_INPUT - {"xml"})]
    columns = ", ".join(f"{case.name} {case.type}" for case in cases)
    uploads.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {columns})")
    path = write(uploads, cases, [tuple("x" for _ in cases)], file_type)
    with pytest.raises(SchemaMismatchError) as raised:
        uploads.load(path, headers=headers_of_cases(cases))
    for case in cases:
        assert f"column {case.name}: PostgreSQL takes no value of {case.type} from outside" in str(raised.value)


@pytest.mark.parametrize("file_type", FileType)
@pytest.mark.parametrize(
    "kind",
    [
        "regtype",
        "regclass",
        "regproc",
        "regprocedure",
        "regoper",
        "regoperator",
        "regnamespace",
        "regrole",
        "regconfig",
    ],
)
def test_a_value_that_names_what_is_not_there_is_a_bad_row(uploads: Uploads, kind: str, file_type: FileType) -> None:
    case = Case("v", kind, ())
    uploads.execute(f"CREATE TABLE t (id integer PRIMARY KEY, v {kind})")
    missing = {"regprocedure": "missing(integer)", "regoperator": "@@@@(integer,integer)", "regoper": "@@@@"}
    path = write(uploads, [case], [(None,), (missing.get(kind, "missing"),)], file_type)
    failed = uploads.load_one(path, headers=headers_of_cases([case]))
    assert failed.status is FileStatus.FAILED
    assert "column v" in failed.notes
    assert "does not exist" in failed.notes
    result = uploads.load_one(path, headers=headers_of_cases([case]), bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 2, "inserted": 1, "rejected": 1}


NUMBER = Case("number", "integer", ())


def tables_of(cases: list[Case]) -> Iterator[list[Case]]:
    for at in range(0, len(cases), COLUMNS_OF_A_TABLE):
        yield cases[at : at + COLUMNS_OF_A_TABLE]


def headers_of_cases(cases: list[Case]) -> tuple[Header, ...]:
    return tuple(map(Header, ("id", *(case.name for case in cases))))


def make_tables(uploads: Uploads, cases: list[Case]) -> Rows:
    """`t`, and `expected` with the rows that are returned as INSERT stores them."""
    rows = list(zip_longest(*(case.literals for case in cases)))
    columns = ", ".join(f'"{case.name}" {case.type}' for case in cases)
    values = ", ".join(
        f"({number}, {', '.join('NULL' if value is None else postgresql_literal(value) for value in row)})"
        for number, row in enumerate(rows)
    )
    uploads.execute(
        f"DROP TABLE IF EXISTS t, expected; CREATE TABLE t (id integer PRIMARY KEY, {columns}); "
        f"CREATE TABLE expected (LIKE t); INSERT INTO expected VALUES {values}"
    )
    return rows


def differing(uploads: Uploads, cases: list[Case]) -> list[tuple[object, ...]]:
    """(row, column, stored, expected), compared bit by bit."""
    pieces = []
    for case in cases:
        stored, expected = f't."{case.name}"', f'e."{case.name}"'
        pieces.append(
            f"SELECT id, '{case.name}', {stored}::text, {expected}::text FROM t FULL JOIN expected AS e USING (id) "
            f"WHERE record_image_ne(ROW({stored}), ROW({expected}))"
        )
    return uploads.execute(" UNION ALL ".join(pieces))


def write(uploads: Uploads, cases: list[Case], rows: Rows, file_type: FileType) -> Path:
    """The literals as they are: texts in Parquet, quoted in CSV, where bare nothing is NULL."""
    path = uploads.folder / f"values.{file_type}"
    if file_type is FileType.PARQUET:
        columns = {case.name: pa.array([row[place] for row in rows], pa.string()) for place, case in enumerate(cases)}
        pq.write_table(pa.table({"id": pa.array(range(len(rows)), pa.int32()), **columns}), path)
        return path
    lines = [",".join(["id", *(case.name for case in cases)])]
    for number, row in enumerate(rows):
        lines.append(",".join([str(number), *("" if value is None else quoted(value) for value in row)]))
    return uploads.csv(path.name, *lines)


def quoted(value: str) -> str:
    escaped = value.replace('"', '""')
    return f'"{escaped}"'

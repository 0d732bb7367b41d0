"""citext and collations that call different texts equal: what is stored is what was sent, and every row is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.ingestion.model import BadRows, CopyPath, FileStatus
from tests.contrib import LOOSE
from tests.databases import database_of_its_own
from tests.integration.ingestion.conftest import Uploads, headers_of, order_of, told

pytestmark = [pytest.mark.stack, pytest.mark.slow]

KINDS = ["citext", "text COLLATE loose", "varchar(9) COLLATE loose", "citext_domain"]
PATHS = [CopyPath.AUTO, CopyPath.RECORDS]


@pytest.fixture
def loose(contrib: PostgreSQLSettings, tmp_path: Path) -> Iterator[Uploads]:
    with database_of_its_own(contrib, "loose") as settings:
        uploads = Uploads(settings, tmp_path)
        uploads.execute(f"CREATE EXTENSION citext; {LOOSE}; CREATE DOMAIN citext_domain AS citext")
        yield uploads


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PATHS)
def test_another_case_is_an_update(loose: Uploads, kind: str, path: CopyPath) -> None:
    loose.execute(f"CREATE TABLE t (id int PRIMARY KEY, name {kind}, names citext[])")

    def load(name: str) -> dict[str, int]:
        file = loose.csv("a.csv", "id,name,names", f"1,{name},{{{name}}}", "2,same,{same}")
        result = loose.load_one(file, headers=headers_of("id name names"), copy_path=path)
        assert result.status is FileStatus.SUCCESS, result.notes
        return told(result.counts)

    assert load("Abc") == {"read": 2, "inserted": 2}
    assert load("Abc") == {"read": 2, "unchanged": 2}
    assert load("abc") == {"read": 2, "updated": 1, "unchanged": 1}
    assert loose.rows(columns="id, name::text, names::text") == [(1, "abc", "{abc}"), (2, "same", "{same}")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_one_by_its_index_and_stored_as_it_is_written(loose: Uploads, kind: str, path: CopyPath) -> None:
    loose.execute(f"CREATE TABLE t (id {kind} PRIMARY KEY, name text)")
    assert told(loose.load_one(loose.csv("a.csv", "id,name", "Abc,x"), copy_path=path).counts)["inserted"] == 1
    respelt = loose.load_one(loose.csv("b.csv", "id,name", "abc,x", "B,x"), copy_path=path)
    assert (respelt.notes, told(respelt.counts)) == ("", {"read": 2, "inserted": 1, "updated": 1})
    assert loose.execute('SELECT array_agg(id::text ORDER BY id::text COLLATE "C") FROM t') == [(["B", "abc"],)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bad_rows", list(BadRows))
def test_keys_that_are_equal_within_a_file_are_told(
    loose: Uploads, kind: str, path: CopyPath, bad_rows: BadRows
) -> None:
    """In one batch into an empty table, and into one with rows; also with --rejects reject."""
    loose.execute(f"CREATE TABLE t (id {kind} PRIMARY KEY, name text)")
    for name in ("a.csv", "b.csv"):
        file = loose.csv(name, "id,name", "Abc,1", "abc,2", "x,3")
        result = loose.load_one(file, copy_path=path, bad_rows=bad_rows)
        assert result.status is FileStatus.FAILED
        assert "2 times" in result.notes, result.notes
        assert loose.rows(columns="id::text, name") in ([], [("other", "0")])
        loose.execute("INSERT INTO t VALUES ('other', '0') ON CONFLICT DO NOTHING")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk_size", [1, 2, 100])
def test_the_order_decides_among_equal_keys(loose: Uploads, kind: str, chunk_size: int) -> None:
    rows = ["Abc,1", "abc,3", "ABC,2", "x,1"]
    for turn, turned in enumerate((rows, rows[::-1])):
        loose.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (id {kind} PRIMARY KEY, name text)")
        file = loose.csv(f"{turn}.csv", "id,name", *turned)
        result = loose.load_one(file, dedup_order_by=order_of("name"), chunk_size=chunk_size)
        assert result.status is FileStatus.SUCCESS, result.notes
        assert sum(told(result.counts).values()) == 8
        assert loose.rows(columns="id::text, name") == [("abc", "3"), ("x", "1")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk_size", [1, 100])
def test_texts_that_the_order_calls_equal_do_not_depend_on_batches(loose: Uploads, kind: str, chunk_size: int) -> None:
    rows = ["1,Abc", "1,abc", "1,ABC"]
    outcomes = []
    for turn, turned in enumerate((rows, rows[::-1])):
        loose.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, name {kind})")
        file = loose.csv(f"{turn}.csv", "id,name", *turned)
        result = loose.load_one(file, dedup_order_by=order_of("name"), chunk_size=chunk_size)
        assert result.status is FileStatus.SUCCESS, result.notes
        outcomes.append(loose.rows(columns="id, name::text"))
    assert outcomes[0] == outcomes[1]

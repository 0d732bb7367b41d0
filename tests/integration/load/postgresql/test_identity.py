"""What `=` calls equal and is not the same: a load stores what it was given, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame

from etl.model import WriteMode
from tests.integration.load.postgresql.conftest import Database, counts, facts_of, table_config

pytestmark = pytest.mark.stack

LOOSE: list[tuple[str, str, str]] = [
    ("interval", "30 days", "1 mon"),
    ("interval", "24:00:00", "1 day"),
    ("numeric", "1.5", "1.50"),
    ("numeric[]", "{1.0,NULL}", "{1.00,NULL}"),
    ("jsonb", '{"a": 1.0}', '{"a": 1.00}'),
    ("json", '{"a":1}', '{"a": 1}'),
    ("double precision", "0", "-0"),
    ("real", "-0", "0"),
    ("double precision[]", "{0}", "{-0}"),
    ("time with time zone", "12:00:00+00", "14:00:00+02"),
    ("box", "(2,2),(0,0)", "(1,4),(0,0)"),
    ("circle", "<(0,0),1>", "<(5,5),1>"),
    ("point", "(1,2)", "(1,2.0000000001)"),
    ("polygon", "((0,0),(1,1))", "((1,1),(0,0))"),
    ("numrange", "[1.0,2)", "[1.00,2)"),
    ("nummultirange", "{[1.0,2)}", "{[1.00,2)}"),
    ("integer[]", "{1,2}", "[0:1]={1,2}"),
    ("term", '("30 days",1.5)', '("1 mon",1.50)'),
    ("price", "1.5", "1.50"),
]
"""Type, the value that stands, the value that comes: `=` says they are equal, or cannot say."""

TYPES = """
CREATE TYPE term AS (length interval, price numeric);
CREATE DOMAIN price AS numeric
"""


def columns(position: int) -> str:
    """Row n differs in column n alone."""
    return f"v{position}"


def loose_frame(database: Database, *, changed: bool) -> DataFrame:
    rows = [
        (row, *(after if changed and row == place else before for place, (_, before, after) in enumerate(LOOSE)))
        for row in range(len(LOOSE))
    ]
    schema = ", ".join(["id int", *(f"{columns(place)} string" for place in range(len(LOOSE)))])
    return database.frame(schema, rows)


def create(database: Database, key: str) -> None:
    names = ", ".join(f"{columns(place)} {kind}" for place, (kind, _, _) in enumerate(LOOSE))
    database.execute(f"{TYPES}; CREATE TABLE items (id int {key}, {names})")


def stored(database: Database) -> list[tuple[Any, ...]]:
    texts = ", ".join(f"{columns(place)}::text" for place in range(len(LOOSE)))
    return database.execute(f"SELECT id, {texts} FROM items ORDER BY id")


@pytest.mark.parametrize("mode", [WriteMode.UPSERT, WriteMode.OVERWRITE])
def test_an_upsert_stores_what_is_equal_but_not_the_same(database: Database, mode: WriteMode) -> None:
    create(database, "PRIMARY KEY")
    config, rows = table_config("items", mode=mode), len(LOOSE)
    before, after = loose_frame(database, changed=False), loose_frame(database, changed=True)
    assert counts(database.load(before, config)) == {"inserted": rows}
    assert counts(database.load(before, config, "run-2")) == {"unchanged": rows}

    assert counts(database.load(after, config, "run-2")) == {"updated": rows}
    assert stored(database) == [tuple(row) for row in after.collect()]
    assert counts(database.load(after, config, "run-3")) == {"unchanged": rows}


def test_an_overwrite_without_a_key_sees_them_too(database: Database) -> None:
    create(database, "")
    config, rows = table_config("items", mode=WriteMode.OVERWRITE, key=()), len(LOOSE)
    before, after = loose_frame(database, changed=False), loose_frame(database, changed=True)
    assert counts(database.load(before, config)) == {"inserted": rows}
    assert counts(database.load(before, config, "run-2")) == {"unchanged": rows}

    assert counts(database.load(after, config, "run-2")) == {"inserted": rows, "deleted": rows}
    assert stored(database) == [tuple(row) for row in after.collect()]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("numeric", "1.5", "1.50"),
        ("interval", "30 days", "1 mon"),
        ("double precision", "0", "-0"),
    ],
)
@pytest.mark.parametrize("mode", [WriteMode.UPSERT, WriteMode.OVERWRITE])
def test_a_key_that_is_spelled_otherwise_is_the_same_row_and_takes_the_spelling(
    database: Database, kind: str, before: str, after: str, mode: WriteMode
) -> None:
    database.execute(f"CREATE TABLE items (code {kind} PRIMARY KEY, n int)")
    config = table_config("items", mode=mode, key=("code",))

    def load(code: str, run: str) -> dict[str, int]:
        return counts(database.load(database.frame("code string, n int", [(code, 1)]), config, run))

    assert load(before, "run-1") == {"inserted": 1}
    assert load(after, "run-2") == {"updated": 1}
    assert database.execute("SELECT code::text, n FROM items") == [(after, 1)]
    assert load(after, "run-3") == {"unchanged": 1}


def test_typed_columns_are_compared_as_they_are_stored(database: Database) -> None:
    """Typed in the frame itself: floats and decimals by COPY's binary format, arrays, NULLs, NaN."""
    schema = "id int, d double, f float, ds array<double>, n decimal(9,3), t string, at timestamp"
    nan = float("nan")
    before = [(1, 0.0, nan, [0.0, None, nan], None, "a", None), (2, nan, 0.0, None, None, None, None)]
    after = [(1, -0.0, nan, [0.0, None, nan], None, "a", None), (2, nan, 0.0, None, None, "", None)]
    config = table_config("items")
    first, second = database.frame(schema, before), database.frame(schema, after)
    assert counts(database.loader().load(first, config, facts_of(first))) == {"inserted": 2}
    assert counts(database.loader("run-2").load(first, config, facts_of(first))) == {"unchanged": 2}
    assert counts(database.loader("run-2").load(second, config, facts_of(second))) == {"updated": 2}
    assert database.execute("SELECT d::text FROM items ORDER BY id") == [("-0",), ("NaN",)]

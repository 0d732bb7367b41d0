"""The exact text of what makes a table that awaits its key, and of what gives it."""

from __future__ import annotations

import pytest

from etl.statements.uploader.awaited_key import add_key, await_key, awaited_key, column_definitions, try_key

KEY = ("id", "Order")


def test_key_columns_take_no_null() -> None:
    columns = [("id", "bigint"), ("Order", "text"), ("name", "text")]
    assert column_definitions(columns, KEY) == '"id" bigint NOT NULL, "Order" text NOT NULL, "name" text'


def test_the_comment_names_the_key_in_its_order() -> None:
    comment = 'the uploader adds the primary key when its load has ended: ["id","Order"]'
    assert await_key('"t"', KEY) == f"COMMENT ON TABLE \"t\" IS '{comment}'"
    assert awaited_key(comment) == KEY


@pytest.mark.parametrize(
    "comment", [None, "", "orders by day", "the uploader adds the primary key when its load has ended: ?"]
)
def test_a_comment_of_somebody_else_awaits_nothing(comment: str | None) -> None:
    assert awaited_key(comment) == ()


@pytest.mark.parametrize("names", ['{"id": 1}', "[1]", "null"])
def test_what_is_no_list_of_names_is_no_key(names: str) -> None:
    assert awaited_key(f"the uploader adds the primary key when its load has ended: {names}") == ()


def test_a_key_is_tried_and_added_alike() -> None:
    added = 'ALTER TABLE "t" ADD PRIMARY KEY ("id", "Order")'
    assert add_key('"t"', KEY) == added
    assert try_key('"t"', KEY) == f"SAVEPOINT before_the_key; {added}; ROLLBACK TO SAVEPOINT before_the_key"


def test_a_name_cannot_end_its_quotes() -> None:
    assert add_key("t", ('id") --',)) == 'ALTER TABLE t ADD PRIMARY KEY ("id"") --")'

"""Unique keys beside the conflict target: who keeps a value, who is refused, who may take it over."""

from __future__ import annotations

import pytest

from etl.errors import ContentionError, SchemaMismatchError
from etl.model import ColumnDefinition, ConflictResolution, TableDefinition
from tests.integration.load.postgresql.conftest import Database, counts, table_config

pytestmark = pytest.mark.stack

SCHEMA = "id int, email string"
ACCOUNTS = TableDefinition(
    "accounts",
    (ColumnDefinition("id", "integer", nullable=False), ColumnDefinition("email", "text")),
    ("id",),
    unique_keys=(("email",),),
)
ROWS = "SELECT id, email FROM accounts ORDER BY id"


@pytest.fixture
def accounts(database: Database) -> Database:
    database.definitions = {"accounts": ACCOUNTS}
    return database


def test_batch_keeps_the_smallest_key_and_nulls_are_no_duplicates(accounts: Database) -> None:
    df = accounts.frame(SCHEMA, [(3, "a"), (1, "a"), (2, "b"), (4, None), (5, None)])
    assert counts(accounts.load(df, table_config("accounts"))) == {"inserted": 4, "rejected": 1}
    assert accounts.execute(ROWS) == [(1, "a"), (2, "b"), (4, None), (5, None)]
    assert accounts.execute("SELECT row, reason, status FROM etl.rejects") == [
        ({"id": 3, "email": "a"}, "another row of this load has the same email", "rejected")
    ]


def test_stored_holder_keeps_its_value(accounts: Database) -> None:
    accounts.load(accounts.frame(SCHEMA, [(5, "a")]), table_config("accounts"))
    df = accounts.frame(SCHEMA, [(1, "a"), (2, "b"), (5, "a")])
    assert counts(accounts.load(df, table_config("accounts"), "run-2")) == {
        "inserted": 1,
        "unchanged": 1,
        "rejected": 1,
    }
    alone = accounts.frame(SCHEMA, [(7, "a")])
    assert counts(accounts.load(alone, table_config("accounts"), "run-3")) == {"rejected": 1}
    assert accounts.execute(ROWS) == [(2, "b"), (5, "a")]
    assert accounts.rejects() == [("accounts", "unique:email", "rejected")] * 2


def test_rows_may_exchange_and_pass_on_values(accounts: Database) -> None:
    accounts.load(accounts.frame(SCHEMA, [(1, "a"), (2, "b"), (3, "c")]), table_config("accounts"))
    df = accounts.frame(SCHEMA, [(1, "b"), (2, "a"), (3, "d"), (4, "c")])
    assert counts(accounts.load(df, table_config("accounts"), "run-2")) == {"inserted": 1, "updated": 3}
    assert accounts.execute(ROWS) == [(1, "b"), (2, "a"), (3, "d"), (4, "c")]


def test_holder_that_is_refused_itself_does_not_give_up_its_value(accounts: Database) -> None:
    accounts.load(accounts.frame(SCHEMA, [(1, "a"), (2, "b"), (9, "z")]), table_config("accounts"))
    # 2 wants z, which 9 keeps; so 2 keeps b, and 3 cannot have it
    df = accounts.frame(SCHEMA, [(2, "z"), (3, "b")])
    assert counts(accounts.load(df, table_config("accounts"), "run-2")) == {"rejected": 2}
    assert accounts.execute(ROWS) == [(1, "a"), (2, "b"), (9, "z")]


def test_users_own_immediate_key_lets_new_rows_follow_but_no_exchange(database: Database) -> None:
    database.execute("CREATE TABLE accounts (id int PRIMARY KEY, email text UNIQUE)")
    database.load(database.frame(SCHEMA, [(1, "a"), (2, "b"), (3, "c")]), table_config("accounts"))
    df = database.frame(SCHEMA, [(1, "b"), (2, "a"), (3, "d"), (4, "c")])
    assert counts(database.load(df, table_config("accounts"), "run-2")) == {
        "inserted": 1,
        "updated": 1,
        "rejected": 2,
    }
    assert database.execute(ROWS) == [(1, "a"), (2, "b"), (3, "d"), (4, "c")]


def test_skip_leaves_the_holder_where_it_is(accounts: Database) -> None:
    config = table_config("accounts", conflict_resolution=ConflictResolution.SKIP)
    accounts.load(accounts.frame(SCHEMA, [(1, "a")]), config)
    df = accounts.frame(SCHEMA, [(1, "x"), (2, "a"), (3, "c")])
    assert counts(accounts.load(df, config, "run-2")) == {"inserted": 1, "skipped": 1, "rejected": 1}
    assert accounts.execute(ROWS) == [(1, "a"), (3, "c")]


def test_missing_arbiter_is_named_with_its_ddl(database: Database) -> None:
    database.execute("CREATE TABLE accounts (id int, email text); CREATE UNIQUE INDEX ON accounts (id) WHERE id > 0")
    with pytest.raises(SchemaMismatchError, match=r'ALTER TABLE "public"\."accounts" ADD UNIQUE \("id"\)'):
        database.load(database.frame(SCHEMA, [(1, "a")]), table_config("accounts"))


def test_index_that_cannot_be_looked_into_publishes_nothing(database: Database) -> None:
    database.execute("CREATE TABLE accounts (id int PRIMARY KEY, email text)")
    database.execute("CREATE UNIQUE INDEX accounts_lower ON accounts (lower(email))")
    with pytest.raises(ContentionError, match="accounts_lower"):
        database.load(database.frame(SCHEMA, [(1, "a"), (2, "A")]), table_config("accounts"))
    assert database.execute(ROWS) == []
    assert database.staging_tables() == []

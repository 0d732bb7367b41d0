"""What an orchestrator's attempt publishes after it was given up does not commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.errors import FencedError
from etl.fencing import Fence
from etl.ledger import Ledger
from tests.fences import give_up, install_orchestrator, new_attempt
from tests.integration.load.postgresql.conftest import Database, counts, table_config

pytestmark = pytest.mark.stack

PARENT, CHILD = "id int", "id int, parent_id int"


@pytest.fixture(scope="module", autouse=True)
def orchestrator(loader_server: PostgreSQLSettings) -> None:
    install_orchestrator(loader_server)


@pytest.fixture
def fence(database: Database) -> Fence:
    return new_attempt(database.execute)


@pytest.fixture
def ledger(database: Database, fence: Fence) -> Iterator[Ledger]:
    with closing(Ledger(database.settings.of_attempt(fence))) as ledger:
        yield ledger


def test_rows_and_those_that_waited_commit_only_while_the_attempt_is_held(
    database: Database, ledger: Ledger, fence: Fence
) -> None:
    database.execute("CREATE TABLE parents (id int PRIMARY KEY)")
    database.execute("CREATE TABLE children (id int PRIMARY KEY, parent_id int REFERENCES parents)")
    parents, children = table_config("parents"), table_config("children")
    database.load(database.frame(CHILD, [(3, 1)]), children)
    database.load(database.frame(PARENT, [(1,)]), parents)
    held = database.loader(record=lambda cursor, _: ledger.hold_fence(cursor), hold_fence=ledger.hold_fence)
    assert counts(held.load(database.frame(PARENT, [(2,)]), parents)) == {"inserted": 1}

    assert give_up(database.execute, fence)
    with pytest.raises(FencedError, match=f"attempt {fence.token}"):
        held.load(database.frame(PARENT, [(9,)]), parents)
    with pytest.raises(FencedError, match=f"attempt {fence.token}"):
        held.replay_orphans([children])

    assert database.execute("SELECT id FROM parents ORDER BY id") == [(1,), (2,)]
    assert database.execute("SELECT * FROM children") == []
    assert [status for _, _, status in database.rejects()] == ["waiting"]
    assert database.staging_tables() == []

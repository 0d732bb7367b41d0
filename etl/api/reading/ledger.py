"""One look at the ledger: all statements of a block see the same snapshot of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import cursor as Cursor

from etl.api.problems import ProblemError
from etl.api.reading.seen import Seen
from etl.command.typed import etl_as_typed
from etl.errors import StoreError
from etl.postgresql.door import sqlstate
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import statement

Row = dict[str, Any]

_MISSING = {"42P01", "42703", "3F000", "42883"}
"""No such table, column, schema or function."""


class Look:
    """Statements of page.sql, by name."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def execute(self, text: str, **parameters: Any) -> None:
        """For what is made here, not named: a table's own name."""
        self._cursor.execute(text, parameters)

    def fetch(self, text: str) -> list[tuple[Any, ...]]:
        self._cursor.execute(text)
        return self._cursor.fetchall()

    def tuples(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        self._cursor.execute(statement(name), parameters)
        return self._cursor.fetchall()

    def rows(self, name: str, **parameters: Any) -> list[Row]:
        found = self.tuples(name, **parameters)
        names = [column.name for column in self._cursor.description or ()]
        return [dict(zip(names, each, strict=True)) for each in found]

    def row(self, name: str, **parameters: Any) -> Row | None:
        """The first, where there is any."""
        return next(iter(self.rows(name, **parameters)), None)

    def one(self, name: str, **parameters: Any) -> Row:
        """Of a statement that always answers."""
        (found,) = self.rows(name, **parameters)
        return found

    def seen(self) -> Seen:
        ((incarnation, snapshot),) = self.tuples("page_snapshot")
        return Seen(incarnation, snapshot)


@contextmanager
def looking(database: StagingDatabase, doing: str) -> Iterator[Look]:
    """Reads only, also on a standby."""
    try:
        with database.transaction(doing) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield Look(cursor)
    except StoreError as error:
        if sqlstate(error) not in _MISSING:
            raise
        raise ProblemError(
            503,
            "ledger_missing",
            f"{database.settings.address} has no staging ledger of this version in schema {database.schema!r}",
            f"run `{etl_as_typed()} staging init`",
        ) from error

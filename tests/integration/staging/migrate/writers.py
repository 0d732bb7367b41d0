"""Legacy writers that go on while their tables are migrated: they insert, insert again, update, and know no contract.

Each statement is one transaction that waits ten seconds at most: a table locked for longer fails the test.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg2

from etl.config.settings import PostgreSQLSettings
from etl.statements.quoting import postgresql_identifier as quoted
from tests.integration.staging.legacy import LegacyTable, Row

_REFUSED = frozenset({"23502", "23503", "23505", "23514", "22P02"})
"""What the contract forbids: no source_id, lineage that nobody knows, a second row of a source_id, no JSON."""


class Writers:
    """`with Writers(...) as writers:` — `tokens` are of the rows that were committed."""

    def __init__(self, database: PostgreSQLSettings, tables: Sequence[LegacyTable], count: int = 3) -> None:
        self._database = database
        self._tables = [table for table in tables if table.is_busy]
        self._stop = threading.Event()
        self._tokens = itertools.count(1_000_000_000)
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]
        self.failures: list[Exception] = []
        self.tokens: dict[str, set[int]] = {table.name: set() for table in self._tables}
        self.statements = 0

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        try:
            with closing(psycopg2.connect(**self._database.connection_parameters)) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '10s'")
                    while not self._stop.wait(0.004):
                        self._write(cursor, chance, chance.choice(self._tables))
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(error)

    def _write(self, cursor: Any, chance: random.Random, table: LegacyTable) -> None:
        try:
            if chance.random() < 0.4:
                self._update(cursor, chance, table)
            else:
                self._insert(cursor, chance, table)
        except psycopg2.Error as error:
            if error.pgcode not in _REFUSED:
                raise RuntimeError(f"{table.name}: {error.pgcode} {error}") from error
        self.statements += 1

    def _insert(self, cursor: Any, chance: random.Random, table: LegacyTable) -> None:
        token = next(self._tokens)
        row = self._row(chance, table, token)
        text, values = table.insert(row)
        if table.has_unique_key:
            text += " ON CONFLICT (source_id) DO UPDATE SET data = excluded.data"
        cursor.execute(f"{text} RETURNING token", values)
        ((stored,),) = cursor.fetchall()
        if stored == token:
            self.tokens[table.name].add(token)

    def _row(self, chance: random.Random, table: LegacyTable, token: int) -> Row:
        key = chance.choice([chance.randrange(24), token % 1_000_000_000 + 1000])
        flaw = chance.random()
        if flaw < 0.03:
            return table.row(token, None, 30, "{}")
        return table.row(token, key, 30, "{broken" if flaw < 0.06 else '{"written": "meanwhile"}')

    def _update(self, cursor: Any, chance: random.Random, table: LegacyTable) -> None:
        name = quoted(table.name).replace("%", "%%")
        cursor.execute(
            f"UPDATE {name} SET data = %s WHERE source_id = %s",
            ('{"updated": true}', table.source_id(chance.randrange(24))),
        )

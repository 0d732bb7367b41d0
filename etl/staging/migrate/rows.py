"""Steps that move or fill rows: in batches, each committed, in passes over the table until none is left.

A batch skips rows that others hold; the next pass finds them. Writers that keep adding such rows end a loop by their
mere number of passes: what they add is refused from a later step on, and taken by the pass after that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from etl.errors import ContentionError
from etl.staging.ledger.queries import statement
from etl.staging.migrate.session import Session
from etl.statements.quoting import postgresql_name
from etl.statements.staging import migration as sql
from etl.statements.staging.migration import LegacyRows

_PASSES = 10
_DUPLICATES_AT_ONCE = 100_000

_LINEAGE_IDS = ("etl_job_id", "etl_run_id")


class RowWork:
    """On one table."""

    def __init__(
        self, session: Session, table: str, *, silences_triggers: bool, check: Callable[[], None] = lambda: None
    ) -> None:
        self._session = session
        self._settings = session.settings
        self._table = table
        self._silences_triggers = silences_triggers
        self._check = check

    def count(self) -> int:
        with self._session.transaction(f"{self._table}: count rows") as cursor:
            cursor.execute(sql.count_rows(self._table))
            return int(cursor.fetchone()["count"])

    def archive_unusable(self, rows: LegacyRows) -> int:
        return self._sweep("archive unusable rows", sql.archive_unusable(rows), sql.is_unusable(rows))

    def fill(self, values: Mapping[str, str]) -> int:
        return self._sweep("fill columns", sql.fill(self._table, values), sql.is_unfilled(values))

    def archive_duplicates(self, rows: LegacyRows) -> int:
        def archive_found() -> tuple[int, bool]:
            places = self._duplicates(rows)
            size = self._settings.rows_per_batch
            chunks = [places[start : start + size] for start in range(0, len(places), size)]
            moved = sum(self._batch("archive duplicates", sql.archive_duplicates(rows), {"places": c}) for c in chunks)
            return moved, bool(places)

        return self._repeat("archive duplicates", archive_found)

    def register_lineage(self) -> None:
        for column, register in zip(_LINEAGE_IDS, (sql.register_jobs, sql.register_runs), strict=True):
            with self._session.transaction(f"{self._table}: register {column}") as cursor:
                cursor.execute(register(self._table), {"table": self._table})
            text = sql.replace_lineage(self._table, column, self._historical(column))
            self._sweep(f"replace unknown {column}", text, sql.is_unknown_lineage(column))

    def _historical(self, column: str) -> str:
        settings = self._settings
        return settings.historical_job_id if column == "etl_job_id" else settings.historical_run_id

    def _sweep(self, what: str, text: str, condition: str) -> int:
        return self._repeat(what, lambda: (self._pass(what, text), self._has(what, condition)))

    def _repeat(self, what: str, work: Callable[[], tuple[int, bool]]) -> int:
        """Until `work` (rows done, whether any were left) leaves none; where all that is left is held, it waits."""
        done, passes = 0, 0
        for pause in self._session.pauses():
            while passes < _PASSES:
                changed, is_left = work()
                done += changed
                if not is_left:
                    return done
                if not changed:
                    break
                # a large first harvest is no writer's doing
                passes += changed < self._settings.rows_per_batch
            else:
                return done
            time.sleep(pause)
        raise ContentionError(
            f"{self._table}: {what}: rows are held by {self._session.holders(self._table)}; end that transaction and"
            " migrate again, it goes on where it stopped"
        )

    def _pass(self, what: str, text: str) -> int:
        """Once over all pages, those included that it fills itself."""
        step, first, done = self._settings.pages_per_batch, 0, 0
        while first < self._pages():
            done += self._batch(what, text, {"first": f"({first},0)", "end": f"({first + step},0)"})
            first += step
        return done

    def _batch(self, what: str, text: str, values: Mapping[str, Any]) -> int:
        self._check()
        own = {"table": self._table, "run_id": self._settings.historical_run_id}
        with self._session.transaction(f"{self._table}: {what}") as cursor:
            if self._silences_triggers:
                cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(text, {**own, **values})
            return int(cursor.rowcount)

    def _duplicates(self, rows: LegacyRows) -> list[str]:
        with self._session.transaction(f"{self._table}: find duplicates") as cursor:
            cursor.execute(sql.find_duplicates(rows, _DUPLICATES_AT_ONCE))
            return [row["place"] for row in cursor.fetchall()]

    def _has(self, what: str, condition: str) -> bool:
        with self._session.transaction(f"{self._table}: {what}") as cursor:
            cursor.execute(sql.has_rows(self._table, condition))
            return bool(cursor.fetchone()["exists"])

    def _pages(self) -> int:
        with self._session.transaction(f"{self._table}: measure") as cursor:
            cursor.execute(statement("legacy_pages"), {"table": postgresql_name(self._settings.schema, self._table)})
            return int(cursor.fetchone()["pages"])

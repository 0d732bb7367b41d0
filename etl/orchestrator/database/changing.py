"""Does the steps of a migration, each so that those who work in the table meanwhile hardly notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tenacity import Retrying, retry_if_exception_type, wait_random_exponential

from etl.errors import ContentionError, StoreError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.filling import fill_runs
from etl.orchestrator.database.hygiene import RULES, resolved
from etl.orchestrator.database.steps import BuildIndex, Change, Fill, Look, Step
from etl.postgresql.door import sqlstate
from etl.postgresql.sqlstates import UNIQUE_VIOLATION
from etl.retrying import retrying
from etl.statements.quoting import postgresql_identifier as quoted

LOCK_TIMEOUT_SECONDS = 0.5
"""Whoever comes after us in a lock's queue waits too, so we give up soon, and try again; and before the server looks
for deadlocks (1 s), so that it is never the other who gives way."""

MAINTENANCE_SECONDS = 10.0
"""An autovacuum gives way after a second, to whoever waits for it; nobody waits behind this lock."""

_TRIES = 100
_WAITS = wait_random_exponential(multiplier=0.1, max=2)
_BUILDS = 5
_LONGEST_LOOK_SECONDS = 6 * 3600.0
_LONGEST_BUILD_WAIT_SECONDS = 600.0
"""For transactions that are open on the table, and those that may still look for what an index would not have."""

Tell = Callable[[str], None]


class Changing:
    """`check` raises where the migration's lease was lost; `told` collects what hygiene resolved."""

    def __init__(self, database: OrchestratorDatabase, check: Callable[[], None], tell: Tell, told: list[str]) -> None:
        self._database = database
        self._check = check
        self._tell = tell
        self._told = told

    def do(self, step: Step) -> None:
        self._check()
        began = time.monotonic()
        try:
            self._do(step)
        except ContentionError as error:
            raise ContentionError(
                f"{error.message}; {self._open_transactions()}; migrate again, it goes on where it stopped"
            ) from error
        self._tell(f"{step.table}: {step.what} ({time.monotonic() - began:.1f} s)")

    def _do(self, step: Step) -> None:
        match step:
            case Change():
                self._change(step.table, step.what, step.statements)
            case Look():
                self._look(step)
            case Fill():
                fill_runs(self._database)
            case BuildIndex():
                self._build(step)

    def _change(self, table: str, what: str, statements: Sequence[str]) -> None:
        for attempt in self._giving_way(table, what):
            with (
                attempt,
                self._database.transaction(f"{table}: {what}", lock_timeout_seconds=MAINTENANCE_SECONDS) as cursor,
            ):
                cursor.execute(f"LOCK TABLE {quoted(table)} IN SHARE UPDATE EXCLUSIVE MODE")
                cursor.execute(f"SET LOCAL lock_timeout = {int(LOCK_TIMEOUT_SECONDS * 1000)}")
                for text in statements:
                    cursor.execute(text)

    def _look(self, step: Look) -> None:
        """Its lock lets readers and writers go on."""
        limits = {"statement_timeout_seconds": _LONGEST_LOOK_SECONDS, "lock_timeout_seconds": MAINTENANCE_SECONDS}
        for attempt in self._giving_way(step.table, step.what):
            with attempt, self._database.transaction(f"{step.table}: {step.what}", **limits) as cursor:
                cursor.execute(step.statement)

    def _build(self, step: BuildIndex) -> None:
        """A try that failed leaves an index that is not valid, which still refuses duplicates: it goes at once."""
        create = step.definition.replace("INDEX ", "INDEX CONCURRENTLY ", 1)
        if step.replaces:
            self._drop(step)
        for last in [False] * (_BUILDS - 1) + [True]:
            self._told += resolved(self._database, step.name)
            try:
                self._alone(step, create)
                return
            except (ContentionError, StoreError) as error:
                self._drop(step)
                if last or not _is_worth_another(error, step):
                    raise

    def _drop(self, step: BuildIndex) -> None:
        for attempt in self._giving_way(step.table, f"drop {step.name}"):
            with attempt:
                self._alone(step, f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(step.name)}")

    def _alone(self, step: BuildIndex, text: str) -> None:
        self._database.alone(f"{step.table}: {step.what}", text, lock_timeout_seconds=_LONGEST_BUILD_WAIT_SECONDS)

    def _open_transactions(self) -> str:
        """Whom it may have waited for."""
        rows = self._database.at_once("oldest_transactions", {"schema": self._database.schema})
        told = [
            f"process {row['pid']} ({row['user_name']}, {row['application_name'] or 'no name'}, {row['state']}) for"
            f" {row['seconds']} s"
            for row in rows
        ]
        return f"transactions that are open: {', '.join(told)}" if told else "no transaction is open any more"

    def _giving_way(self, table: str, what: str) -> Retrying:
        again = retry_if_exception_type(ContentionError)
        return retrying(_TRIES, 0, "migrate_gives_way", again=again, waits=_WAITS, table=table, step=what)


def _is_worth_another(error: Exception, step: BuildIndex) -> bool:
    """Whoever was in the way may be gone; what somebody wrote meanwhile is resolved again."""
    return isinstance(error, ContentionError) or (sqlstate(error) == UNIQUE_VIOLATION and step.name in RULES)

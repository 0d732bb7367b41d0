"""What the workers of one upload share, and the settings of their transactions."""

from __future__ import annotations

from dataclasses import dataclass

from etl.fencing import Fence
from etl.ingestion.database.settings import Dsn
from etl.ingestion.database.target import TargetTable
from etl.ingestion.model import Mode, UploadOptions
from etl.statements.quoting import postgresql_literal

# The planner knows nothing of a table made a moment ago; a look into the index for each row is right for any batch.
_INDEX_ONLY = ("SET LOCAL enable_hashjoin = off", "SET LOCAL enable_mergejoin = off")


def limits(lock_timeout_seconds: int, statement_timeout_seconds: int) -> tuple[str, ...]:
    """What every transaction begins with, so that no statement waits longer than it may."""
    return (
        f"SET LOCAL lock_timeout = {lock_timeout_seconds * 1000}",
        f"SET LOCAL statement_timeout = {statement_timeout_seconds * 1000}",
        "SET LOCAL client_min_messages = warning",
    )


@dataclass
class Freshness:
    """Whether rows may still go straight into the table: it was empty when the run began, and no key has clashed since.

    Then COPY alone is an upsert: every row is a new one, or the transaction fails and the batch is merged instead.
    `awaits_key`: the table has no key yet, and takes every row; which keys clash is found when it is added.
    """

    is_fresh: bool
    awaits_key: bool = False

    def has_met_a_key(self) -> None:
        self.is_fresh = self.awaits_key = False


@dataclass(frozen=True)
class WritePlan:
    """What the workers share. `fence`: of an orchestrator's attempt, where this database can ask it."""

    dsn: Dsn
    options: UploadOptions
    target: TargetTable
    freshness: Freshness
    fence: Fence | None = None

    @property
    def is_upsert(self) -> bool:
        return self.options.mode is Mode.UPSERT

    @property
    def manifest_table(self) -> str:
        """The target as the manifest knows it, however the call spelled it."""
        target = self.target
        return self.options.table if target.schema is None else f"{target.schema}.{target.name}"

    @property
    def settings(self) -> tuple[str, ...]:
        """For each transaction, since none of them outlives it."""
        options = self.options
        return (
            *limits(options.lock_timeout_seconds, options.statement_timeout_seconds),
            "SET LOCAL idle_in_transaction_session_timeout = 0",
            "SET LOCAL jit = off",
            f"SET LOCAL TimeZone = {postgresql_literal(options.timezone or 'UTC')}",
        )

    @property
    def limits(self) -> tuple[str, ...]:
        return limits(self.options.lock_timeout_seconds, self.options.statement_timeout_seconds)

    @property
    def merge_settings(self) -> tuple[str, ...]:
        return (*self.settings, *_INDEX_ONLY)

    @property
    def key(self) -> tuple[str, ...]:
        """Empty where rows are appended: the key serves to make the table then, no more."""
        return self.options.primary_key if self.is_upsert else ()

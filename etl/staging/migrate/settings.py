"""What a migration is asked to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from etl.errors import UsageError
from etl.postgresql.next_steps import Advice
from etl.staging.ledger.run_ids import RUN_ID

ADVICE = Advice(
    statement="raise the server's statement_timeout_seconds in etl.yaml and migrate again, it goes on where it ended",
    lock="end that session and migrate again, it goes on where it stopped",
    connections="end another session",
)


@dataclass(frozen=True)
class MigrationSettings:
    """`pattern`: % stands for anything, every other character (also _) for itself.

    `time_zone` is that of legacy instants stored without one. Waiting for a lock of the table takes at most
    `lock_timeout_seconds` at a time, since whoever comes later queues behind; it is tried `lock_attempts` times.
    """

    schema: str = "public"
    pattern: str = "stg_%"
    historical_job_id: str = "historical"
    historical_run_id: str = "historical"
    time_zone: str = "UTC"
    has_source_updated_at: bool = True
    has_hash_digest: bool = True
    has_gin_index: bool = False
    lock_timeout_seconds: float = 1.0
    lock_attempts: int = 30
    longest_pause_seconds: float = 5.0
    index_wait_seconds: float = 600.0
    attempts: int = 5
    """Of a table, when the connection is lost or a lock is not to be had."""
    pages_per_batch: int = 128
    rows_per_batch: int = 5000
    adopts_ledger: bool = False
    """Takes over etl_jobs and etl_runs of another system that stand where the ledger is to stand."""

    def __post_init__(self) -> None:
        for name, value in (("job", self.historical_job_id), ("run", self.historical_run_id)):
            if not re.fullmatch(RUN_ID, value):
                raise UsageError(
                    f"expected a historical {name} id of letters, digits, - and _ (at most 128), found {value!r}"
                )

    @property
    def adopted_schema(self) -> str:
        """Where the other system's tables are kept."""
        return f"{self.schema}_adopted"

    @property
    def like_pattern(self) -> str:
        """As LIKE reads it."""
        return "%".join(like_literally(part) for part in self.pattern.split("%"))


def like_literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")

"""Names of a load's staging tables: they say which target and which run they belong to, in bounded length.

    _stg_<target>_<run>_<try>_p<partition>_a<attempt>    what one attempt of one Spark task staged
    _stg_<target>_<run>_<try>_new                        the next content of the target; after the exchange, the former
    _stg_<target>_<run>_<try>_changes                    keys that are not as they stand in the target
    _stg_<target>_<run>_<try>_gone_p<partition>_a<attempt>    keys that the source calls deleted
    _stg_<target>_<run>_<try>_raw                        rows as Spark's JDBC writer can send them

A table of the operator's own never starts with `_stg_` and a digest of another table's name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_PLAIN_RUN_ID = re.compile(r"[A-Za-z0-9-]{1,48}")


@dataclass(frozen=True)
class StagingNames:
    """The names of one try of one load."""

    database: str
    base: str

    def attempt(self, part: int, attempt: int) -> str:
        return f"{self.base}_p{part}_a{attempt}"

    @property
    def new(self) -> str:
        return f"{self.base}_new"

    @property
    def changes(self) -> str:
        return f"{self.base}_changes"

    @property
    def of_gone(self) -> StagingNames:
        return StagingNames(self.database, f"{self.base}_gone")

    @property
    def raw(self) -> str:
        return f"{self.base}_raw"


def staging_names(database: str, target: str, run_id: str, load_try: str) -> StagingNames:
    return StagingNames(database, f"{staging_prefix(database, target)}{run_token(run_id)}_{load_try}")


def staging_prefix(database: str, target: str) -> str:
    """What all staging tables of one target start with, whatever the run."""
    return f"_stg_{_digest(f'{database}.{target}', 12)}_"


def run_token(run_id: str) -> str:
    """The run's id where it can stand in a table name as it is, else a digest; never holds an underscore."""
    return run_id if _PLAIN_RUN_ID.fullmatch(run_id) else _digest(run_id, 20)


def run_token_of(prefix: str, staging_table: str) -> str:
    """The run token within a staging table's name."""
    return staging_table.removeprefix(prefix).split("_", 1)[0]


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]

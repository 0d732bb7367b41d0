"""What brings the tables to their shape, a piece at a time. Each piece can be tried again: a migration that was ended
in the middle looks at the catalogs and finds what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class Phase(IntEnum):
    """In their order; between them come the jobs of conf/jobs and the history."""

    TABLES = 1
    CONSTRAINTS = 2
    ONE_AT_A_TIME = 3


@dataclass(frozen=True)
class Step:
    phase: Phase
    table: str
    what: str


@dataclass(frozen=True)
class Change(Step):
    """One short transaction that gives way where somebody holds the table."""

    statements: tuple[str, ...]


@dataclass(frozen=True)
class Look(Step):
    """Reads all rows of the table while others write: VALIDATE."""

    statement: str


@dataclass(frozen=True)
class Fill(Step):
    """Values for columns that rows made elsewhere do not have."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class BuildIndex(Step):
    """CONCURRENTLY; `replaces`: one of this name stands that is broken or another."""

    name: str
    definition: str
    replaces: bool = False


@dataclass(frozen=True)
class Refusal:
    """What no step can mend."""

    table: str
    found: str


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    is_new: bool = False
    """Nothing stands: all of it is made in one transaction."""
    missing: tuple[str, ...] = field(default=())
    """Names of the migrations that are not recorded."""

    def of(self, phase: Phase) -> list[Step]:
        return [step for step in self.steps if step.phase is phase]

    @property
    def is_empty(self) -> bool:
        return not (self.steps or self.refusals or self.missing)

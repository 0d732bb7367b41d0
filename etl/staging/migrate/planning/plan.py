"""The plan of a migration: what is done to each table, or why nothing is. A dry run is the plan itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from etl.staging.migrate.adopting import Adoption
from etl.staging.migrate.planning.columns import Columns
from etl.staging.migrate.planning.facts import TableFacts
from etl.staging.migrate.planning.notes import notes_of
from etl.staging.migrate.planning.planner import Planner
from etl.staging.migrate.planning.refusals import refusal_of
from etl.staging.migrate.planning.steps import Step
from etl.staging.migrate.settings import MigrationSettings


@dataclass(frozen=True)
class Defects:
    rows: int
    unusable: int
    duplicates: int


@dataclass(frozen=True)
class TablePlan:
    """`skipped` says why nothing is done; without it, no steps means that the contract holds.

    `defects` are counted for a plan that is printed; None where none are possible or nobody asked.
    """

    table: str
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: str | None = None
    defects: Defects | None = None

    def with_defects(self, defects: Defects) -> TablePlan:
        return replace(self, defects=defects)


@dataclass(frozen=True)
class MigrationPlan:
    address: str
    schema: str
    pattern: str
    tables: tuple[TablePlan, ...]
    adopted: tuple[Adoption, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not any(table.steps for table in self.tables)


def plan_table(facts: TableFacts, settings: MigrationSettings) -> TablePlan:
    """Pure: the same catalogs give the same plan."""
    if facts.refusal:
        return TablePlan(facts.name, skipped=facts.refusal)
    planner = Planner(Columns(facts, settings), settings)
    refusal = refusal_of(planner.columns, moves_rows=planner.moves_rows)
    if refusal:
        return TablePlan(facts.name, skipped=refusal)
    steps = tuple(planner.steps())
    return TablePlan(facts.name, steps, notes_of(planner.columns) if steps else ())

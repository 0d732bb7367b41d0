"""What becomes of each column of the contract in one legacy table, and how its value is read from the legacy row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from etl.staging.migrate.planning.facts import ColumnFacts, TableFacts
from etl.staging.migrate.settings import MigrationSettings
from etl.statements.quoting import postgresql_identifier as quoted
from etl.statements.quoting import postgresql_literal as literal
from etl.statements.staging.migration import LegacyColumn, LegacyRows
from etl.statements.staging.tables import Column, StagingTable, columns_of
from etl.statements.staging.values import INTERNAL_NAMES, is_partial, read_as

NEW_PREFIX = "etl_new_"
_INSTANTS = {
    "loaded_at": ("updated_at", "created_at"),
    "created_at": ("loaded_at", "updated_at"),
    "updated_at": ("loaded_at", "created_at"),
}
"""What is taken for an unknown instant, the first that is known."""

Stored = Callable[[str], str]
"""SQL of a stored column: in a statement by its name, in a trigger as NEW's."""


class Treatment(StrEnum):
    KEEP = "keep"
    ADD = "add"
    ALTER = "alter"  # the type, without a rewrite
    REPLACE = "replace"  # by a new column that is filled in batches and takes the name at the end


@dataclass(frozen=True)
class ColumnPlan:
    wanted: Column
    found: ColumnFacts | None
    treatment: Treatment

    @property
    def place(self) -> str:
        """The column that holds the contract's value until the new columns take the old ones' names."""
        return NEW_PREFIX + self.wanted.name if self.treatment is Treatment.REPLACE else self.wanted.name


class Columns:
    """The contract's columns beside the table's."""

    def __init__(self, facts: TableFacts, settings: MigrationSettings) -> None:
        self.facts = facts
        self.contract = contract_of(facts.name, settings)
        self._settings = settings
        self.plans = {
            column.name: ColumnPlan(column, facts.columns.get(column.name), self._treatment(column))
            for column in columns_of(self.contract)
        }

    def of(self, *treatments: Treatment) -> list[ColumnPlan]:
        return [plan for plan in self.plans.values() if plan.treatment in treatments]

    def value(self, name: str, stored: Stored = quoted) -> str | None:
        """The stored value as the contract's type; None where the column is missing or means nothing known."""
        plan = self.plans.get(name)
        if plan is None or plan.found is None:
            return None
        if plan.treatment in (Treatment.KEEP, Treatment.ALTER):
            return stored(name)
        keeps_any, zone = name == "validation_errors", self._settings.time_zone
        read = read_as(plan.wanted.type, plan.found.type, stored(name), time_zone=zone, keeps_any=keeps_any)
        return f'({read}) COLLATE "default"' if read and plan.found.is_loose and plan.wanted.type == "text" else read

    def filled(self, name: str, stored: Stored = quoted) -> str:
        """What the column shall hold, for rows that stand already too."""
        value, fallback = self.value(name, stored), self._fallback(name, stored)
        if value is None:
            return fallback or "NULL"
        if fallback is None:
            return value
        # an unreadable value is no unknown one: it stays NULL, and its row is archived
        return f"CASE WHEN {stored(name)} IS NULL THEN {fallback} ELSE {value} END"

    def constant(self, name: str) -> str | None:
        """What all standing rows get in a missing column, where that is the same for all of them."""
        if name in _INSTANTS:
            return None if self._known_instants(name) else "now()"
        if name == "is_valid" and self.value("validation_errors"):
            return None
        return self._fallback(name, quoted)

    def default(self, name: str) -> str | None:
        """For new rows. Writers that know nothing of lineage go on writing: their rows are the historical run's."""
        return self._historical(name) or self.plans[name].wanted.default

    def rows(self, *, is_extended: bool) -> LegacyRows:
        """`is_extended`: the missing columns have been added."""
        return LegacyRows(
            table=self.facts.name,
            columns=tuple(
                LegacyColumn(column.name, column.type)
                for column in self.facts.columns.values()
                if not column.name.startswith(NEW_PREFIX)
            ),
            source_id=self.value("source_id") or quoted("source_id"),
            data=self.value("data") or quoted("data"),
            source_updated_at=self._order("source_updated_at", is_extended),
            loaded_at=self._order("loaded_at", is_extended),
            partial=tuple(
                (plan.wanted.name, quoted(plan.wanted.name), self.value(plan.wanted.name) or "NULL", plan.wanted.type)
                for plan in self.partial()
            ),
        )

    def partial(self) -> list[ColumnPlan]:
        """Columns in which a value may stand that cannot be read."""
        return [
            plan
            for plan in self.of(Treatment.REPLACE)
            if plan.found and plan.wanted.name != "validation_errors" and is_partial(plan.wanted.type, plan.found.type)
        ]

    def _order(self, name: str, is_extended: bool) -> str | None:
        return self.value(name) or (quoted(name) if is_extended and name in self.plans else None)

    def _fallback(self, name: str, stored: Stored) -> str | None:
        if name in _INSTANTS:
            known = [value for other in _INSTANTS[name] if (value := self.value(other, stored))]
            return f"coalesce({', '.join([*known, 'clock_timestamp()'])})" if known else "clock_timestamp()"
        if name == "is_valid":
            return f"({errors}) IS NULL" if (errors := self.value("validation_errors", stored)) else "true"
        return self._historical(name) or self.plans[name].wanted.default

    def _known_instants(self, name: str) -> list[str]:
        return [other for other in _INSTANTS[name] if self.value(other)]

    def _historical(self, name: str) -> str | None:
        ids = {"etl_job_id": self._settings.historical_job_id, "etl_run_id": self._settings.historical_run_id}
        return literal(ids[name]) if name in ids else None

    def _treatment(self, wanted: Column) -> Treatment:
        found = self.facts.columns.get(wanted.name)
        if found is None:
            return Treatment.ADD
        if found.is_loose:
            return Treatment.REPLACE
        if found.type == INTERNAL_NAMES[wanted.type]:
            return Treatment.KEEP if found.is_plain else Treatment.ALTER
        if wanted.type == "text" and found.type == "varchar":
            return Treatment.ALTER
        # in UTC both types hold the same bytes; an index on the column would still be built anew
        is_same_in_utc = (
            wanted.type == "timestamptz" and found.type == "timestamp" and self._settings.time_zone == "UTC"
        )
        is_indexed = any(wanted.name in index.columns for index in self.facts.indexes)
        return Treatment.ALTER if is_same_in_utc and not is_indexed else Treatment.REPLACE


def contract_of(table: str, settings: MigrationSettings) -> StagingTable:
    return StagingTable(
        table,
        has_source_updated_at=settings.has_source_updated_at,
        has_hash_digest=settings.has_hash_digest,
        has_gin_index=settings.has_gin_index,
    )

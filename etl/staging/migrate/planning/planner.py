"""From a table's facts to the steps that bring it to the contract.

No progress is kept anywhere: after a kill the plan is made again from the catalogs, and has what is left to do.
"""

from __future__ import annotations

from etl.staging.migrate.planning.columns import ColumnPlan, Columns, Treatment
from etl.staging.migrate.planning.indexes import Indexes
from etl.staging.migrate.planning.refusals import LINEAGE
from etl.staging.migrate.planning.steps import (
    ArchiveDuplicates,
    ArchiveUnusable,
    BuildIndex,
    ChangeTable,
    DropIndex,
    Fill,
    RegisterLineage,
    Step,
    Validate,
)
from etl.staging.migrate.settings import MigrationSettings
from etl.statements.quoting import postgresql_identifier as quoted
from etl.statements.staging import migration as sql
from etl.statements.staging.tables import derived_name


class Planner:
    def __init__(self, columns: Columns, settings: MigrationSettings) -> None:
        self.columns = columns
        self.facts = columns.facts
        self.indexes = Indexes(columns)
        self._settings = settings
        self._own = derived_name(columns.contract, "migrate")

    @property
    def moves_rows(self) -> bool:
        return bool(self._unrequired() or self.columns.partial() or not self.indexes.are_ids_unique)

    def steps(self) -> list[Step]:
        """In an order that writers never notice: a new column takes its name when it is filled, unique and complete."""
        steps: list[Step] = [DropIndex(index.name) for index in self.indexes.invalid()]
        steps += self._partings()
        steps += self._changes_in_place()
        steps += self._first_clearing()
        steps += self._additions()
        steps += self._completion()
        steps += self._uniqueness()
        steps += self._replacement()
        steps += self._lineage()
        rows = self.columns.rows(is_extended=True)
        return steps + [BuildIndex(index, rows) for index in self.indexes.missing()]

    def _partings(self) -> list[Step]:
        """First of all: rows could not be given a job or run that only the ledger knows."""
        keys = [key for key in self.facts.constraints if key.is_adopted and set(key.columns) & set(LINEAGE)]
        if not keys:
            return []
        told = ", ".join(f"{key.name} ({', '.join(key.columns)})" for key in keys)
        drops = sql.alter(self.facts.name, [f"DROP CONSTRAINT {quoted(key.name)}" for key in keys])
        return [self._change(f"drop {told}, which refers to the lineage of another system", drops)]

    def _changes_in_place(self) -> list[Step]:
        steps: list[Step] = []
        generated = [plan.wanted.name for plan in self.columns.plans.values() if plan.found and plan.found.is_generated]
        # an identity that is replaced goes with its column
        kept = self.columns.of(Treatment.KEEP, Treatment.ALTER)
        numbered = [plan.wanted.name for plan in kept if plan.found and plan.found.is_identity]
        actions = [f"ALTER COLUMN {quoted(name)} DROP EXPRESSION" for name in generated]
        actions += [f"ALTER COLUMN {quoted(name)} DROP IDENTITY" for name in numbered]
        if actions:
            what = f"make {', '.join(generated + numbered)} plain columns"
            steps.append(self._change(what, sql.alter(self.facts.name, actions)))
        return steps + self._altered_types()

    def _altered_types(self) -> list[Step]:
        """A CHECK on such a column would be proved anew under the lock: it is set aside, and proved afterwards."""
        altered = self.columns.of(Treatment.ALTER)
        if not altered:
            return []
        told = ", ".join(f"{plan.wanted.name} to {plan.wanted.type}" for plan in altered)
        names = {plan.wanted.name for plan in altered}
        checks = [each for each in self.facts.constraints if each.kind == "c" and names & set(each.columns)]
        actions = [f"ALTER COLUMN {quoted(plan.wanted.name)} TYPE {plan.wanted.type}" for plan in altered]
        parts = (
            [f"DROP CONSTRAINT {quoted(check.name)}" for check in checks],
            actions,
            [f"ADD CONSTRAINT {quoted(check.name)} {sql.not_valid(check.definition)}" for check in checks],
        )
        statements = [sql.alter(self.facts.name, part) for part in parts if part]
        change = self._change(f"change {told} (no rewrite)", *statements)
        return [change, *(Validate(check.name) for check in checks if check.is_valid)]

    def _first_clearing(self) -> list[Step]:
        """Before any row is written: which of two rows came later may only be told by where they stand."""
        if not {"source_id", "data"} <= set(self.facts.columns) or not self.moves_rows:
            return []
        rows = self.columns.rows(is_extended=False)
        return [ArchiveUnusable(rows), *([] if self.indexes.are_ids_unique else [ArchiveDuplicates(rows)])]

    def _additions(self) -> list[Step]:
        name, columns = self.facts.name, self.columns
        added = columns.of(Treatment.ADD)
        replaced = columns.of(Treatment.REPLACE)
        new = [plan for plan in replaced if plan.place not in self.facts.columns]
        actions = [self._addition(plan) for plan in added] + [sql.add_column(p.place, p.wanted.type) for p in new]
        defaults = [
            sql.set_default(plan.wanted.name, default)
            for plan in columns.of(Treatment.KEEP, Treatment.ALTER, Treatment.ADD)
            if (default := columns.default(plan.wanted.name)) and self._lacks_default(plan, default)
        ]
        statements = [sql.alter(name, part) for part in (actions, defaults) if part]
        if replaced:
            values = {plan.place: columns.filled(plan.wanted.name, _of_new_row) for plan in replaced}
            zone = self._settings.time_zone
            statements += sql.create_synchronisation(self._own, name, values, time_zone=zone)
        if not statements:
            return []
        told = [f"add {', '.join(plan.wanted.name for plan in added)}"] if added else []
        told += [f"add new columns for {', '.join(plan.wanted.name for plan in replaced)}"] if replaced else []
        return [self._change("; ".join(told) or "set defaults", *statements)]

    def _addition(self, plan: ColumnPlan) -> str:
        constant = self.columns.constant(plan.wanted.name) if plan.wanted.is_required else None
        is_complete = constant is not None
        return sql.add_column(plan.wanted.name, plan.wanted.type, default=constant, is_required=is_complete)

    def _lacks_default(self, plan: ColumnPlan, default: str) -> bool:
        if plan.found is None:
            return self.columns.constant(plan.wanted.name) != default
        is_lineage = plan.wanted.name in LINEAGE
        # a job or run that is required already has writers that know it
        return plan.found.default_text is None and not (is_lineage and plan.found.is_required)

    def _completion(self) -> list[Step]:
        """Values first, then the refusal of NULL for new rows, then what came in between, then the guarantee."""
        values = self._values()
        checks = self._checks()
        filling: list[Step] = [Fill(values)] if values else []
        if not checks:
            return filling
        clearing: list[Step] = [ArchiveUnusable(self.columns.rows(is_extended=True))] if self.moves_rows else []
        names = [constraint.name for constraint in self.facts.constraints]
        refusals = [action for name, action in checks.items() if name not in names]
        required = [plan.place for plan in self._unrequired()]
        steps = [*filling]
        if refusals:
            steps.append(self._change("refuse NULL in new rows", sql.alter(self.facts.name, refusals)))
        steps += [*clearing, *filling, *(Validate(name) for name in checks)]
        actions = [f"ALTER COLUMN {quoted(place)} SET NOT NULL" for place in required]
        drops = [f"DROP CONSTRAINT {quoted(self._check_name(plan))}" for plan in self._unrequired()]
        # dropped afterwards: while it stands, SET NOT NULL needs not look at the rows
        statements = [sql.alter(self.facts.name, part) for part in (actions, drops) if part]
        return [*steps, self._change(f"set {', '.join(required)} NOT NULL", *statements)] if required else steps

    def _values(self) -> dict[str, str]:
        values = {plan.place: self.columns.filled(plan.wanted.name) for plan in self.columns.of(Treatment.REPLACE)}
        for plan in self._unrequired():
            if plan.treatment is not Treatment.REPLACE and plan.wanted.name not in ("source_id", "data"):
                values[plan.place] = self.columns.filled(plan.wanted.name)
        return values

    def _unrequired(self) -> list[ColumnPlan]:
        """Columns whose NOT NULL is still to come."""
        found = self.facts.columns
        return [
            plan
            for plan in self.columns.plans.values()
            if plan.wanted.is_required
            and not (plan.place in found and found[plan.place].is_required)
            and not (plan.treatment is Treatment.ADD and self.columns.constant(plan.wanted.name) is not None)
        ]

    def _checks(self) -> dict[str, str]:
        checks = {
            self._check_name(plan): sql.refuse_null(self._check_name(plan), plan.place) for plan in self._unrequired()
        }
        for plan in self.columns.partial():
            if not plan.wanted.is_required:
                name = derived_name(self.columns.contract, f"{plan.wanted.name}_readable")
                checks[name] = sql.refuse_unreadable(name, plan.wanted.name, plan.place)
        return checks

    def _check_name(self, plan: ColumnPlan) -> str:
        return derived_name(self.columns.contract, f"{plan.wanted.name}_not_null")

    def _uniqueness(self) -> list[Step]:
        index = self.indexes.unbuilt_unique()
        return [BuildIndex(index, self.columns.rows(is_extended=True))] if index else []

    def _replacement(self) -> list[Step]:
        name, replaced = self.facts.name, self.columns.of(Treatment.REPLACE)
        adoption = self.indexes.adoption()
        drops = [f"DROP CONSTRAINT {quoted(each.constraint_name or each.name)}" for each in self.indexes.deferrable()]
        adopted = [sql.alter(name, part) for part in (drops, [adoption] if adoption else []) if part]
        if not replaced:
            what = "make the unique index a constraint" if adoption else "drop the deferrable constraint"
            return [self._change(what, *adopted)] if adopted else []
        statements = sql.drop_synchronisation(self._own, name)
        for plan in replaced:
            statements += sql.swap_column(name, plan.wanted.name, plan.place)
        defaults = [(plan.wanted.name, self.columns.default(plan.wanted.name)) for plan in replaced]
        actions = [sql.set_default(column, default) for column, default in defaults if default]
        statements += [sql.alter(name, actions)] if actions else []
        told = ", ".join(plan.wanted.name for plan in replaced)
        return [self._change(f"let the new columns take the places of {told}", *statements, *adopted)]

    def _lineage(self) -> list[Step]:
        steps: list[Step] = []
        standing = [constraint for constraint in self.facts.constraints if not constraint.is_adopted]
        constraints = {constraint.columns: constraint for constraint in standing if constraint.kind == "f"}
        names = {constraint.name for constraint in standing}
        found = {column: constraints.get((column,)) for column in LINEAGE}
        pending = [column for column, constraint in found.items() if constraint is None or not constraint.is_valid]
        if not pending:
            return []
        is_known = all(self.columns.plans[column].treatment is Treatment.ADD for column in LINEAGE)
        registering: list[Step] = [] if is_known else [RegisterLineage()]
        keys = {column: self._key_name(column, names) for column in pending if found[column] is None}
        steps += registering
        if keys:
            actions = [sql.add_foreign_key(key, column, LINEAGE[column]) for column, key in keys.items()]
            steps.append(self._change(f"add foreign keys of {', '.join(keys)}", sql.alter(self.facts.name, actions)))
            steps += registering
        for column in pending:
            constraint = found[column]
            steps.append(Validate(constraint.name if constraint else keys[column]))
        return steps

    def _key_name(self, column: str, taken: set[str]) -> str:
        name = derived_name(self.columns.contract, f"{column}_fkey")
        return name if name not in taken else f"{name}1"

    def _change(self, what: str, *statements: str) -> ChangeTable:
        return ChangeTable(what, statements)


def _of_new_row(name: str) -> str:
    return f"NEW.{quoted(name)}"

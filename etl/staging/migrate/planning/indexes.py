"""Which indexes of the contract stand, under whatever name, and which are to be built or dropped."""

from __future__ import annotations

from dataclasses import replace

from etl.staging.migrate.planning.columns import Columns, Treatment
from etl.staging.migrate.planning.facts import IndexFacts
from etl.statements.staging.migration import adopt_index
from etl.statements.staging.tables import Index, derived_name, indexes_of

_GIN_OPERATORS = frozenset({"jsonb_ops", "jsonb_path_ops"})


class Indexes:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._found = columns.facts.indexes
        self._replaced = {plan.wanted.name for plan in columns.of(Treatment.REPLACE)}
        self._place = columns.plans["source_id"].place
        self._wanted = indexes_of(columns.contract)
        self._constraint = derived_name(columns.contract, "source_id_key")

    @property
    def are_ids_unique(self) -> bool:
        """Whether duplicates are impossible as the table stands."""
        return any(
            index.is_valid and index.is_unique and index.is_whole and index.columns == ("source_id",)
            for index in self._found
        )

    def invalid(self) -> list[IndexFacts]:
        """Leftovers of a build that was broken off: they cost every write, and a unique one refuses rows."""
        names = {self._constraint, *(index.name for index in self._wanted)}
        wanted = {("source_id",), (self._place,), *(_columns(index) for index in self._wanted)}
        return [
            index
            for index in self._found
            if not index.is_valid and not index.constraint_name and (index.name in names or index.columns in wanted)
        ]

    def unbuilt_unique(self) -> Index | None:
        if self._usable_unique():
            return None
        return Index(self._free(self._constraint), self._columns.facts.name, f"({self._place})", is_unique=True)

    def adoption(self) -> str | None:
        """Makes the unique index a constraint; a primary key stays one, which replication may rely on."""
        usable = self._usable_unique()
        if usable and usable.constraint_name:
            return None
        unbuilt = self.unbuilt_unique()
        index = usable.name if usable else unbuilt.name if unbuilt else self._constraint
        going = {*self._leaving(), *(each.name for each in self.deferrable())}
        was_primary = any(
            each.is_primary and each.columns == ("source_id",) for each in self._found if each.name in going
        )
        constraint = self._free(self._constraint, {index, *going})
        return adopt_index(constraint, index, is_primary=was_primary)

    def deferrable(self) -> list[IndexFacts]:
        """Of constraints on source_id alone: beside the best of indexes they make ON CONFLICT (source_id) an error."""
        if "source_id" in self._replaced:
            return []
        return [each for each in self._found if not each.is_immediate and each.columns == ("source_id",)]

    def missing(self) -> list[Index]:
        return [
            replace(index, name=self._free(index.name, self._leaving()))
            for index in self._wanted
            if not any(self._serves(found, index) for found in self._found)
        ]

    def leaving(self) -> list[IndexFacts]:
        """Indexes that go with a column that is replaced, and are not built again."""
        wanted = {("source_id",), *(_columns(index) for index in self._wanted)}
        return [each for each in self._found if each.name in self._leaving() and each.columns not in wanted]

    def _usable_unique(self) -> IndexFacts | None:
        """What ON CONFLICT (source_id) can stand on; a constraint is better than a bare index."""
        usable = [
            index
            for index in self._found
            if index.is_valid
            and index.is_unique
            and index.is_immediate
            and index.is_plain
            and index.columns == (self._place,)
        ]
        return min(usable, key=lambda index: index.constraint_name is None, default=None)

    def _serves(self, found: IndexFacts, wanted: Index) -> bool:
        if not found.is_valid or not found.is_whole or found.columns != _columns(wanted):
            return False
        if self._replaced & set(found.columns):
            return False
        if found.method == "brin":  # a table that was made for updates
            return not wanted.is_unique and "gin" not in wanted.definition
        if found.method == "gin":
            return "gin" in wanted.definition and found.first_operators in _GIN_OPERATORS
        return "gin" not in wanted.definition and found.is_plain

    def _leaving(self) -> set[str]:
        return {index.name for index in self._found if self._replaced & set(index.columns)}

    def _free(self, name: str, own: set[str] | frozenset[str] = frozenset()) -> str:
        """A name that no other table or index has by then."""
        taken = self._columns.facts.taken_names - own - {index.name for index in self.invalid()}
        number = 0
        while (candidate := f"{name}{number or ''}") in taken:
            number += 1
        return candidate


def _columns(index: Index) -> tuple[str, ...]:
    inside = index.definition[index.definition.index("(") + 1 : -1]
    return tuple(part.split()[0] for part in inside.split(", "))

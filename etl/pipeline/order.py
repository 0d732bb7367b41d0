"""In which order tables are published: parents first, tables that refer to one another in a cycle together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from etl.model import TableDefinition


def publication_units(names: Iterable[str], definitions: Mapping[str, TableDefinition]) -> list[tuple[str, ...]]:
    """The strongly connected parts of the foreign-key graph over `names`, parents before children (Tarjan, 1972).

    A unit of one name is an ordinary table; a longer one is a cycle. Parents outside `names` do not count.
    """
    chosen = list(names)
    parents = {name: parents_of(name, definitions) & set(chosen) for name in chosen}
    return _Tarjan(parents).units()


def parents_of(name: str, definitions: Mapping[str, TableDefinition]) -> set[str]:
    """The tables that `name` refers to, without itself."""
    definition = definitions.get(name)
    return {key.parent_table for key in definition.foreign_keys} - {name} if definition else set()


class _Tarjan:
    """Emits a component only after every component it points to, which is the order of publication."""

    def __init__(self, edges: Mapping[str, set[str]]) -> None:
        self._edges = edges
        self._index: dict[str, int] = {}
        self._low: dict[str, int] = {}
        self._stack: list[str] = []
        self._units: list[tuple[str, ...]] = []

    def units(self) -> list[tuple[str, ...]]:
        for node in self._edges:
            if node not in self._index:
                self._visit(node)
        return self._units

    def _visit(self, node: str) -> None:
        self._index[node] = self._low[node] = len(self._index)
        self._stack.append(node)
        for parent in sorted(self._edges[node]):
            if parent not in self._index:
                self._visit(parent)
                self._low[node] = min(self._low[node], self._low[parent])
            elif parent in self._stack:
                self._low[node] = min(self._low[node], self._index[parent])
        if self._low[node] == self._index[node]:
            self._units.append(self._pop_until(node))

    def _pop_until(self, node: str) -> tuple[str, ...]:
        unit = [self._stack.pop()]
        while unit[-1] != node:
            unit.append(self._stack.pop())
        return tuple(reversed(unit))

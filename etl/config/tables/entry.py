"""One table as it is written, and the model that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.config.document import Node
from etl.config.tables.models import TableConfig

Locator = Callable[[str], Node]
"""Where a key of one destination's block is written."""


@dataclass(frozen=True)
class Entry:
    """`node` is the table's own entry, `tree` the whole that the model is made of (lines kept). Nobody looks for a
    fault in `built_in`, the files of the product's defaults.
    """

    name: str
    domain: str
    node: Node
    tree: Node
    config: TableConfig
    built_in: frozenset[str]

    def at(self, *path: str) -> Node:
        """The nearest written value on a path of the model; the entry itself where a built-in default speaks."""
        node = self.tree
        for step in path:
            node = node.mapping.get(step, node)
        return self.node if node.file in self.built_in else node

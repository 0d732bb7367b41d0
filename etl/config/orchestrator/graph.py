"""Who waits for whom: parents that are there, and no circle among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from etl.config.document import Node
from etl.errors import Fault
from etl.nearest import suggestion

Parents = dict[str, dict[str, Node]]
"""Of each job, its parents with the place where they are named."""


def graph_faults(entries: Mapping[str, Node]) -> Iterator[Fault]:
    """Of entries by slug, as they are written: unknown parents, and each circle with its whole path."""
    parents = {slug: _named(entry) for slug, entry in entries.items()}
    for slug, named in parents.items():
        for parent, node in named.items():
            if parent not in parents:
                yield node.fault(f"job {slug}: unknown parent {parent!r}; {suggestion(parent, parents)}")
    known = {slug: {p: node for p, node in named.items() if p in parents} for slug, named in parents.items()}
    yield from _circles(known)


def _named(entry: Node) -> dict[str, Node]:
    node = entry.get("parents")
    listed = node.value if node is not None and isinstance(node.value, tuple) else ()
    return {parent.value: parent for parent in listed if isinstance(parent.value, str)}


def _circles(parents: Parents) -> Iterator[Fault]:
    """One fault a circle: the edge it is told at is taken out, and the rest looked at again."""
    while path := _circle(parents):
        child, parent = path[0], path[-2]
        node = parents[child].pop(parent)
        yield node.fault(f"job {child}: its parents wait for it: {' → '.join(path)}")


def _circle(parents: Parents) -> list[str]:
    """Slugs, each a parent of the next, the first again at the end; [] where there is no circle."""
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][:-1]
        start = ring.index(min(ring))
        ring = ring[start:] + ring[:start]
        return [*ring, ring[0]]
    return []

"""How many runs may be under way at once: of all jobs, of a layer, of those with a tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from etl.config.document import Node
from etl.errors import Fault
from etl.nearest import suggestion

ALL = "all"

_EXPECTED = "expected all, layer:NAME or tag:NAME"


def scope_faults(scopes: Mapping[str, Node], entries: Mapping[str, Node]) -> Iterator[Fault]:
    """What is wrong with the written bounds; a scope that no job is in is one that is misspelt."""
    known = {"layer": _layers(entries), "tag": _tags(entries)}
    for scope, node in scopes.items():
        kind, _, name = scope.partition(":")
        if scope != ALL and (kind not in known or not name):
            yield node.fault(f"parallelism: unknown scope {scope!r}; {_EXPECTED}")
        elif scope != ALL and name not in known[kind]:
            yield node.fault(f"parallelism: no job has the {kind} {name!r}; {suggestion(name, sorted(known[kind]))}")
        if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 1:
            found = "a mapping or list" if isinstance(node.value, dict | tuple) else repr(node.value)
            yield node.fault(f"parallelism: {scope}: expected a whole number of runs, at least 1; found {found}")


def _layers(entries: Mapping[str, Node]) -> set[str]:
    return {str(layer.value) for entry in entries.values() if (layer := entry.get("layer")) is not None}


def _tags(entries: Mapping[str, Node]) -> set[str]:
    tags = (entry.get("tags") for entry in entries.values())
    return {str(tag.value) for node in tags if node and isinstance(node.value, tuple) for tag in node.value}

"""Two tables that would write into each other's place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from etl.config.tables.entry import Entry
from etl.errors import Fault
from etl.model import Destination


def same_targets(
    entries: Iterable[Entry], destination: Destination, target: Callable[[Any], tuple[str, ...]]
) -> Iterator[Fault]:
    """`target` is the qualified name that a block means."""
    taken: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        load = entry.config.loads[destination]
        if not load.enabled:
            continue
        place = target(load)
        if place in taken:
            yield entry.at("loads", destination, "target_name").fault(
                f"{destination}: tables {taken[place].name} and {entry.name} have the same target {'.'.join(place)!r}"
            )
        else:
            taken[place] = entry

"""What is different between two runs, load by load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl.ledger import LoadRecord

COUNTS = ("rows_read", "rows_inserted", "rows_updated", "rows_rejected", "rows_deleted")
NOTEWORTHY_SECONDS = 1.0
NOTEWORTHY_RATIO = 1.5
"""A load is slower, or faster, where it differs by both: small loads differ by a multiple from night to night."""


@dataclass(frozen=True)
class LoadDifference:
    """`before` and `after`: None where that run had no such load. `changed`: the counts that differ, and `status`,
    `seconds`."""

    table_name: str
    destination: str
    before: LoadRecord | None
    after: LoadRecord | None
    changed: tuple[str, ...]


def differences(before: Iterable[LoadRecord], after: Iterable[LoadRecord]) -> list[LoadDifference]:
    """Those that differ, in the order of table and destination."""
    old, new = _by_load(before), _by_load(after)
    found = (_difference(*load, old.get(load), new.get(load)) for load in sorted(old.keys() | new.keys()))
    return [each for each in found if each.changed]


def _by_load(records: Iterable[LoadRecord]) -> dict[tuple[str, str], LoadRecord]:
    return {(each.table_name, str(each.destination)): each for each in records}


def _difference(
    table_name: str, destination: str, before: LoadRecord | None, after: LoadRecord | None
) -> LoadDifference:
    return LoadDifference(table_name, destination, before, after, tuple(_changed(before, after)))


def _changed(before: LoadRecord | None, after: LoadRecord | None) -> Iterator[str]:
    if before is None or after is None:
        yield "status"
        return
    if before.status is not after.status:
        yield "status"
    yield from (name for name in COUNTS if getattr(before, name) != getattr(after, name))
    longer, shorter = max(before.seconds, after.seconds), min(before.seconds, after.seconds)
    if longer - shorter >= NOTEWORTHY_SECONDS and longer >= NOTEWORTHY_RATIO * shorter:
        yield "seconds"

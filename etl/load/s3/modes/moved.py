"""Rows whose day has changed, where a load replaces whole days: they must not stay on the day they left."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from etl.load.s3.job import Job, Rows
from etl.load.s3.table import LakeTable


@dataclass(frozen=True)
class LeftDays:
    """Days beside the loaded ones, on which `moved` keys of the load stand; `rest` holds what is to stay there."""

    days: frozenset[date] = frozenset()
    moved: int = 0
    rest: Rows | None = None
    rest_rows: int = 0


NONE_LEFT = LeftDays()


def find_left_days(job: Job, table: LakeTable, frame: Rows, loaded_days: Collection[date]) -> LeftDays:
    """Looks up the frame's keys on all days but its own; where the day is part of the key, no row can move."""
    config, compare, stored = job.config, table.compare, table.rows
    if stored is None or not config.key or config.date_column in config.key:
        return NONE_LEFT
    days = compare.days_of_keys(frame, compare.off_days(stored, loaded_days), config)
    if not days:
        return NONE_LEFT
    there = compare.on_days(stored, days)
    rest = compare.without_keys(there, frame, config)
    rest_rows = compare.count(rest)
    return LeftDays(days, compare.count(there) - rest_rows, rest, rest_rows)

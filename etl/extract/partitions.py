"""Whole partitions for modes that replace them: a replaced partition must never lose a row."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import date

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.models import TableConfig
from etl.config.tables.modes import replaces_partitions
from etl.model import ExtractMode


def whole_partitions(table: TableConfig, days: Iterable[date | None]) -> tuple[date, ...]:
    """The days to read whole when these were touched: their months too where a destination replaces months."""
    touched = {day for day in days if day is not None}
    if any(_replaces_months(load) for load in table.loads.values()):
        touched = {day for one in touched for day in _month_of(one)}
    return tuple(sorted(touched))


def touched_by(table: TableConfig) -> str | None:
    """The source's column that says which partitions rows touch; None where no load must bring them whole."""
    if table.extract.mode is ExtractMode.FULL or not any(_needs_them(load) for load in table.loads.values()):
        return None
    old_names = {new: old for old, new in table.transform.rename.items()}
    return old_names.get(table.date_column or "", table.date_column)


def _needs_them(load: TableLoadConfig) -> bool:
    return replaces_partitions(load) and load.date_column is not None


def _replaces_months(load: TableLoadConfig) -> bool:
    expressions: tuple[str, ...] = getattr(load, "partition_by", ())
    return _needs_them(load) and any(expression.startswith("toYYYYMM(") for expression in expressions)


def _month_of(day: date) -> list[date]:
    _, length = calendar.monthrange(day.year, day.month)
    return [day.replace(day=number) for number in range(1, length + 1)]

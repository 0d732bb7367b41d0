"""Rows whose day has changed, where a load replaces whole days: they must not stay on the day they left."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.s3.compare import days_of_keys, on_days, without_keys
from etl.load.s3.frames import column
from etl.model import PARTITION_DATE


@dataclass(frozen=True)
class LeftDays:
    """Days beside the loaded ones, on which `moved` keys of the load stand; `rest` holds what is to stay there."""

    days: frozenset[date] = frozenset()
    moved: int = 0
    rest: DataFrame | None = None
    rest_rows: int = 0

    def joined(self, frame: DataFrame) -> DataFrame:
        """What is to be written: the load's rows, and the days that rows left, without them."""
        return frame.unionByName(self.rest, allowMissingColumns=True) if self.rest is not None else frame


NONE_LEFT = LeftDays()


def find_left_days(
    frame: DataFrame, stored: DataFrame, config: S3TableLoadConfig, loaded_days: Collection[date]
) -> LeftDays:
    """Looks up the frame's keys on all days but its own; where the day is part of the key, no row can move."""
    if not config.key or config.date_column in config.key:
        return NONE_LEFT
    days = days_of_keys(frame, stored.where(~column(PARTITION_DATE).isin(sorted(loaded_days))), config)
    if not days:
        return NONE_LEFT
    there = on_days(stored, days)
    rest = without_keys(there, frame, config)
    rest_rows = rest.count()
    return LeftDays(days, there.count() - rest_rows, rest, rest_rows)

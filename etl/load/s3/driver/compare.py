"""What of some thousand incoming rows already stands, looked up in memory."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.s3.comparison import Comparison, Day, Extent, Standing
from etl.load.s3.driver.canonical import canonical, equal_rows, keys_of
from etl.model import DELETED_AT, PARTITION_DATE


@dataclass(frozen=True)
class _Places:
    """Positions of incoming rows: of those that stand as they are, and of those whose stored row differs."""

    equal: frozenset[int]
    differing: frozenset[int]
    keys: Sequence[tuple[Hashable, ...]]


class ArrowComparison(Comparison[pa.Table]):
    """Rows in the driver's memory; those of `partition_date` NULL are on no day."""

    def find_standing(
        self, frame: pa.Table, stored: pa.Table, config: S3TableLoadConfig, dates: frozenset[date], extent: Extent
    ) -> Standing:
        if config.partition_by and config.date_column in config.key:
            stored = self.on_days(stored, dates)
        keys = keys_of(frame, config.key)
        pairs = _pairs(keys, keys_of(stored, config.key))
        incoming = [ours for ours, _ in pairs]
        same = equal_rows(
            canonical(frame).take(pa.array(incoming, pa.int64())),
            canonical(stored.select(frame.column_names)).take(pa.array([theirs for _, theirs in pairs], pa.int64())),
        ).to_pylist()
        differing = [pair for pair, is_equal in zip(pairs, same, strict=True) if not is_equal]
        places = _Places(
            equal=frozenset(ours for ours, is_equal in zip(incoming, same, strict=True) if is_equal),
            differing=frozenset(ours for ours, _ in differing),
            keys=keys,
        )
        return Standing(
            keys=places,
            equal=len(pairs) - len(differing),
            differing=len(differing),
            dates_of_differing=_days_at(stored, [theirs for _, theirs in differing]),
            doubled=len(pairs) - len(set(incoming)),
        )

    def differing_keys(self, standing: Standing, config: S3TableLoadConfig, most: int) -> list[str]:
        places: _Places = standing.keys
        some = sorted(places.differing)[:most]
        return [orjson.dumps(dict(zip(config.key, places.keys[at], strict=True)), default=str).decode() for at in some]

    def without_equal(self, frame: pa.Table, standing: Standing, config: S3TableLoadConfig) -> pa.Table:
        return _without(frame, standing.keys.equal) if standing.keys else frame

    def without_standing(self, frame: pa.Table, standing: Standing, config: S3TableLoadConfig) -> pa.Table:
        return _without(frame, standing.keys.equal | standing.keys.differing) if standing.keys else frame

    def on_days(self, rows: pa.Table, days: Iterable[date]) -> pa.Table:
        return rows.filter(_is_on(rows, days))

    def off_days(self, rows: pa.Table, days: Iterable[date]) -> pa.Table:
        return rows.filter(pc.invert(_is_on(rows, days)))

    def days_of_keys(self, frame: pa.Table, stored: pa.Table, config: S3TableLoadConfig) -> frozenset[date]:
        return _days_at(stored, _places_of(keys_of(frame, config.key), keys_of(stored, config.key)))

    def without_keys(self, rows: pa.Table, keys: pa.Table, config: S3TableLoadConfig) -> pa.Table:
        return _without(rows, frozenset(_places_of(keys_of(keys, config.key), keys_of(rows, config.key))))

    def with_keys(self, rows: pa.Table, keys: pa.Table, config: S3TableLoadConfig) -> pa.Table:
        found = _places_of(keys_of(keys, config.key), keys_of(rows, config.key))
        return rows.take(pa.array(found, pa.int64()))

    def held(self, rows: pa.Table) -> pa.Table:
        return rows

    def count(self, rows: pa.Table) -> int:
        return int(rows.num_rows)

    def joined(self, rows: pa.Table, more: pa.Table) -> pa.Table:
        return pa.concat_tables([rows, more.select(rows.column_names)]).combine_chunks()

    def days_of(self, rows: pa.Table) -> frozenset[date | None]:
        return frozenset(pc.unique(rows.column(PARTITION_DATE)).to_pylist())

    def unmarked(self, rows: pa.Table) -> pa.Table:
        return rows.filter(pc.is_null(rows.column(DELETED_AT))) if DELETED_AT in rows.column_names else rows

    def marked(self, rows: pa.Table, schema: StructType, since: datetime) -> pa.Table:
        chosen = rows.select(schema.names)
        place = schema.names.index(DELETED_AT)
        kind = chosen.schema.field(place)
        return chosen.set_column(place, kind, pa.repeat(pa.scalar(since, kind.type), chosen.num_rows))

    def contents_by_day(self, rows: pa.Table) -> dict[date, Day]:
        ordered = canonical(rows.select(sorted(rows.column_names)))
        texts = zip(*(each.to_pylist() for each in ordered.columns), strict=True)
        found: dict[date, list[str]] = defaultdict(list)
        for day, row in zip(rows.column(PARTITION_DATE).to_pylist(), texts, strict=True):
            found[day].append(repr(row))
        return {day: Day(len(each), _digest(each)) for day, each in found.items()}


def _pairs(incoming: Sequence[Hashable], stored: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Positions of each stored row whose key comes in, and of what comes in."""
    places = {key: place for place, key in enumerate(incoming)}
    found = ((places.get(key), at) for at, key in enumerate(stored))
    return [(ours, theirs) for ours, theirs in found if ours is not None]


def _places_of(keys: Iterable[Hashable], among: Sequence[Hashable]) -> list[int]:
    wanted = set(keys)
    return [place for place, key in enumerate(among) if key in wanted]


def _without(rows: pa.Table, places: frozenset[int]) -> pa.Table:
    if not places:
        return rows
    return rows.filter(pa.array([place not in places for place in range(rows.num_rows)], pa.bool_()))


def _days_at(stored: pa.Table, places: Sequence[int]) -> frozenset[date]:
    if PARTITION_DATE not in stored.column_names or not places:
        return frozenset()
    days = stored.column(PARTITION_DATE).take(pa.array(places, pa.int64()))
    return frozenset(day for day in pc.unique(days).to_pylist() if day is not None)


def _is_on(rows: pa.Table, days: Iterable[date]) -> pa.ChunkedArray:
    wanted = pa.array(sorted(days), pa.date32())
    return pc.fill_null(pc.is_in(rows.column(PARTITION_DATE), value_set=wanted), False)


def _digest(rows: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(rows)).encode("utf-8", "surrogatepass")).hexdigest()

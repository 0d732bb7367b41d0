"""What the builders of tables/ write with: the rows to make now, and the world they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from etl.sample import values
from etl.sample.draw import Draw, Floats, Mask, Whole, hash_rows
from etl.sample.values import MICROSECONDS_A_DAY, Column
from etl.sample.window import Window

SECOND = 1_000_000
IMPORTED_SHARE = 0.4
"""Articles and internal content were migrated from an older system: that share arrived in the first night."""
IMPORTED_TABLES = frozenset({"editorial_articles", "company_internal_content"})

UUID_KEYS: Mapping[str, str] = {
    "customer_sessions": "session_id", "customer_events": "event_id", "customer_recommendations": "recommendation_id",
    "editorial_content_events": "event_id", "editorial_article_content": "content_id",
    "editorial_media_usage": "usage_id",
    "company_content_events": "event_id", "security_api_keys": "api_key_id", "security_user_sessions": "session_id",
    "audit_data_access": "data_access_id", "ml_model_training_runs": "training_run_id",
    "ml_model_predictions": "prediction_id",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """Everything a row may depend on. `before` and `added` count each table's rows up to and in this window.

    `origin` is the window of the first fill: what is older than the sample is dated before its start.
    """

    seed: int
    window: Window
    origin: Window
    before: Mapping[str, int]
    added: Mapping[str, int]

    @property
    def is_first_fill(self) -> bool:
        return self.window == self.origin

    def total(self, table: str) -> int:
        return self.before[table] + self.added[table]

    def rows(self, table: str, index: Whole) -> Rows:
        return Rows(self, table, index)

    def imported(self, table: str) -> int:
        return round(self.added[table] * IMPORTED_SHARE) if self.is_first_fill and table in IMPORTED_TABLES else 0

    def existing(self, table: str, at: Whole) -> Whole:
        """How many rows of a table exist at those instants of the window (one at least)."""
        imported = self.imported(table)
        later = (self.added[table] - imported) * self.window.position_of(at)
        count: Whole = self.before[table] + imported + np.floor(later).astype(np.int64)
        return np.maximum(count, 1)

    def key_uuids(self, table: str, index: Whole) -> Column:
        """The UUID keys of those rows, computable by any child."""
        column = UUID_KEYS[table]
        high, low = (hash_rows(self.seed, table, f"{column}/{half}", index) for half in ("high", "low"))
        return values.uuids(high, low)

    def keys(self, table: str, index: Whole, nulls: Mask | None = None) -> Column:
        if table not in UUID_KEYS:
            return values.integers(index + 1, nulls)
        column = self.key_uuids(table, index)
        return column if nulls is None else values.nullify(column, nulls)


class Rows(Draw):
    """Some rows of one table (by row number, from 0 over the sample's whole life) and what may be drawn for them."""

    def __init__(self, world: World, table: str, index: Whole) -> None:
        super().__init__(world.seed, table, index)
        self.world = world
        self.window = world.window
        self.index = index

    # Keys and references

    def keys(self) -> Column:
        return self.world.keys(self.table, self.index)

    def parents(self, table: str, column: str, nulls: float = 0.0, power: float = 1.0) -> Column:
        """Keys of any rows of the parent table; with power > 1 the first ones much more often."""
        return self.world.keys(table, self.skewed(column, self.world.total(table), power), self.nulls(column, nulls))

    def recent(self, table: str, column: str, at: Whole, nulls: float = 0.0, power: float = 3.0) -> Column:
        """Keys of rows that existed at that time, the newest much more often."""
        return self.world.keys(table, self.recent_index(table, column, at, power), self.nulls(column, nulls))

    def recent_index(self, table: str, column: str, at: Whole, power: float = 3.0) -> Whole:
        existing = self.world.existing(table, at)
        return existing - 1 - np.floor(existing * self.uniform(column) ** power).astype(np.int64)

    def earlier(self, column: str, nulls: float) -> Column:
        """Self references: to a row before this one, so that no row waits for itself."""
        return self.world.keys(
            self.table, self.earlier_index(column), self.chance(f"{column}?", nulls) | (self.index == 0)
        )

    def earlier_index(self, column: str) -> Whole:
        return np.floor(self.index * self.uniform(column)).astype(np.int64)

    def along(self, table: str) -> Whole:
        """Row numbers of the parent table of this window, in step with these rows: children arrive as parents do."""
        return self.world.before[table] + np.floor(self.position() * self.world.added[table]).astype(np.int64)

    # Time

    def position(self) -> Floats:
        """Where these rows stand among those of the window, in [0, 1)."""
        first, count = self.world.before[self.table], self.world.added[self.table]
        return (self.index - first + self.uniform("created_at")) / count

    def moments(self) -> Whole:
        """When these rows were inserted: in the order of their numbers, as traffic goes."""
        imported = self.world.imported(self.table)
        if not imported:
            return self.window.instant_at(self.position())
        count = self.world.added[self.table]
        later = self.window.instant_at((self.index - imported + self.uniform("created_at")) / (count - imported))
        first_minutes = self.window.start + self.index * (600 * SECOND) // count
        return np.where(self.index < imported, first_minutes, later)

    def happened(self, created: Whole) -> Whole:
        """When what was inserted at `created` took place: seconds before, one in a hundred (offline devices) hours."""
        late = np.where(self.chance("late", 0.01), self.between("late/by", 600, 72_000), 0.0)
        lag = self.exponential("lag", 20.0) + late
        return np.maximum(created - (lag * SECOND).astype(np.int64), np.minimum(created, self.world.origin.start))

    def touched(self, created: Whole, share: float = 0.4) -> Whole:
        """updated_at: for that share of the rows some time later, within the window; else the moment of creation."""
        later = created + ((self.window.end - created) * self.uniform("updated_at") ** 2).astype(np.int64)
        return np.where(self.chance("updated_at?", share), later, created)

    def past(self, years: float = 5.0) -> Whole:
        """Before the sample's first day, for rows that were always there."""
        return self.world.origin.start - (self.uniform("created_at") * years * 365 * MICROSECONDS_A_DAY).astype(
            np.int64
        )

    def stamps(self, created: Whole, share: float = 0.4) -> dict[str, Column]:
        updated = self.touched(created, share)
        return {"created_at": values.instants(created), "updated_at": values.instants(updated)}

    def later(self, column: str, start: Whole, mean_seconds: float) -> Whole:
        """Some time after `start`, yet before the window ends."""
        seconds = (self.exponential(column, mean_seconds) * SECOND).astype(np.int64)
        return start + np.minimum(seconds, ((self.window.end - start) * self.uniform(f"{column}/cut")).astype(np.int64))

    def days_of(self, instants: Whole) -> Whole:
        return instants // MICROSECONDS_A_DAY

    def day_and_place(self) -> tuple[Whole, Whole]:
        """DAILY tables: which day (since 1970-01-01) each row is for, and which of that day's rows it is."""
        first, count = self.world.before[self.table], self.world.added[self.table]
        a_day = count // self.window.days
        day, place = np.divmod(self.index - first, a_day)
        return self.window.first_day + day, place

    def entities_of_day(self, day: Whole, place: Whole, count: int) -> Whole:
        """Other entities each day, none twice a day: walks through all `count` of them."""
        a_day = self.world.added[self.table] // self.window.days
        return (place + day * a_day) % count

    # Values

    def nulls(self, column: str, share: float) -> Mask | None:
        return self.chance(f"{column}?", share) if share else None

    def choice(
        self, column: str, options: Column | Sequence[str], weights: Sequence[float] | None = None, nulls: float = 0.0
    ) -> Column:
        vocabulary = values.words(options) if isinstance(options, Sequence) else options
        positions = self.weighted(column, weights) if weights else self.skewed(column, len(vocabulary), 1.0)
        return values.take(vocabulary, positions, self.nulls(column, nulls))

    def numbers(self, column: str, low: int, high: int, nulls: float = 0.0) -> Column:
        return values.integers(self.whole(column, low, high), self.nulls(column, nulls))

    def amounts(self, column: str, mean: float, nulls: float = 0.0) -> Column:
        """Whole numbers with many small and a few very large ones."""
        return values.integers(self.exponential(column, mean).astype(np.int64), self.nulls(column, nulls))

    def decimals(self, column: str, low: float, high: float, places: int, nulls: float = 0.0) -> Column:
        return values.decimals(self.between(column, low, high), places, self.nulls(column, nulls))

    def money(self, column: str, mean: float, places: int = 2, nulls: float = 0.0) -> Column:
        return values.decimals(self.exponential(column, mean), places, self.nulls(column, nulls))

    def flags(self, column: str, probability: float, nulls: float = 0.0) -> Column:
        return values.flags(self.chance(column, probability), self.nulls(column, nulls))

    def uuids(self, column: str, nulls: float = 0.0) -> Column:
        made = values.uuids(self.bits(f"{column}/high"), self.bits(f"{column}/low"))
        return values.nullify(made, self.chance(f"{column}?", nulls)) if nulls else made

    def blobs(self, column: str, words: int = 4, nulls: float = 0.0) -> Column:
        made = values.blobs(*(self.bits(f"{column}/{part}") for part in range(words)))
        return values.nullify(made, self.chance(f"{column}?", nulls)) if nulls else made

    def addresses(self, column: str, nulls: float = 0.0) -> Column:
        return self.choice(column, values.ADDRESSES, nulls=nulls)

    def maybe(self, column: str, made: Column, nulls: float) -> Column:
        return values.nullify(made, self.chance(f"{column}?", nulls))

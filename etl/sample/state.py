"""What the sample in a database is: kept in `etl_sample.state`, written in the transaction that writes the rows.

Its presence therefore means that all 79 tables are filled; a killed fill leaves neither rows nor state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from psycopg2.extensions import cursor as Cursor

from etl.sample.plan import PLANS
from etl.sample.rows import World
from etl.sample.window import Window


@dataclass(frozen=True)
class SampleState:
    """`origin` is the window of the first fill, `end_date` the last day with rows, `counts` all rows ever written."""

    seed: int
    scale: float
    origin: Window
    end_date: date
    counts: Mapping[str, int]

    def after_advance(self, world: World) -> SampleState:
        counts = {table: world.total(table) for table in self.counts}
        return replace(self, end_date=world.window.end_date, counts=counts)

    def next_world(self, days: int) -> World:
        """The days to come; daily numbers are those of the first fill."""
        added = {
            table: plan.rows_a_day(self.scale, self.origin.days) * days if plan.grows else 0
            for table, plan in PLANS.items()
        }
        return World(self.seed, Window(self.end_date, 1).after(days), self.origin, self.counts, added)


def first_world(seed: int, scale: float, window: Window) -> World:
    added = {table: plan.count(scale, window.days) for table, plan in PLANS.items()}
    return World(seed, window, window, dict.fromkeys(PLANS, 0), added)


def state_of(world: World, scale: float) -> SampleState:
    counts = {table: world.total(table) for table in world.added}
    return SampleState(world.seed, scale, world.origin, world.window.end_date, counts)


def read_state(cursor: Cursor) -> SampleState | None:
    cursor.execute("SELECT to_regclass('etl_sample.state') IS NOT NULL")
    row = cursor.fetchone()
    if not row or not row[0]:
        return None
    cursor.execute("SELECT seed, scale, origin_end_date, origin_days, end_date, counts FROM etl_sample.state")
    row = cursor.fetchone()
    if row is None:
        return None
    seed, scale, origin_end_date, origin_days, end_date, counts = row
    return SampleState(seed, scale, Window(origin_end_date, origin_days), end_date, counts)


def write_state(cursor: Cursor, state: SampleState) -> None:
    cursor.execute(
        "CREATE SCHEMA IF NOT EXISTS etl_sample;"
        "CREATE TABLE IF NOT EXISTS etl_sample.state (seed bigint NOT NULL, scale double precision NOT NULL,"
        " origin_end_date date NOT NULL, origin_days integer NOT NULL, end_date date NOT NULL, counts jsonb NOT NULL);"
        "DELETE FROM etl_sample.state"
    )
    cursor.execute(
        "INSERT INTO etl_sample.state VALUES (%s, %s, %s, %s, %s, %s)",
        (
            state.seed,
            state.scale,
            state.origin.end_date,
            state.origin.days,
            state.end_date,
            json.dumps(dict(state.counts)),
        ),
    )


def clear_state(cursor: Cursor) -> None:
    cursor.execute("DROP TABLE IF EXISTS etl_sample.state")

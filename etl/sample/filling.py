"""Fill an empty source, or let days go by in a filled one; each in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.sample.copying import copy_domain
from etl.sample.dirty import Dirt
from etl.sample.revisions import REVISIONS, revise_table
from etl.sample.rows import World
from etl.sample.source import (
    TABLES,
    advance_identities,
    analyze,
    create_schema,
    drop_schema,
    existing_tables,
    foreign_keys_set_aside,
    tables_with_rows,
)
from etl.sample.state import SampleState, clear_state, first_world, read_state, state_of, write_state
from etl.sample.tables import BUILDERS_BY_DOMAIN
from etl.sample.window import Window

OnDomain = Callable[[str, int, float], None]
"""Told after each domain: its name, rows written and seconds taken."""


@dataclass
class Outcome:
    """What was done. `copy_seconds` is building and copying alone; `seconds` has foreign keys and statistics too."""

    state: SampleState
    new: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    copy_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(self.new.values())


def fill(
    cursor: Cursor, *, seed: int, scale: float, window: Window, dirt: Dirt, recreate: bool, on_domain: OnDomain
) -> Outcome:
    """Creates what is missing of the schema and writes all 79 tables; the source must hold no rows in them."""
    started = time.perf_counter()
    _make_room(cursor, recreate)
    world = first_world(seed, scale, window)
    outcome = Outcome(state_of(world, scale), new=dict(world.added))
    with foreign_keys_set_aside(cursor):
        outcome.copy_seconds = _copy(cursor, world, dirt, on_domain)
        analyze(cursor)  # before the foreign keys are checked: the planner knows nothing of the new tables yet
    _finish(cursor, outcome.state)
    outcome.seconds = time.perf_counter() - started
    return outcome


def advance(cursor: Cursor, *, days: int, dirt: Dirt, on_domain: OnDomain) -> Outcome:
    """Adds `days` days after the last one and changes some of the rows that were there."""
    started = time.perf_counter()
    state = read_state(cursor)
    if state is None:
        raise UsageError(f"expected a source filled by etl.sample, found none; run `{etl_as_typed()} sample` first")
    world = state.next_world(days)
    outcome = Outcome(state.after_advance(world), new={table: world.added[table] for table in TABLES})
    outcome.changed = {table: revise_table(cursor, world, table) for table in REVISIONS}
    outcome.copy_seconds = _copy(cursor, world, dirt, on_domain)
    analyze(cursor)
    _finish(cursor, outcome.state)
    outcome.seconds = time.perf_counter() - started
    return outcome


def _make_room(cursor: Cursor, recreate: bool) -> None:
    tables = existing_tables(cursor)
    filled = tables_with_rows(cursor, tables)
    is_ours = read_state(cursor) is not None
    if filled and not is_ours:
        raise UsageError(
            f"expected tables without rows, found rows in {len(filled)} that etl.sample did not write ({filled[0]}, …);"
            " use another database"
        )
    if filled and not recreate:
        raise UsageError(
            "this source is filled already; --recreate starts anew, --advance DAYS goes on, --if-empty skips"
        )
    if recreate:
        drop_schema(cursor, tables)
        clear_state(cursor)
        tables = []
    if tables and len(tables) < len(TABLES):
        missing = next(table for table in TABLES if table not in tables)
        raise UsageError(
            f"expected all {len(TABLES)} tables or none, found {len(tables)} (no {missing}); see --recreate"
        )
    if not tables:
        create_schema(cursor)


def _copy(cursor: Cursor, world: World, dirt: Dirt, on_domain: OnDomain) -> float:
    begun = time.perf_counter()
    for domain in BUILDERS_BY_DOMAIN:
        started = time.perf_counter()
        rows = copy_domain(cursor, world, domain, dirt.soil)
        on_domain(domain, rows, time.perf_counter() - started)
    return time.perf_counter() - begun


def _finish(cursor: Cursor, state: SampleState) -> None:
    advance_identities(cursor)
    write_state(cursor, state)

"""The rows themselves: complete, valid by every constraint of the schema, repeatable, and in step with time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl.model import TableDefinition
from etl.sample.rows import World
from etl.sample.state import first_world
from etl.sample.tables import BUILDERS_BY_DOMAIN
from etl.sample.tables.customer import customer_events
from tests.unit.sample.conftest import SCALE, build_world

Tables = Mapping[str, pa.Table]
Definitions = Mapping[str, TableDefinition]

_CONTRACT_FILE = Path(__file__).parents[2] / "contract_tables.csv"
with _CONTRACT_FILE.open(encoding="utf-8", newline="") as _file:
    CONTRACT = {row["table"]: row for row in csv.DictReader(_file)}


def test_every_column_is_filled_but_the_generated_ones(sample_tables: Tables, sample_definitions: Definitions) -> None:
    expected = {
        table: {column.name for column in definition.columns if not column.generated}
        for table, definition in sample_definitions.items()
    }
    assert {table: set(rows.column_names) for table, rows in sample_tables.items()} == expected


def test_what_may_not_be_null_is_not(sample_tables: Tables, sample_definitions: Definitions) -> None:
    faults = [
        (table, column.name)
        for table, definition in sample_definitions.items()
        for column in definition.columns
        if not column.nullable and not column.generated and sample_tables[table][column.name].null_count
    ]
    assert faults == []


def test_keys_and_unique_columns_never_repeat(
    sample_tables: Tables, next_tables: Tables, sample_definitions: Definitions
) -> None:
    faults = []
    for table, definition in sample_definitions.items():
        rows = pa.concat_tables([sample_tables[table], next_tables[table]])
        for key in (definition.primary_key, *definition.unique_keys):
            values = [value for value in _tuples(rows, key) if None not in value]
            if len(values) != len(set(values)):
                faults.append((table, key))
    assert faults == []


@pytest.mark.parametrize("advanced", [False, True], ids=["first fill", "advanced"])
def test_every_reference_finds_its_row(
    advanced: bool, sample_tables: Tables, next_tables: Tables, sample_definitions: Definitions
) -> None:
    """New rows may point at new and at old ones; a first fill only at its own."""
    known = {
        table: pa.concat_tables([rows, next_tables[table]]) if advanced else rows
        for table, rows in sample_tables.items()
    }
    faults = []
    for table, definition in sample_definitions.items():
        for key in definition.foreign_keys:
            children = {value for value in _tuples(known[table], key.columns) if None not in value}
            if children - set(_tuples(known[key.parent_table], key.parent_columns)):
                faults.append((table, key.columns))
    assert faults == []


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(sample_world: World, sample_tables: Tables) -> None:
    same = first_world(sample_world.seed, SCALE, sample_world.window)
    other = first_world(sample_world.seed + 1, SCALE, sample_world.window)
    assert build_world(same) == sample_tables
    assert build_world(other)["customer_events"] != sample_tables["customer_events"]


def test_rows_do_not_depend_on_the_chunks_they_are_made_in(sample_world: World, sample_tables: Tables) -> None:
    build = BUILDERS_BY_DOMAIN["customer"]["customer_events"]
    count = sample_world.total("customer_events")
    chunks = [
        pa.table(build(sample_world.rows("customer_events", np.arange(start, min(start + 97, count)))))
        for start in range(0, count, 97)
    ]
    assert pa.concat_tables(chunks).combine_chunks() == sample_tables["customer_events"].combine_chunks()


def test_watermarks_fill_the_window_and_end_with_it(sample_world: World, sample_tables: Tables) -> None:
    end = datetime.combine(sample_world.window.end_date, time.max, UTC)
    late = {
        table: pc.max(rows[column]).as_py()
        for table, rows in sample_tables.items()
        for column in ("created_at", "updated_at")
        if column in rows.column_names and pc.max(rows[column]).as_py() > end
    }
    assert late == {}


def test_incremental_tables_are_dated_within_the_window(sample_world: World, sample_tables: Tables) -> None:
    """So a lake table has no more date partitions than the window has days."""
    first, last = sample_world.window.first_date, sample_world.window.end_date
    outside = [
        table
        for table, row in CONTRACT.items()
        if row["date_column"]
        and not all(first <= day <= last for day in _days(sample_tables[table][row["date_column"]]))
    ]
    assert outside == []


def test_new_days_are_newer_than_every_mark_before_them(
    next_world: World, sample_tables: Tables, next_tables: Tables
) -> None:
    start = datetime.combine(next_world.window.first_date, time.min, UTC)
    for table, row in CONTRACT.items():
        if row["watermark"]:
            assert pc.max(sample_tables[table][row["watermark"]]).as_py() < start
            assert pc.min(next_tables[table][row["watermark"]]).as_py() >= start


def test_updated_at_is_never_before_created_at(sample_tables: Tables) -> None:
    for table, rows in sample_tables.items():
        if "updated_at" in rows.column_names:
            assert pc.all(pc.greater_equal(rows["updated_at"], rows["created_at"])).as_py(), table


def test_json_is_json_and_some_of_it_is_null(sample_tables: Tables, sample_definitions: Definitions) -> None:
    columns = [
        sample_tables[table][column.name].to_pylist()
        for table, definition in sample_definitions.items()
        for column in definition.columns
        if column.type == "jsonb"
    ]
    for values in columns:
        assert all(
            isinstance(json.loads(value), (dict, list, str, int, float)) for value in values if value is not None
        )
    assert any(None in values for values in columns)


def test_arrays_are_null_empty_and_hold_nulls(sample_tables: Tables) -> None:
    tags = set(sample_tables["editorial_media_assets"]["tags"].to_pylist())
    tags |= set(sample_tables["editorial_article_content"]["keywords"].to_pylist())
    assert None in tags
    assert "{}" in tags
    assert any(value and "NULL" in value for value in tags)


def test_events_fall_into_their_sessions(sample_world: World, sample_tables: Tables) -> None:
    sessions = sample_tables["customer_sessions"]
    begun = dict(zip(sessions["session_id"].to_pylist(), sessions["session_start"].to_pylist(), strict=True))
    events = pa.table(customer_events(sample_world.rows("customer_events", np.arange(200))))
    for session, moment in zip(events["session_id"].to_pylist(), events["event_timestamp"].to_pylist(), strict=True):
        assert begun[session] <= moment


def test_headlines_come_in_seven_languages(sample_tables: Tables) -> None:
    languages = set(sample_tables["company_internal_content"]["language"].to_pylist())
    languages |= set(sample_tables["editorial_articles"]["language"].to_pylist())
    assert languages == {"de", "en", "fr", "es", "tr", "ar", "zh"}


def _tuples(rows: pa.Table, columns: tuple[str, ...]) -> Iterator[tuple[object, ...]]:
    return zip(*(rows[column].to_pylist() for column in columns), strict=True)


def _days(column: pa.ChunkedArray) -> set[object]:
    return set(column.cast(pa.date32()).to_pylist())

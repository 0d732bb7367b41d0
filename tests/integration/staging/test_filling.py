"""Into an empty table rows come by COPY, and by the upsert from the first record on that meets another."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest

from etl.staging.batch.fill import fill_rows
from etl.staging.batch.paths import getter
from etl.staging.batch.preparation import Rules, prepare
from etl.staging.batch.records import RUN_POSITIONS, PreparedBatch, RawBatch
from etl.staging.batch.upsert import Stored, Target, store_rows
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.values import NewRun
from etl.statements.staging.tables import StagingTable, staging_table_statements
from tests.integration.staging.conftest import Execute, store_of

pytestmark = pytest.mark.stack

RULES = Rules(getter("id"), getter("at"), datetime.fromisoformat, (("n", getter("n")),))
ALL_BUT_TIMES = (
    "SELECT source_id, data::text, etl_job_id, etl_run_id, is_valid, validation_errors, source_updated_at, "
    "hash_digest, input_position FROM stg_events ORDER BY source_id"
)
AWKWARD = [
    b'{"id": "tab \\t newline \\n return \\r backslash \\\\", "n":\t1,\r "x": "\\\\N \\\\. \\ud83c\\udf89 \xc3\xbc"}',
    b'{"id": "\\\\.", "n": null, "at": "2026-01-01T00:00:00.000001-03:30"}',
    b'{"id": "{\\"quoted\\"}", "at": "quote \\" and \\\\ and \\t", "n": 1e300}',
    b'{"id": "\xf0\x9f\x8e\x89", "n": 123.10, "at": "1900-01-01T00:00:00+00:19:32"}',
    b'{"id": "\xef\xbf\xbd", "n": 750727362669608961, "at": "2026-01-01T00:00:00Z"}',
    b'{"id": "null", "n": 1, "at": null}',
]


@pytest.fixture
def empty_target(database: StagingDatabase, events: StagingTable) -> Target:
    number = StagingLedger(database).start_run(NewRun("first", "events", events.name, 1000, 1), force=True)
    return Target(events, "events", "first", number, skip_unchanged=True, is_empty=True)


def batch_of(records: list[bytes] | list[dict[str, Any]], index: int = 0, first: int = 0) -> PreparedBatch:
    texts = [each if isinstance(each, bytes) else orjson.dumps(each) for each in records]
    return prepare(RawBatch(index, {}, range(first, first + len(texts)), texts), RULES)


def registered(database: StagingDatabase, batches: list[PreparedBatch]) -> list[PreparedBatch]:
    raw = [RawBatch(each.index, {}, each.ordinals, []) for each in batches]
    StagingLedger(database).register_batches("first", raw)
    return batches


def totals(execute: Execute) -> tuple[int, ...]:
    (found,) = execute(
        "SELECT sum(rows_inserted), sum(rows_updated), sum(rows_unchanged), sum(rows_deduplicated), sum(rows_rejected) "
        "FROM etl_run_batches WHERE status = 'succeeded'"
    )
    return tuple(int(each) for each in found)


def test_a_filled_row_is_an_upserted_one(database: StagingDatabase, empty_target: Target, execute: Execute) -> None:
    found = []
    for write in (fill_rows, store_rows):
        execute("TRUNCATE stg_events")
        with database.transaction("store") as cursor:
            assert write(cursor, empty_target, batch_of(AWKWARD, first=7)) == Stored(6, 0, 0, 0)
        found.append(execute(ALL_BUT_TIMES))
    assert found[0] == found[1]
    assert {row[-1] - empty_target.run_number * RUN_POSITIONS for row in found[0]} == set(range(7, 13))
    assert sum(row[4] for row in found[0]) == 4


def test_times_are_the_servers(database: StagingDatabase, empty_target: Target, execute: Execute) -> None:
    with database.transaction("store") as cursor:
        cursor.execute("SELECT now()")
        ((now,),) = cursor.fetchall()
        fill_rows(cursor, empty_target, batch_of([{"id": "a"}, {"id": "b"}]))
    assert execute("SELECT DISTINCT loaded_at, created_at, updated_at FROM stg_events") == [(now, now, now)]


def test_optional_columns_may_be_missing(database: StagingDatabase, empty_target: Target, execute: Execute) -> None:
    plain = StagingTable("stg_plain", has_source_updated_at=False, has_hash_digest=False)
    with database.transaction("store") as cursor:
        for statement in staging_table_statements(plain):
            cursor.execute(statement)
        assert fill_rows(cursor, replace(empty_target, table=plain), batch_of(AWKWARD)) == Stored(6, 0, 0, 0)
    assert execute("SELECT count(*) FROM stg_plain") == [(6,)]


def test_the_first_that_meets_another_goes_by_the_upsert_and_all_that_follow(
    database: StagingDatabase, empty_target: Target, execute: Execute
) -> None:
    store = store_of(database, empty_target)
    old, new = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    first = batch_of([{"id": "a", "n": 1, "at": new}, {"id": "b", "n": 1, "at": old}, {"id": "c", "n": 1}], 0)
    second = batch_of([{"id": "a", "n": 2, "at": old}, {"id": "b", "n": 2, "at": new}, {"id": "c", "n": 1}], 1, 10)
    third = batch_of([{"id": "d", "n": 3}], 2, 20)
    met = []
    for batch in registered(database, [first, second, third]):
        assert store.store(batch, lambda ordinal: {})
        met.append(store.has_met.is_set())
    assert met == [False, True, True]
    assert totals(execute) == (4, 1, 1, 1, 0)
    found = execute("SELECT source_id, data ->> 'n', updated_at > created_at FROM stg_events ORDER BY source_id")
    assert [row[:2] for row in found] == [("a", "1"), ("b", "2"), ("c", "1"), ("d", "3")]
    assert [row[2] for row in found[:3]] == [False, True, False]


def test_a_record_that_cannot_be_stored_is_rejected_alone_and_filling_goes_on(
    database: StagingDatabase, empty_target: Target, execute: Execute
) -> None:
    store = store_of(database, empty_target)
    bad = batch_of([b'{"id": "a", "n": 1}', b'{"id": "tiny", "n": 1e-20000}'], 0)
    good = batch_of([{"id": "b", "n": 1}], 1, 10)
    assert all(store.store(batch, lambda ordinal: {}) for batch in registered(database, [bad, good]))
    assert not store.has_met.is_set()
    assert totals(execute) == (2, 0, 0, 0, 1)
    assert execute("SELECT ordinal, reason FROM etl_run_rejects") == [(1, "unstorable")]


def test_a_table_that_takes_no_copy_is_upserted(
    database: StagingDatabase, empty_target: Target, execute: Execute
) -> None:
    execute("ALTER TABLE stg_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    execute("CREATE POLICY everybody ON stg_events USING (true)")
    store = store_of(database, empty_target)
    assert store.store(*registered(database, [batch_of([{"id": "a", "n": 1}])]), lambda ordinal: {})
    assert store.has_met.is_set()
    assert totals(execute) == (1, 0, 0, 0, 0)


def test_rows_that_a_trigger_refuses_are_no_inserted_ones(
    database: StagingDatabase, empty_target: Target, execute: Execute
) -> None:
    execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON stg_events FOR EACH ROW WHEN (NEW.source_id = 'b') "
        "EXECUTE FUNCTION refuse()"
    )
    with database.transaction("store") as cursor:
        assert fill_rows(cursor, empty_target, batch_of([{"id": "a"}, {"id": "b"}])) == Stored(1, 0, 0, 1)


def test_runs_that_fill_and_upsert_the_same_keys_at_once_agree(
    database: StagingDatabase, empty_target: Target, execute: Execute
) -> None:
    """No retry is allowed: a deadlock would fail its batch."""
    letters = ["a", "B", "_", "é", "Z", "1", "ß", "-", "e", "E"]
    keys = [f"{one}{other}{number}" for one in letters for other in letters for number in range(5)]
    draw, batches = random.Random(4), []
    for index in range(20):
        draw.shuffle(keys)
        batches.append(batch_of([{"id": key, "n": index} for key in keys], index, index * 1000))
    stores = [store_of(database, replace(empty_target, is_empty=is_empty)) for is_empty in (True, False, True, False)]
    work = [(stores[batch.index % 4], batch) for batch in registered(database, batches)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda each: each[0].store(each[1], lambda ordinal: {}), work))
    inserted, updated, unchanged, deduplicated, rejected = totals(execute)
    assert (inserted, unchanged, rejected) == (500, 0, 0)
    assert inserted + updated + deduplicated == 20 * 500
    assert execute("SELECT DISTINCT data ->> 'n' FROM stg_events") == [("19",)]

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest

from etl.staging.batch import upsert as writing
from etl.staging.batch.paths import getter
from etl.staging.batch.preparation import Rules, prepare
from etl.staging.batch.records import RUN_POSITIONS, RawBatch
from etl.staging.batch.upsert import Stored, Target, store_rows, upsert_parameters, without_rows
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.values import NewRun
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute, store_of

pytestmark = pytest.mark.stack

RULES = Rules(getter("id"), getter("at"), datetime.fromisoformat, (("n", getter("n")),))
OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


@pytest.fixture
def run(database: StagingDatabase, events: StagingTable) -> Target:
    return new_run(database, events, "first")


def new_run(database: StagingDatabase, table: StagingTable, run_id: str, **options: bool) -> Target:
    number = StagingLedger(database).start_run(NewRun(run_id, "events", table.name, 1000, 1), force=True)
    return Target(table, "events", run_id, number, **options)


def store(database: StagingDatabase, target: Target, *records: dict[str, Any] | bytes, first: int = 0) -> Stored:
    texts = [each if isinstance(each, bytes) else orjson.dumps(each) for each in records]
    batch = prepare(RawBatch(0, {}, range(first, first + len(texts)), texts), RULES)
    with database.transaction("store") as cursor:
        return store_rows(cursor, target, batch)


def rows(execute: Execute) -> list[Any]:
    return execute("SELECT source_id, data ->> 'n', etl_run_id FROM stg_events ORDER BY source_id")


def test_rows_are_inserted_then_updated(database: StagingDatabase, run: Target, execute: Execute) -> None:
    assert store(database, run, {"id": "a", "n": 1}, {"id": "b", "n": 1}) == Stored(2, 0, 0, 0)
    (before,) = execute("SELECT etl_job_id, created_at, updated_at FROM stg_events WHERE source_id = 'a'")
    second = new_run(database, run.table, "second")
    assert store(database, second, {"id": "a", "n": 2}, {"id": "c", "n": 1}) == Stored(1, 1, 0, 0)
    assert rows(execute) == [("a", "2", "second"), ("b", "1", "first"), ("c", "1", "second")]
    (after,) = execute("SELECT etl_job_id, created_at, updated_at FROM stg_events WHERE source_id = 'a'")
    assert after[:2] == before[:2]
    assert after[2] > before[2]


def test_documents_stay_exact(database: StagingDatabase, run: Target, execute: Execute) -> None:
    awkward = "quote \" back\\slash {brace}, ' newline \n tab \t % ünï 🎉"
    text = b'{"n": 750727362669608961, "exact": 123.10, "id": ' + orjson.dumps(awkward) + b"}"
    assert store(database, run, text).rows_inserted == 1
    ((source_id, number, exact),) = execute("SELECT source_id, data ->> 'n', data ->> 'exact' FROM stg_events")
    assert (source_id, number, exact) == (awkward, "750727362669608961", "123.10")


def test_what_describes_a_row_changes_with_it(database: StagingDatabase, run: Target, execute: Execute) -> None:
    store(database, run, {"id": "a", "at": OLD})
    look = "SELECT is_valid, validation_errors, source_updated_at, input_position FROM stg_events"
    ((is_valid, errors, updated_at, position),) = execute(look)
    assert (is_valid, errors[0]["path"], updated_at.isoformat()) == (False, "n", OLD)
    assert position == run.run_number * RUN_POSITIONS
    store(database, run, {"id": "a", "n": 1, "at": NEW}, first=5)
    assert execute(look) == [(True, None, datetime.fromisoformat(NEW), run.run_number * RUN_POSITIONS + 5)]


def test_an_older_record_never_replaces_a_newer_one(database: StagingDatabase, run: Target, execute: Execute) -> None:
    store(database, run, {"id": "a", "n": 1, "at": NEW}, {"id": "b", "n": 1}, first=10)
    late = store(database, run, {"id": "a", "n": 2, "at": OLD}, {"id": "a", "n": 3}, {"id": "b", "n": 2}, first=0)
    # within the batch one of the two `a` stands for the other; against the table all are older
    assert late == Stored(0, 0, 0, 3)
    assert rows(execute) == [("a", "1", "first"), ("b", "1", "first")]


@pytest.mark.parametrize("compares", [True, False])
def test_equal_rows_are_not_rewritten(database: StagingDatabase, run: Target, execute: Execute, compares: bool) -> None:
    store(database, run, {"id": "a", "n": 1, "at": OLD}, {"id": "b", "n": 1, "at": OLD}, {"id": "c", "n": 9, "at": NEW})
    before = execute("SELECT source_id, xmin, ctid FROM stg_events ORDER BY source_id")
    again = new_run(database, run.table, "again", skip_unchanged=True, compares=compares)
    stored = store(
        database,
        again,
        {"id": "a", "n": 1, "at": OLD},
        # equal for PostgreSQL though written otherwise
        b'{"n":   1, "at": "' + OLD.encode() + b'", "id": "b"}',
        {"id": "c", "n": 8, "at": OLD},
        {"id": "d", "n": 1},
    )
    assert stored == Stored(rows_inserted=1, rows_updated=0, rows_unchanged=2, rows_deduplicated=1)
    after = execute("SELECT source_id, xmin, ctid FROM stg_events ORDER BY source_id")
    assert [row[:1] + row[2:] for row in after[:3]] == [row[:1] + row[2:] for row in before]


@pytest.mark.parametrize("compares", [True, False])
def test_what_is_stored_is_compared_bit_by_bit(
    database: StagingDatabase, run: Target, execute: Execute, compares: bool
) -> None:
    """Equal for jsonb's `=`, and yet another record."""
    pairs = [("1.0", "1.00"), ("100", "1e2"), ("0.0", "-0.00"), ("[1.5]", "[1.50]"), ("0", "0.0"), ('"1.0"', '"1.00"')]
    store(database, run, *(b'{"id": "k%d", "n": %s}' % (n, old.encode()) for n, (old, _) in enumerate(pairs)))
    again = new_run(database, run.table, "again", skip_unchanged=True, compares=compares)
    changed = [b'{"id": "k%d", "n": %s}' % (n, new.encode()) for n, (_, new) in enumerate(pairs)]
    assert store(database, again, *changed) == Stored(0, 5, 1, 0)
    stored = execute("SELECT data ->> 'n' FROM stg_events ORDER BY source_id")
    assert stored == execute(
        "SELECT (record::jsonb) ->> 'n' FROM unnest(%s) AS record", ([*map(bytes.decode, changed)],)
    )
    other_blanks = [text.replace(b" ", b"  ") for text in changed]
    third = new_run(database, run.table, "third", skip_unchanged=True, compares=compares)
    assert store(database, third, *other_blanks) == Stored(0, 0, 6, 0)


def test_a_time_that_cannot_be_read_decides_nothing(database: StagingDatabase, run: Target, execute: Execute) -> None:
    dated = replace(run, source_updated_at_path="source_updated_at")
    look = "SELECT source_id, data ->> 'n', is_valid, source_updated_at FROM stg_events ORDER BY 1"
    old, new = datetime.fromisoformat(OLD), datetime.fromisoformat(NEW)
    store(database, dated, *({"id": key, "n": 1, "at": NEW} for key in ("absent", "later", "sooner")), first=10)
    unreadable = store(
        database,
        dated,
        {"id": "later", "n": 2, "at": "soon"},
        {"id": "absent", "n": 2},
        {"id": "only", "at": 7},
        first=20,
    )
    assert unreadable == Stored(1, 1, 0, 1)
    assert store(database, dated, {"id": "sooner", "n": 2, "at": "soon"}, first=0) == Stored(
        0, 0, 0, 1, superseded=frozenset({0})
    )
    assert execute(look) == [
        ("absent", "1", True, new),
        ("later", "2", False, new),
        ("only", None, False, None),
        ("sooner", "1", True, new),
    ]
    # what is older than the last known time does not come back, and a row without one is not newer than what follows
    assert store(
        database, dated, {"id": "later", "n": 3, "at": OLD}, {"id": "only", "n": 3, "at": OLD}, first=30
    ) == Stored(0, 1, 0, 1)
    assert store(database, dated, {"id": "later", "n": 4, "at": NEW}, first=40) == Stored(0, 1, 0, 0)
    assert execute(look)[1:3] == [("later", "4", True, new), ("only", "3", True, old)]


def test_the_time_of_an_unchanged_row_is_filled_in(database: StagingDatabase, run: Target, execute: Execute) -> None:
    """A table may have got the column later: without its time an older record would replace it."""
    store(database, run, {"id": "a", "n": 1, "at": NEW})
    execute("UPDATE stg_events SET source_updated_at = NULL")
    again = new_run(database, run.table, "again", skip_unchanged=True, compares=True)
    assert store(database, again, {"id": "a", "n": 1, "at": NEW}) == Stored(0, 1, 0, 0)
    assert store(database, again, {"id": "a", "n": 0, "at": OLD}, first=5) == Stored(0, 0, 0, 1)
    assert store(database, again, {"id": "a", "n": 1, "at": NEW}, first=9) == Stored(0, 0, 1, 0)


def test_a_batch_too_large_for_a_statement_is_stored_by_several(
    database: StagingDatabase, run: Target, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "STATEMENT_BYTES", 100)
    records = [{"id": f"k{i:02}", "n": i, "text": "x" * (i * 10)} for i in range(20)]
    assert store(database, run, *reversed(records)) == Stored(20, 0, 0, 0)
    again = new_run(database, run.table, "again", skip_unchanged=True)
    records[7]["n"] = 0
    assert store(database, again, *records, {"id": "k02", "n": 2}) == Stored(0, 2, 18, 1)
    assert execute("SELECT count(*), sum((data ->> 'n')::int) FROM stg_events") == [(20, 183)]


@pytest.mark.parametrize("compares", [True, False])
def test_what_is_not_known_of_an_unchanged_row_is_filled_in(
    database: StagingDatabase, run: Target, execute: Execute, compares: bool
) -> None:
    """As migrate leaves it. Else an older record would find no time to lose against, and each load look twice."""
    current = {"id": "a", "n": 1, "at": NEW}
    store(database, run, current)
    execute("UPDATE stg_events SET source_updated_at = NULL, hash_digest = NULL, input_position = 0")
    second = new_run(database, run.table, "second", skip_unchanged=True, compares=compares)
    assert store(database, second, current) == Stored(0, 1, 0, 0)
    third = new_run(database, run.table, "third", skip_unchanged=True, compares=compares)
    assert store(database, third, current) == Stored(0, 0, 1, 0)
    assert store(database, third, {"id": "a", "n": 0, "at": OLD}) == Stored(0, 0, 0, 1)
    assert rows(execute) == [("a", "1", "second")]
    assert execute("SELECT source_updated_at IS NULL, hash_digest IS NULL FROM stg_events") == [(False, False)]


def test_a_batch_counts_the_same_whether_digests_were_asked_for_or_not(
    database: StagingDatabase, run: Target, execute: Execute
) -> None:
    """Also where a rule of the job has changed meanwhile: the same text is the same record."""
    store(database, run, {"id": "a"}, {"id": "b", "n": 1}, {"id": "c", "n": 1, "at": NEW}, {"id": "e"})
    execute("UPDATE stg_events SET is_valid = true, validation_errors = NULL WHERE source_id IN ('a', 'e')")
    before = execute("SELECT source_id, is_valid, ctid FROM stg_events ORDER BY source_id")
    batch = [{"id": "a"}, {"id": "b", "n": 1}, {"id": "c", "n": 2, "at": OLD}, {"id": "d", "n": 1}, b'{"id":  "e"}']
    counted = []
    for run_id, share in (("asking", 1.0), ("not", 0.0)):
        target = new_run(database, run.table, run_id, skip_unchanged=True, compares=True)
        target.expectation.learn(100, int(share * 100))
        counted.append(store(database, target, *batch))
        assert execute("SELECT source_id, is_valid, ctid FROM stg_events ORDER BY source_id")[:3] == before[:3]
        execute("DELETE FROM stg_events WHERE source_id = 'd'")
        execute(
            "UPDATE stg_events SET is_valid = true, validation_errors = NULL, hash_digest = 'x' WHERE source_id = 'e'"
        )
    assert counted == [Stored(1, 1, 2, 1), Stored(1, 1, 2, 1)]


@pytest.mark.slow
def test_updates_of_a_table_made_for_them_touch_no_index(database: StagingDatabase, execute: Execute) -> None:
    table = StagingTable("stg_hot", has_hot_updates=True)
    assert install(database, [table]) == ["stg_hot"]
    keys = [f"k{number:04}" for number in range(500)]
    for number, at in enumerate((OLD, NEW)):
        target = new_run(database, table, f"run{number}", skip_unchanged=True)
        store(database, target, *({"id": key, "n": number, "at": at} for key in keys))
    look = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'stg_hot'"
    end = time.monotonic() + 60
    while execute(look) != [(500, 500)]:  # statistics come late
        assert time.monotonic() < end, execute(look)
        time.sleep(0.1)


def test_batches_that_meet_agree_on_the_last_record(database: StagingDatabase, run: Target, execute: Execute) -> None:
    """Ten batches of the same hundred keys, in opposite orders, at once: no deadlock, and the last position wins."""
    start = threading.Barrier(5)

    def one(index: int) -> Stored:
        keys = [f"k{i:03}" for i in range(100)]
        ordered = keys if index % 2 else keys[::-1]
        if index < 5:
            start.wait(timeout=30)
        return store(database, run, *({"id": key, "n": index} for key in ordered), first=index * 1000)

    with ThreadPoolExecutor(5) as pool:
        stored = list(pool.map(one, range(10)))
    assert sum(each.rows_inserted for each in stored) == 100
    assert sum(each.rows_inserted + each.rows_updated + each.rows_deduplicated for each in stored) == 1000
    assert {n for _, n, _ in rows(execute)} == {"9"}


def test_what_was_written_ahead_is_stored_alike(database: StagingDatabase, run: Target, execute: Execute) -> None:
    """By a reader that has time; also where of its rows some are left out after all."""
    texts = [orjson.dumps({"id": str(number), "n": number, "at": OLD}) for number in range(4)]
    alone, ahead = (prepare(RawBatch(index, {}, range(4), texts), RULES) for index in range(2))
    assert alone.parameters is None
    store_of(database, run).get_ready(ahead)
    assert ahead.parameters == upsert_parameters(run, alone, range(4))
    assert ahead.size_bytes == 2 * alone.size_bytes
    with database.transaction("store") as cursor:
        assert store_rows(cursor, run, without_rows(ahead, {0, 2})) == Stored(2, 0, 0, 0)
        assert store_rows(cursor, run, ahead) == Stored(2, 2, 0, 0)
    assert rows(execute) == [(str(number), str(number), "first") for number in range(4)]


def test_nothing_is_written_ahead_that_may_not_be_needed(
    database: StagingDatabase, run: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where digests are asked for first, which choose the rows; and where one statement does not take them all."""
    batch = prepare(RawBatch(0, {}, range(2), [b'{"id": "a"}', b'{"id": "b"}']), RULES)
    store_of(database, replace(run, skip_unchanged=True, compares=True)).get_ready(batch)
    assert batch.parameters is None
    monkeypatch.setattr(writing, "STATEMENT_BYTES", 20)
    store_of(database, run).get_ready(batch)
    assert batch.parameters is None

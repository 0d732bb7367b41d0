"""Kills, lost connections, second attempts and other writers: the right table stands after each of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from etl.clickhouse.door import ClickHouseDoor
from etl.errors import ConnectionLostError, ReconciliationError, ValidationError
from etl.load.base import LoadFacts
from etl.load.clickhouse.transfer import jdbc_writer
from etl.load.clickhouse.transfer import run_table as staging
from etl.load.clickhouse.transfer.arrow_writer import ArrowWriterConfig, write_arrow_partition
from etl.load.executors import Attempt, Receipt, write_partitions
from etl.model import Checksums
from tests.conftest import RunningStack
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry
from tests.stopping import stopped_server

pytestmark = pytest.mark.stack

FIRST = [("1", date(2025, 1, 1), "one", None), ("2", date(2025, 2, 1), "two", None)]
SECOND = [
    ("1", date(2025, 1, 1), "eins", None),
    ("2", date(2025, 2, 1), "two", None),
    ("3", date(2025, 3, 1), "3", None),
]


class Killed(BaseException):
    """The process is gone: nothing after it is executed, no clean-up either."""


@dataclass
class Kill:
    """Kills the driver before or after the first statement that starts with `words`."""

    words: str
    after: bool
    dead: bool = False

    def around(self, execute: Callable[..., None]) -> Callable[..., None]:
        def killing(door: ClickHouseDoor, statement: str, **options: Any) -> None:
            self._die_if(not self.after and self.meets(statement))
            execute(door, statement, **options)
            self._die_if(self.after and self.meets(statement))

        return killing

    def around_query(self, query: Callable[..., Any]) -> Callable[..., Any]:
        def killing(door: ClickHouseDoor, statement: str, **options: Any) -> Any:
            self._die_if(False)
            return query(door, statement, **options)

        return killing

    def meets(self, statement: str) -> bool:
        return statement.startswith(self.words) or f" {self.words} " in statement

    def _die_if(self, meets: bool) -> None:
        self.dead = self.dead or meets
        if self.dead:
            raise Killed


FRESH = ["CREATE TABLE", "ATTACH PARTITION", "MODIFY COMMENT", "RENAME TABLE"]
CHANGED = ["CREATE TABLE", "CLONE AS", "INSERT INTO", "MODIFY COMMENT", "EXCHANGE TABLES", "DROP TABLE"]
REPLACED = ["CLONE AS", "REPLACE PARTITION", "EXCHANGE TABLES"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("stored", "mode", "words"),
    [
        *(([], "merge", words) for words in FRESH),
        *((FIRST, "merge", words) for words in CHANGED),
        *((FIRST, "replace_partition", words) for words in REPLACED),
    ],
)
def test_a_kill_between_two_statements_leaves_one_content_or_the_other(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
    stored: list[tuple[Any, ...]],
    mode: str,
    words: str,
    after: bool,
) -> None:
    config = entry(table, mode=mode, partition_by=("toYYYYMM(day)",))
    if stored:
        loader_of(1).load(frame_of(*stored), config)
    kill = Kill(words, after)

    with monkeypatch.context() as patched:
        patched.setattr(ClickHouseDoor, "execute", kill.around(ClickHouseDoor.execute))
        patched.setattr(ClickHouseDoor, "query", kill.around_query(ClickHouseDoor.query))
        with pytest.raises(Killed):
            loader_of(2).load(frame_of(*SECOND), config)

    published = loader_of(2).published(config)
    stands = _names(clickhouse, table, final=True) if table in clickhouse.tables() else []
    is_done = words == "DROP TABLE" or (after and words in ("EXCHANGE TABLES", "RENAME TABLE"))
    assert stands == [row[2] for row in (SECOND if is_done else stored)]
    assert (published is not None) == is_done
    if published:
        assert published.rows_in == published.accounted == 3

    assert loader_of(3).remove_orphans(config, frozenset({"run-2"})) == []
    left = clickhouse.staging_of(table)
    dropped = loader_of(3).remove_orphans(config, frozenset({"run-3"}))
    assert dropped == [f"{clickhouse.settings.database}.{name}" for name in left]
    assert clickhouse.staging_of(table) == []
    again = loader_of(2).load(frame_of(*SECOND), config)
    assert again.rows_unchanged == (3 if is_done else 1 if stored else 0)
    assert _names(clickhouse, table, final=True) == ["eins", "two", "3"]


@pytest.mark.parametrize("words", ["CLONE AS", "EXCHANGE TABLES"])
@pytest.mark.parametrize("after", [False, True])
def test_a_lost_connection_is_retried_and_adds_nothing_twice(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    after: bool,
) -> None:
    config = entry(table, mode="append", engine="MergeTree")
    loader_of(1).load(frame_of(FIRST[0]), config)
    execute = ClickHouseDoor.execute
    lost: list[str] = []

    def losing(door: ClickHouseDoor, statement: str, **options: Any) -> None:
        meets = words in statement and not lost
        if not meets or after:
            execute(door, statement, **options)
        if meets:
            lost.append(statement)
            raise ConnectionLostError("the cable was pulled")

    monkeypatch.setattr(ClickHouseDoor, "execute", losing)
    result = loader_of(2, retries=2).load(frame_of(*FIRST), config)

    assert len(lost) == 1
    assert (result.rows_inserted, result.rows_unchanged) == (1, 1)
    assert _names(clickhouse, table) == ["one", "two"]
    assert clickhouse.staging_of(table) == []


def test_a_losing_attempt_of_a_task_adds_nothing(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_twice(df: DataFrame, write: Callable[..., Receipt], config: ArrowWriterConfig) -> list[Receipt]:
        speculative = df.limit(1).toArrow().to_batches()
        assert write_arrow_partition(iter(speculative), Attempt(part=0, number=999), config).rows == 1
        return write_partitions(df, write, config)

    monkeypatch.setattr(staging, "write_partitions", write_twice)
    config = entry(table, mode="append", engine="MergeTree")

    assert loader_of(1).load(frame_of(*FIRST), config).rows_inserted == 2
    assert loader_of(2).load(frame_of(*SECOND[1:]), config).rows_inserted == 1
    assert _names(clickhouse, table) == ["one", "two", "3"]
    assert clickhouse.staging_of(table) == []


def test_rows_that_a_jdbc_task_sends_again_are_taken_once(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = jdbc_writer._write

    def write_twice(df: DataFrame, *arguments: Any) -> None:
        write(df, *arguments)
        write(df, *arguments)

    monkeypatch.setattr(jdbc_writer, "_write", write_twice)
    config = entry(table, mode="append", engine="MergeTree", writer="jdbc")

    assert loader_of(1).load(frame_of(*FIRST), config).rows_inserted == 2
    assert _names(clickhouse, table) == ["one", "two"]


def test_another_writer_in_between_is_not_overwritten(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = entry(table, mode="append", engine="MergeTree")
    loader_of(1).load(frame_of(FIRST[0]), config)
    execute = ClickHouseDoor.execute
    intruded: list[bool] = []

    def intruding(door: ClickHouseDoor, statement: str, **options: Any) -> None:
        execute(door, statement, **options)
        if "CLONE AS" in statement and not intruded:
            intruded.append(True)
            execute(door, f"INSERT INTO `{table}` VALUES ('9', '2025-01-01', 'intruder', NULL)")

    monkeypatch.setattr(ClickHouseDoor, "execute", intruding)
    loader_of(2, retries=1).load(frame_of(*FIRST), config)

    assert _names(clickhouse, table) == ["one", "two", "intruder"]


def test_validation_stops_a_load_that_arrived_otherwise(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table)
    loader_of(1).load(frame_of(FIRST[0]), config)
    wrong = LoadFacts(3, Checksums(3, {"name": "123/3"}))

    with pytest.raises(ValidationError, match="column name: expected checksum 123/3, found"):
        loader_of(2).load(frame_of(*SECOND), config, wrong)

    assert _names(clickhouse, table, final=True) == ["one"]
    assert loader_of(2, validate=False).load(frame_of(*SECOND), config, wrong).rows_in == 3


def test_a_frame_that_changes_between_two_reads_is_refused(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    with pytest.raises(ReconciliationError, match="expected 5 rows, staged 3"):
        loader_of(1).load(frame_of(*SECOND), entry(table), LoadFacts(5))
    assert table not in clickhouse.tables()


def test_a_reader_sees_the_former_or_the_next_content_and_nothing_between(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config = entry(table, mode="replace_partition", partition_by=("toYYYYMMDD(day)",))
    days = [date(2025, 1, 1) + timedelta(days=offset) for offset in range(60)]
    loader_of(1).load(frame_of(*((str(i), day, "old", None) for i, day in enumerate(days))), config)
    seen: set[tuple[Any, ...]] = set()
    stop = threading.Event()

    def poll() -> None:
        with ClickHouseDoor(clickhouse.settings) as door:
            while not stop.is_set():
                [row] = door.query(f"SELECT count(), uniqExact(name), any(name) FROM `{table}` FINAL")
                seen.add(tuple(row))

    with _running(poll, stop):
        loader_of(2).load(frame_of(*((str(i), day, "new", None) for i, day in enumerate(days))), config)

    assert seen <= {(60, 1, "old"), (60, 1, "new")}
    assert (60, 1, "old") in seen
    assert _names(clickhouse, table, final=True) == ["new"] * 60


def test_a_statement_that_takes_too_long_is_ended_at_the_server_too(clickhouse: ClickHouse) -> None:
    hasty = clickhouse.settings.model_copy(update={"timeout_seconds": 1})
    slow = "SELECT sleepEachRow(1) FROM numbers(600) SETTINGS max_block_size = 1"
    with (
        ClickHouseDoor(hasty) as door,
        pytest.raises(ConnectionLostError, match=r"the server's time limit .*; raise clickhouse\.timeout_seconds"),
    ):
        door.query(slow)
    assert clickhouse.query("SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleepEachRow(1)%'") == [[0]]


def test_jdbc_does_not_wait_for_ever_for_an_answer(clickhouse: ClickHouse, spark: SparkSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        settings = clickhouse.settings.model_copy(update={"timeout_seconds": 1, "port": port})
        reader = spark.read.format("jdbc").option("driver", "com.clickhouse.jdbc.ClickHouseDriver")
        with pytest.raises(Py4JJavaError, match="timed out"):
            reader.option("url", jdbc_writer.jdbc_url(settings)).option("dbtable", "t").load()


def _names(clickhouse: ClickHouse, table: str, *, final: bool = False) -> list[str]:
    statement = f"SELECT name FROM `{table}` {'FINAL' if final else ''} ORDER BY toInt32(id)"
    return [row[0] for row in clickhouse.query(statement)]


class _running:
    """Runs a function in a thread while the block runs."""

    def __init__(self, work: Callable[[], None], stop: threading.Event) -> None:
        self._thread = threading.Thread(target=work)
        self._stop = stop

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)


def test_a_server_that_stands_still_ends_the_load_in_its_time(
    stack: RunningStack, clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    """It keeps its connections and says nothing, as one whose disk hangs does."""
    impatient = loader_of(1)
    settings = impatient.config.settings
    seconds = clickhouse.settings.model_copy(update={"timeout_seconds": 1})
    impatient.config = replace(impatient.config, settings=settings.model_copy(update={"clickhouse": seconds}))
    said = r"found none within 6 s; does the server still answer, .* \(clickhouse\.timeout_seconds\)\?$"
    with stopped_server(stack.data_dir, "clickhouse"), pytest.raises(ConnectionLostError, match=said):
        impatient.load(frame_of(*FIRST), entry(table))
    loader_of(2).load(frame_of(*FIRST), entry(table))
    assert clickhouse.query(f"SELECT count() FROM {table}") == [[2]]

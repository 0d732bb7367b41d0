"""One state for the whole run: across partitions, tables and threads, whatever is written meanwhile."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from pydantic import SecretStr
from pyspark.sql import DataFrame, SparkSession

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import ExtractConfig, RowSecurity, TableConfig, TransformConfig
from etl.errors import EtlError, SourceError
from etl.extract.postgresql.copying import copy_table
from etl.extract.postgresql.reader import ROWS_IN_MEMORY, PostgreSQLReader
from etl.extract.postgresql.selection import Selection
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.extract.postgresql.tables import fetch_rows, read_table
from etl.extract.values import Window
from etl.model import (
    POSTGRESQL_TYPE,
    WATERMARK,
    ColumnDefinition,
    Destination,
    ExtractMode,
    ForeignKey,
    TableDefinition,
    WriteMode,
)
from etl.postgresql import silence
from etl.spark.local_frame import held_rows
from etl.spark.session import interpreting
from tests.conftest import RunningStack
from tests.integration.extract.conftest import source_table
from tests.patience import until
from tests.stopping import stopped

pytestmark = pytest.mark.stack

SMALL_PARTITIONS = 1_000


def read(spark: SparkSession, snapshot: SourceSnapshot, table: TableConfig, window: Window | None = None) -> DataFrame:
    window = window or Window()
    return read_table(
        spark, snapshot, selection_of(snapshot, table, window), snapshot.measure(table, window), SMALL_PARTITIONS
    )


def selection_of(snapshot: SourceSnapshot, table: TableConfig, window: Window) -> Selection:
    source = snapshot.source_table(table)
    return Selection.of(table, source, source.definition, window)


def copied(spark: SparkSession, snapshot: SourceSnapshot, table: TableConfig) -> DataFrame:
    frame = copy_table(spark, snapshot, selection_of(snapshot, table, Window()), 1 << 20)
    assert frame is not None
    return frame


def described(frame: DataFrame) -> list[tuple[str, str, bool, str | None]]:
    """JDBC has more in its columns' metadata."""
    return [
        (each.name, each.dataType.simpleString(), each.nullable, each.metadata.get(POSTGRESQL_TYPE))
        for each in frame.schema
    ]


def as_texts(frame: DataFrame) -> list[str]:
    """Python has no instants before the year 1."""
    texts = {"binary": "hex({})", "array<binary>": "cast(transform({}, x -> hex(x)) AS string)"}
    shown = [texts.get(kind, "cast({} AS string)").format(f"`{name}`") for name, kind in frame.dtypes]
    return sorted(repr(tuple(row)) for row in frame.selectExpr(*shown).collect())


Reading = Callable[[SparkSession, SourceSnapshot, TableConfig], DataFrame]


def test_all_partitions_and_tables_see_one_state(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection, stack: RunningStack
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE a (id int PRIMARY KEY, turn int NOT NULL, filler text);"
            "CREATE TABLE b (turn int PRIMARY KEY);"
            "INSERT INTO a SELECT i, 0, repeat('x', 100) FROM generate_series(1, 5000) i; INSERT INTO b VALUES (0)"
        )
    stop = threading.Event()

    def write() -> None:
        with psycopg2.connect(stack.source_postgres_url) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {schema}")
            while not stop.is_set():
                cursor.execute("UPDATE a SET turn = turn + 1; INSERT INTO b SELECT max(turn) + 1 FROM b")
                cursor.execute("INSERT INTO a SELECT max(id) + 1, max(turn) FROM a")
                connection.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with SourceSnapshot(source) as snapshot:
            a, b = source_table(schema, "a"), source_table(schema, "b", key=("turn",))
            frame = read(spark, snapshot, a)
            assert frame.rdd.getNumPartitions() > 1
            first = frame.groupBy("turn").count().collect()
            latest = read(spark, snapshot, b).selectExpr("max(turn) AS turn").first()
            again = read(spark, snapshot, a).groupBy("turn").count().collect()
            measured = snapshot.measure(a, Window()).rows
    finally:
        stop.set()
        writer.join()
    assert latest is not None
    assert [row["turn"] for row in first] == [latest["turn"]]
    assert first == again and first[0]["count"] == measured


def test_partitions_cover_tables_partitioned_tables_and_views(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE p (id int, filler text) PARTITION BY HASH (id);"
            "CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
            "CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
            "INSERT INTO p SELECT i, repeat('x', 200) FROM generate_series(1, 4000) i;"
            "CREATE VIEW v AS SELECT * FROM p; CREATE TABLE e (id int)"
        )
    with SourceSnapshot(source) as snapshot:
        for name, partitions in (("p", 4), ("v", 1)):
            frame = read(spark, snapshot, source_table(schema, name))
            assert frame.rdd.getNumPartitions() == partitions
            assert frame.selectExpr("count(*)", "count(DISTINCT id)").first() == (4000, 4000)
        assert read(spark, snapshot, source_table(schema, "e")).collect() == []


@pytest.mark.parametrize(
    ("reading", "session"),
    [(read, interpreting), (read, lambda spark: spark), (copied, interpreting)],
    ids=["interpreted", "compiled", "copied"],
)
def test_every_type_arrives_exactly_or_is_named(
    reading: Reading,
    session: Callable[[SparkSession], SparkSession],
    spark: SparkSession,
    source: PostgreSQLSettings,
    schema: str,
    database: Connection,
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            'CREATE TABLE t (id int PRIMARY KEY, "Mixed.Case" text, "order" date, wall timestamp, at timestamptz,'
            " n numeric, share numeric(6,4), wide numeric(45,3), u uuid, j jsonb, i inet, texts text[],"
            " numbers integer[], instants timestamptz[], span interval, code char(5), f real, b bytea, blobs bytea[]);"
            "INSERT INTO t VALUES (1, 'x', '2024-02-29', '0001-01-01 00:00:00.000001',"
            " '9999-12-31 23:59:59.999999+00', 0.1234567890123456785, 12.3456, 12345678901234567890.123,"
            " 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{\"b\": 1, \"a\": [1]}', '10.0.0.1/8',"
            " ARRAY['a', NULL, 'q\"uo,te'], '{1,NULL}', ARRAY['2024-01-01 10:00+02'::timestamptz],"
            " '1 day 2 hours', 'ab', 0.1, '\\x00ff', ARRAY['\\xff'::bytea]);"
            "INSERT INTO t (id, at) VALUES (2, 'infinity'); INSERT INTO t (id, \"order\") VALUES (3, '-infinity');"
            "INSERT INTO t (id, n) VALUES (4, 'NaN'), (5, 1e30); INSERT INTO t (id, texts) VALUES (6, '{{a},{b}}');"
            "INSERT INTO t (id, at) VALUES (7, '1500-03-01 00:00:00.5+00'), (8, '0044-03-15 00:00+00 BC');"
            "INSERT INTO t (id, texts) VALUES (9, '[0:1]={a,b}');"
            "INSERT INTO t (id, instants) VALUES (10, '{-infinity}')"
        )
    with SourceSnapshot(source) as snapshot:
        frame = reading(session(spark), snapshot, source_table(schema, "t"))
        names = [name for name in frame.columns if name not in ("b", "blobs")]
        texts = frame.selectExpr(*(f"CAST(`{name}` AS string) AS `{name}`" for name in names)).collect()
        assert frame.where("id = 1").select("b", "blobs").first() == (b"\x00\xff", [b"\xff"])
        marks = {int(row["id"]): row["_etl_unreadable"] for row in texts if row["_etl_unreadable"]}
        by_id = {int(row["id"]): row for row in texts}
    assert tuple(by_id[1])[:-1] == (
        "1",
        "x",
        "2024-02-29",
        "0001-01-01 00:00:00.000001",
        "9999-12-31 23:59:59.999999",
        "0.1234567890123456785",
        "12.3456",
        "12345678901234567890.123",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        '{"a": [1], "b": 1}',
        "10.0.0.1/8",
        '[a, null, q"uo,te]',
        "[1, null]",
        "[2024-01-01 08:00:00]",
        "1 day 02:00:00",
        "ab",
        "0.1",
    )
    assert marks == {
        2: "at=infinity",
        3: "order=-infinity",
        6: "texts={{a},{b}}",
        9: "texts=[0:1]={a,b}",
        10: "instants={-infinity}",
    }
    assert (by_id[4]["n"], by_id[5]["n"]) == ("NaN", "1" + 30 * "0")
    assert (by_id[7]["at"], by_id[8]["at"]) == ("1500-03-01 00:00:00.5", "-0043-03-15 00:00:00")
    kinds = {
        field.name: (field.dataType.simpleString(), field.metadata["postgresql_type"]) for field in frame.schema[:-1]
    }
    assert kinds["wall"] == ("timestamp", "timestamp without time zone")
    assert kinds["instants"] == ("array<timestamp>", "timestamp with time zone[]")
    assert kinds["n"] == ("string", "numeric")


EDGES = r"""
CREATE TABLE t (id int PRIMARY KEY, a text, b boolean, c smallint, d bigint, e real, f double precision,
  g numeric(38,10), h numeric(5,5), i bytea, j date, k timestamptz, l timestamp, m money, n jsonb, o text[],
  p numeric(10,2)[], q real[], r bytea[], s date[], t timestamp[], u oid, v uuid, w boolean[], "x.y" "char");
INSERT INTO t VALUES (1, '', true, -32768, -9223372036854775808, '-0', '-0',
  9999999999999999999999999999.9999999999, 0.99999, '', '0001-01-01', '0001-01-01 00:00+00',
  '9999-12-31 23:59:59.999999', '-1.99', '""', '{}', '{NULL,1.10}', '{NaN,-0,3.4e38}', '{"\x",NULL}',
  '{2024-02-29}', '{0044-03-15 BC}', 4294967295, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{t,NULL,f}', 'c');
INSERT INTO t VALUES (2, E'line\nline\r\n\t"quoted", comma', false, 32767, 9223372036854775807, 'NaN', 'NaN',
  'NaN', -0.00001, '\xff00', '9999-12-31', '-infinity', 'infinity', '1', 'null', '{NULL,"","NULL"}');
INSERT INTO t (id, a, e, f, g, h) VALUES (3, '\.', 'Infinity', '-Infinity', 0, 0),
  (4, 'NULL', 1.17549435e-38, 5e-324, 1e-10, NULL), (5, '  🦀 ', 16777217, 0.1, -1, NULL),
  (6, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE nothing (id int, a text);
CREATE TABLE one (id text);
INSERT INTO one VALUES (NULL), (''), ('x'), (NULL)
"""


def test_copied_rows_are_those_that_the_driver_of_java_brings(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    """Values at the edges of their types and of CSV; the columns' types and what the source calls them, too."""
    with database.cursor() as cursor:
        cursor.execute(EDGES)
    with SourceSnapshot(source) as snapshot:
        for name in ("t", "nothing", "one"):
            table = source_table(schema, name)
            ours, theirs = copied(interpreting(spark), snapshot, table), read(spark, snapshot, table)
            assert described(ours) == described(theirs)
            assert as_texts(ours) == as_texts(theirs)


def test_rows_of_too_many_bytes_are_left_to_the_driver_of_java(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    """The snapshot is as good as before."""
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t AS SELECT id, repeat('x', 1000) AS a FROM generate_series(1, 100) AS id")
    table = source_table(schema, "t")
    with SourceSnapshot(source) as snapshot:
        selection = selection_of(snapshot, table, Window())
        assert copy_table(spark, snapshot, selection, 50_000) is None
        assert copied(spark, snapshot, table).count() == read(spark, snapshot, table).count() == 100


@pytest.mark.parametrize(("rows", "is_small"), [(ROWS_IN_MEMORY, True), (ROWS_IN_MEMORY + 1, False)])
def test_few_rows_are_held_by_the_driver_and_interpreted(
    rows: int, is_small: bool, spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    """In UTC and with Delta, as all else."""
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t AS SELECT id FROM generate_series(1, {rows}) AS id")
    table = source_table(schema, "t")
    with SourceSnapshot(source) as snapshot:
        reader = PostgreSQLReader(spark, snapshot, 1_000_000)
        frame = reader.read(table, None, Window(), reader.measure(table, Window()))
        plan = frame.selectExpr("id + 1")._jdf.queryExecution().executedPlan().toString()
        assert (held_rows(frame) is not None) is is_small is ("WholeStageCodegen" not in plan and "*(" not in plan)
        assert frame.agg({"id": "sum"}).first() == (rows * (rows + 1) // 2,)
    assert frame.sparkSession.conf.get("spark.sql.session.timeZone") == "UTC"
    assert frame.sparkSession.conf.get("spark.sql.extensions") == spark.conf.get("spark.sql.extensions")


def incremental(schema: str, date_column: str = "day", **fields: object) -> TableConfig:
    extract = ExtractConfig(mode=ExtractMode.INCREMENTAL, watermark="updated_at", overlap_seconds=600)
    lake = S3TableLoadConfig(
        table_name="t",
        path="t",
        mode=WriteMode.OVERWRITE_PARTITIONS,
        partition_by=("partition_date",),
        date_column=date_column,
    )
    loads = {Destination.S3: lake}
    return source_table(schema, "t", extract=extract, date_column=date_column, loads=loads, **fields)


def test_an_unchanged_tail_has_the_same_fingerprint_and_a_late_row_another(
    source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (id int PRIMARY KEY, day date, updated_at timestamptz NOT NULL);"
            "INSERT INTO t SELECT i, '2025-01-01', '2025-01-01 00:00+00'::timestamptz + i * interval '1 minute'"
            " FROM generate_series(1, 100) i"
        )
    table = incremental(schema)
    with SourceSnapshot(source) as snapshot:
        first = snapshot.measure(table, Window())
    assert (first.rows, first.upper_mark, first.touched_dates) == (100, "2025-01-01 01:40:00+00", ())
    behind = Window(first.upper_mark, overlap_seconds=600)
    with SourceSnapshot(source) as snapshot:
        second = snapshot.measure(table, behind)
        assert (second.rows, second.fingerprint) == (10, first.tail_fingerprint)
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (200, '2025-01-02', '2025-01-01 01:35:30+00')")
    with SourceSnapshot(source) as snapshot:
        third = snapshot.measure(table, behind)
    assert third.rows == 11 and third.fingerprint != first.tail_fingerprint
    assert third.touched_dates == (dt.date(2025, 1, 1), dt.date(2025, 1, 2))


def test_touched_days_are_read_whole_with_their_watermarks(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (id int PRIMARY KEY, day timestamptz, updated_at timestamptz NOT NULL);"
            "INSERT INTO t VALUES (1, '2025-01-01 23:30+00', '2025-01-01'), (2, '2025-01-02 00:30+00', '2025-01-02'),"
            " (3, '2025-01-02 12:00+00', '2025-02-01')"
        )
    table = incremental(schema)
    with SourceSnapshot(source) as snapshot:
        window = Window("2025-01-15")
        touched = snapshot.measure(table, window).touched_dates
        whole = Window("2025-01-15", partitions=touched)
        rows = read(spark, snapshot, table, whole).select("id", WATERMARK).collect()
        measured = snapshot.measure(table, whole)
    assert touched == (dt.date(2025, 1, 2),)
    assert sorted(map(tuple, rows)) == [(2, dt.datetime(2025, 1, 2)), (3, dt.datetime(2025, 2, 1))]
    assert (measured.rows, measured.upper_mark) == (2, "2025-02-01 00:00:00+00")


def test_touched_days_are_asked_of_the_column_that_is_renamed(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (id int PRIMARY KEY, day date, updated_at timestamptz NOT NULL);"
            "INSERT INTO t VALUES (1, '2025-01-02', '2025-01-01'), (2, '2025-01-02', '2025-02-01'),"
            " (3, '2025-01-03', '2025-01-01')"
        )
    table = incremental(schema, "happened_on", transform=TransformConfig(rename={"day": "happened_on"}))
    with SourceSnapshot(source) as snapshot:
        touched = snapshot.measure(table, Window("2025-01-15")).touched_dates
        rows = read(spark, snapshot, table, Window("2025-01-15", partitions=touched)).select("id").collect()
    assert touched == (dt.date(2025, 1, 2),)
    assert sorted(row["id"] for row in rows) == [1, 2]


def test_a_date_column_that_transform_makes_is_not_asked_of_the_source(
    source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    """Where no destination replaces partitions."""
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, updated_at timestamptz); INSERT INTO t VALUES (1, now())")
    table = incremental(schema, "derived").model_copy(update={"loads": {}})
    with SourceSnapshot(source) as snapshot:
        assert snapshot.measure(table, Window("2025-01-15")).rows == 1


def test_a_watermark_without_a_lossless_order_is_refused(
    source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, day date, updated_at numeric)")
    with (
        SourceSnapshot(source) as snapshot,
        pytest.raises(SourceError, match="'updated_at' to be a date, a timestamp or a whole number, found numeric"),
    ):
        snapshot.measure(incremental(schema), Window())


def test_one_absurd_date_hides_no_later_row(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (id int PRIMARY KEY, day date, updated_at timestamptz);"
            "INSERT INTO t VALUES (1, NULL, '9000-01-01'), (2, NULL, 'infinity'), (3, NULL, NULL)"
        )
    table = incremental(schema)
    before = dt.datetime.now(dt.UTC)
    with SourceSnapshot(source) as snapshot:
        first = snapshot.measure(table, Window())
        assert first.upper_mark is not None
        assert before - dt.timedelta(minutes=1) < dt.datetime.fromisoformat(first.upper_mark) <= dt.datetime.now(dt.UTC)
        # whoever has no watermark or one in the future is read every time
        assert snapshot.measure(table, Window(first.upper_mark)).rows == 3


def test_what_is_done_with_the_rows_is_part_of_the_fingerprint(
    source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)")
    table = source_table(schema, "t")
    with SourceSnapshot(source) as snapshot:
        plain, stamped = snapshot.measure(table, Window()), snapshot.measure(table, Window(), "hash")
    assert plain.tail_fingerprint == plain.fingerprint
    assert stamped.fingerprint == f"hash:{plain.fingerprint}"


def test_catalog(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE DOMAIN price AS numeric(10,2) CHECK (value > 0); CREATE TYPE mood AS ENUM ('sad', 'ok');"
            "CREATE TABLE parent (a int, b text, PRIMARY KEY (a, b));"
            'CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b text, "order" varchar(9)'
            " UNIQUE, p price, m mood[], twice bigint GENERATED ALWAYS AS (a * 2) STORED, gone int,"
            " FOREIGN KEY (a, b) REFERENCES parent (a, b));"
            "ALTER TABLE child DROP COLUMN gone; CREATE UNIQUE INDEX ON child (a) WHERE a > 0;"
            "CREATE UNIQUE INDEX ON child (b, a)"
        )
    with SourceSnapshot(source) as snapshot:
        catalog = snapshot.catalog([(schema, "child"), (schema, "parent")])
    assert catalog[schema, "child"] == TableDefinition(
        name="child",
        columns=(
            ColumnDefinition("id", "bigint", nullable=False, identity=True),
            ColumnDefinition("a", "integer"),
            ColumnDefinition("b", "text"),
            ColumnDefinition("order", "character varying(9)"),
            ColumnDefinition("p", "numeric(10,2)"),
            ColumnDefinition("m", "text[]", stands_for=f"{schema}.mood[]"),
            ColumnDefinition("twice", "bigint", generated=True),
        ),
        primary_key=("id",),
        unique_keys=(("order",), ("b", "a")),
        foreign_keys=(ForeignKey(("a", "b"), "parent", ("a", "b")),),
    )
    assert catalog[schema, "parent"].primary_key == ("a", "b")


def test_a_table_that_cannot_be_read_stops_no_other(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    """Missing, locked by another session, forbidden by its columns: each fails alone, and the snapshot lives on."""
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE articles (id int); INSERT INTO articles VALUES (1);"
            'CREATE TABLE locked (id int); CREATE TABLE twice (id int, "Id" int)'
        )
        cursor.execute("BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE")
        names = ("artikles", "locked", "articles", "twice")
        with SourceSnapshot(source, lock_timeout_seconds=1) as snapshot:
            found = snapshot.catalog([(schema, name) for name in names])
            cursor.execute("ROLLBACK")
            assert list(found) == [(schema, "articles")]
            said = {name: _refusal(snapshot, source_table(schema, name)) for name in names if name != "articles"}
            assert read(spark, snapshot, source_table(schema, "articles")).count() == 1
    assert f"{schema}.artikles: did you mean '{schema}.articles'?" in said["artikles"]
    assert f"{schema}.locked: canceling statement due to lock timeout" in said["locked"]
    assert "end that session, then start again" in said["locked"]
    assert "'id' and 'Id'" in said["twice"]


def test_schemas_and_tables_with_dots_are_told_apart(
    source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        dotted = f'"{schema}.b"'
        cursor.execute(
            f'CREATE SCHEMA {dotted}; CREATE TABLE "b.c" (one int); CREATE TABLE {dotted}.c (two int, three int)'
        )
        try:
            with SourceSnapshot(source) as snapshot:
                catalog = snapshot.catalog([(schema, "b.c"), (f"{schema}.b", "c")])
        finally:
            cursor.execute(f"DROP SCHEMA {dotted} CASCADE")
    assert {place: len(table.columns) for place, table in catalog.items()} == {
        (schema, "b.c"): 1,
        (f"{schema}.b", "c"): 2,
    }


def _refusal(snapshot: SourceSnapshot, table: TableConfig) -> str:
    with pytest.raises(SourceError) as caught:
        snapshot.measure(table, Window())
    assert caught.value.table == table.name
    return str(caught.value)


def test_a_missing_watermark_is_named(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int, day date, updatet_at timestamptz)")
    with SourceSnapshot(source) as snapshot, pytest.raises(SourceError, match="did you mean 'updatet_at'"):
        snapshot.measure(incremental(schema), Window())


def test_truncate_waits_for_the_run(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        with SourceSnapshot(source) as snapshot:
            snapshot.catalog([(schema, "t")])
            cursor.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                cursor.execute("TRUNCATE t")
            assert snapshot.measure(source_table(schema, "t"), Window()).rows == 1
        cursor.execute("TRUNCATE t")


def test_a_snapshot_that_died_says_so(source: PostgreSQLSettings, schema: str, database: Connection) -> None:
    with SourceSnapshot(source) as snapshot:
        snapshot.check_alive()
        assert snapshot._connection is not None
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [snapshot._connection.info.backend_pid])
        with pytest.raises(SourceError, match="is gone: its transaction was ended"):
            snapshot.check_alive()
        with pytest.raises(SourceError, match="is gone: its transaction was ended"):
            snapshot.measure(source_table("pg_catalog", "pg_class"), Window())
        with pytest.raises(SourceError, match="is gone: its transaction was ended"), snapshot.blamed():
            raise RuntimeError("what Spark said of a reader that lost its snapshot")


@pytest.mark.parametrize("asking", ["catalog", "measure"])
def test_a_run_that_is_given_up_waits_for_no_server_that_stands_still(
    source: PostgreSQLSettings, schema: str, database: Connection, monkeypatch: pytest.MonkeyPatch, asking: str
) -> None:
    """Neither by the snapshot's own connection nor by one that has joined it."""
    monkeypatch.setattr(silence, "GIVE_UP_SECONDS", 0.5)
    sessions = (
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'ownlens-etl extract%'"
        " AND datname = current_database() AND state IN ('active', 'idle in transaction')"
    )

    def pids() -> list[int]:
        with database.cursor() as cursor:
            cursor.execute(sessions)
            return [pid for (pid,) in cursor.fetchall()]

    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE articles (id int); CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(60)")
    failures: list[EtlError] = []

    def ask(snapshot: SourceSnapshot) -> None:
        try:
            if asking == "catalog":
                snapshot.catalog([(schema, "articles")])
            else:
                snapshot.measure(source_table(schema, "slow"), Window())
        except EtlError as error:
            failures.append(error)

    with SourceSnapshot(source) as snapshot:
        snapshot.catalog([(schema, "slow")])
        thread = threading.Thread(target=ask, args=(snapshot,))
        if asking == "measure":
            thread.start()
            until(lambda: len(pids()) == 2)
        with stopped(*pids()):
            if asking == "catalog":
                thread.start()
            snapshot.cancel()
            snapshot.cancel()
            thread.join(timeout=30)
            assert not thread.is_alive()
    assert len(failures) == 1


def test_a_wrong_password_is_refused_without_showing_it(source: PostgreSQLSettings) -> None:
    wrong = source.model_copy(update={"password": SecretStr("hunter2-wrong")})
    with pytest.raises(SourceError, match="password authentication failed") as caught, SourceSnapshot(wrong):
        pass
    assert "hunter2" not in str(caught.value)


def test_the_plan_shows_no_password(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int)")
    with SourceSnapshot(source) as snapshot:
        frame = read(spark, snapshot, source_table(schema, "t"))
        plan = frame._jdf.queryExecution().toString()
    assert source.password.get_secret_value() not in plan


def test_rows_that_a_policy_hides_are_never_missing_silently(
    spark: SparkSession, source: PostgreSQLSettings, schema: str, database: Connection
) -> None:
    """Tables, views of either kind, and one whose owner sees all: as a reader meets them, and as `filter` does."""
    role, password = f"reader_{schema}", "a-word-of-this-test"
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE tenants AS SELECT g AS id, g % 2 AS tenant FROM generate_series(1, 10) g;"
            "CREATE POLICY one ON tenants USING (tenant = 1); ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;"
            "CREATE VIEW of_the_owner AS TABLE tenants;"
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}'; GRANT USAGE ON SCHEMA {schema} TO {role};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
        )
        invoked = database.server_version >= 150000
        if invoked:
            cursor.execute(
                f"CREATE VIEW invoked WITH (security_invoker) AS TABLE tenants; GRANT SELECT ON invoked TO {role}"
            )
    reader = source.model_copy(update={"user": role, "password": SecretStr(password)})
    try:
        with SourceSnapshot(reader) as snapshot:
            for name in ("tenants", *(["invoked"] if invoked else [])):
                said = _refusal(snapshot, source_table(schema, name))
                assert 'policy for table "tenants"' in said
                assert f'ALTER ROLE "{role}" BYPASSRLS' in said
                assert "`source: {row_security: filter}`" in said
            assert read(spark, snapshot, source_table(schema, "of_the_owner")).count() == 10
            plain = source_table(schema, "tenants")
            meant = plain.model_copy(
                update={"source": plain.source.model_copy(update={"row_security": RowSecurity.FILTER})}
            )
            assert snapshot.measure(meant, Window()).rows == 5
            assert read(spark, snapshot, meant).count() == 5
    finally:
        with database.cursor() as cursor:
            cursor.execute(
                f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};"
                f"REVOKE ALL ON SCHEMA {schema} FROM {role}; DROP ROLE {role}"
            )


def test_rows_are_fetched_by_their_bytes() -> None:
    assert fetch_rows(0) == fetch_rows(1_000) == 10_000
    assert fetch_rows(1_000_000) == 16
    assert fetch_rows(1_000_000_000) == 1

"""The driver's lane and Spark's: each reads what the other wrote, goes on with it, and leaves it what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig, S3Writer
from etl.errors import ConnectionLostError, ContentionError, ValidationError
from etl.load.base import LoadFacts
from etl.load.s3.delta import commit as delta_commit
from etl.load.s3.delta.log import versions
from etl.load.s3.delta.transaction import Transaction
from etl.load.s3.driver import delta as driver_delta
from etl.load.s3.driver.snapshot import Snapshot, storage_options
from etl.load.s3.job import Place
from etl.load.s3.lane import MOST_ROWS, driver_table
from etl.model import WriteMode
from etl.s3.store import ObjectStore
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import FOUR, NEW_TWO, ONE, THREE, TWO, counts
from tests.integration.load.s3.test_publishing import Killed
from tests.integration.load.s3.test_values import _WIDE

pytestmark = pytest.mark.stack

BOTH = pytest.mark.parametrize("first", [S3Writer.SPARK, S3Writer.RUST])
SMALL = LoadFacts(rows=2)


def merging(lake: Lake, writer: S3Writer = S3Writer.RUST, **over: Any) -> S3TableLoadConfig:
    return lake.config(**{"format": S3Format.DELTA, "mode": WriteMode.MERGE, "writer": writer, **over})


def by(config: S3TableLoadConfig, writer: S3Writer) -> S3TableLoadConfig:
    return config.model_copy(update={"writer": writer})


def other(writer: S3Writer) -> S3Writer:
    return S3Writer.SPARK if writer is S3Writer.RUST else S3Writer.RUST


def actions(lake: Lake, config: S3TableLoadConfig, version: int | None = None) -> list[dict[str, Any]]:
    keys = versions(lake.store, lake.path(config))
    content = lake.store.get(keys[max(keys) if version is None else version])
    assert content is not None
    return [json.loads(line) for line in content.splitlines()]


def writer_of(lake: Lake, config: S3TableLoadConfig) -> S3Writer:
    """Of the latest commit, by what its engine calls itself."""
    [engine] = [each["commitInfo"]["engineInfo"] for each in actions(lake, config) if "commitInfo" in each]
    return S3Writer.RUST if engine.startswith("delta-rs") else S3Writer.SPARK


@BOTH
@pytest.mark.parametrize("partitioned", [True, False])
def test_a_delta_table_passes_from_lane_to_lane(lake: Lake, first: S3Writer, partitioned: bool) -> None:
    config = merging(lake, partitioned=partitioned)
    mine, theirs = by(config, first), by(config, other(first))
    assert counts(lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), mine)) == (3, 0, 0, 0, 0)
    assert writer_of(lake, config) is first
    assert counts(lake.loader("run-2").load(lake.frame(ONE, TWO, THREE), theirs)) == (0, 0, 3, 0, 0)
    assert counts(lake.loader("run-3").load(lake.frame(ONE, NEW_TWO, FOUR), theirs)) == (1, 1, 1, 0, 0)
    assert writer_of(lake, config) is other(first)
    assert lake.rows(config) == [ONE, NEW_TWO, THREE, FOUR]
    assert counts(lake.loader("run-4").load(lake.frame(TWO, FOUR), mine)) == (0, 1, 1, 0, 0)
    assert lake.rows(config) == [ONE, TWO, THREE, FOUR]
    assert lake.loader("run-3").published(mine) == lake.loader("run-3").published(theirs)


@BOTH
def test_both_lanes_describe_a_table_alike(lake: Lake, first: S3Writer) -> None:
    """Protocol, columns, folders, statistics, note and transaction, as far as Delta's readers look at them."""
    tables: dict[S3Writer, dict[str, Any]] = {}
    for writer in (first, other(first)):
        config = merging(lake, writer)
        lake.loader("run-1").load(lake.frame(ONE, TWO, THREE).withMetadata("name", {"postgresql_type": "uuid"}), config)
        commit = actions(lake, config)
        [add] = [each["add"] for each in commit if "add" in each and each["add"]["path"].endswith("parquet")][:1]
        [metadata] = [each["metaData"] for each in commit if "metaData" in each]
        tables[writer] = {
            "protocol": [each["protocol"] for each in commit if "protocol" in each],
            "schema": json.loads(metadata["schemaString"]),
            "partitioned by": metadata["partitionColumns"],
            "properties": metadata["configuration"],
            "transaction": [(each["txn"]["appId"], each["txn"]["version"]) for each in commit if "txn" in each],
            "files": sorted(
                (each["add"]["partitionValues"]["partition_date"], each["add"]["path"][-len(".c000.gz.parquet") :])
                for each in commit
                if "add" in each
            ),
            "statistics": {
                name: sorted(value)
                for name, value in json.loads(add["stats"]).items()
                if name != "numRecords" and name != "tightBounds"
            },
        }
    assert tables[S3Writer.RUST] == tables[S3Writer.SPARK]


@BOTH
def test_rare_values_are_the_same_in_both_lanes(lake: Lake, first: S3Writer) -> None:
    frame = lake.spark.sql(_WIDE).selectExpr(
        "*", "named_struct('a', ratio, 'at', at) AS pair", "map(coalesce(text, 'none'), at) AS times"
    )
    config = merging(lake, first)
    assert lake.loader("run-1").load(frame, config).rows_inserted == 3
    assert lake.loader("run-2").load(frame, by(config, other(first))).rows_unchanged == 3
    altered = frame.selectExpr("* EXCEPT (pair)", "named_struct('a', -0.0D, 'at', at) AS pair").where("id = 2")
    assert lake.loader("run-3").load(altered, by(config, other(first))).rows_updated == 1
    assert lake.loader("run-4").load(altered, config).rows_unchanged == 1
    found = lake.read(config).where("id = 2").selectExpr("cast(pair.a AS string)", "hex(raw)", "cast(times AS string)")
    assert [tuple(row) for row in found.collect()] == [("-0.0", "", "{ -> 1500-01-01 00:00:00.000001}")]


@BOTH
def test_a_parquet_table_passes_from_lane_to_lane(lake: Lake, first: S3Writer) -> None:
    config = lake.config(writer=first, mode=WriteMode.OVERWRITE_PARTITIONS)
    turned = by(config, other(first))
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    assert counts(lake.loader("run-2").load(lake.frame(ONE, TWO, THREE), turned)) == (0, 0, 3, 0, 0)
    assert counts(lake.loader("run-3").load(lake.frame(NEW_TWO, FOUR), turned)) == (1, 1, 0, 0, 1)
    assert counts(lake.loader("run-4").load(lake.frame(NEW_TWO, FOUR), config)) == (0, 0, 2, 0, 0)
    assert lake.rows(config) == [NEW_TWO, THREE, FOUR]


def test_a_checkpoint_of_either_lane_is_read_by_the_other(lake: Lake) -> None:
    config = merging(lake)
    spark_s, place = by(config, S3Writer.SPARK), Place.of(lake.spark, lake.settings, config)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    lake.loader("run-2").load(lake.frame(NEW_TWO), config)
    uri = f"s3://{place.path.bucket}/{place.path.prefix.rstrip('/')}"
    DeltaTable(uri, storage_options=storage_options(place.address)).create_checkpoint()
    forget_all_but_the_last(lake, config)
    assert counts(lake.loader("run-3").load(lake.frame(ONE, NEW_TWO, THREE), spark_s)) == (1, 0, 2, 0, 0)
    lake.spark.sql(f"ALTER TABLE delta.`{place.path.uri}` SET TBLPROPERTIES ('delta.checkpointInterval' = '1')")
    assert counts(lake.loader("run-4").load(lake.frame(FOUR), spark_s)) == (1, 0, 0, 0, 0)
    forget_all_but_the_last(lake, config)
    assert counts(lake.loader("run-5").load(lake.frame(ONE, TWO), config)) == (0, 1, 1, 0, 0)
    assert lake.rows(config) == [ONE, TWO, THREE, FOUR]


def forget_all_but_the_last(lake: Lake, config: S3TableLoadConfig) -> None:
    """What is left of the table's past is its checkpoint."""
    _, *older = versions(lake.store, lake.path(config)).values()
    lake.store.delete(older)


def test_auto_asks_what_the_pipeline_knows_of_the_frame(lake: Lake) -> None:
    config, frame = merging(lake, S3Writer.AUTO), lake.frame(ONE, TWO)
    for facts, writer in ((SMALL, S3Writer.RUST), (None, S3Writer.SPARK), (LoadFacts(MOST_ROWS + 1), S3Writer.SPARK)):
        config = config.model_copy(update={"path": config.path + "x"})
        lake.loader().load(frame, config, facts)
        assert writer_of(lake, config) is writer


def _evolved(lake: Lake) -> DataFrame:
    return lake.frame(NEW_TWO, THREE).selectExpr("*", "id * 10 AS tenfold")


def _with_features(lake: Lake, config: S3TableLoadConfig) -> DataFrame:
    uri = lake.path(config).uri
    lake.spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    return lake.frame(NEW_TWO, THREE)


def _with_property(lake: Lake, config: S3TableLoadConfig) -> DataFrame:
    uri = lake.path(config).uri
    lake.spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ('delta.dataSkippingNumIndexedCols' = '2')")
    return lake.frame(NEW_TWO, THREE)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda lake, config: _evolved(lake), ""),
        (_with_features, "its protocol is 3, 7 (table features)"),
        (_with_property, "it has table properties: delta.dataSkippingNumIndexedCols"),
    ],
    ids=["columns", "features", "property"],
)
def test_what_the_driver_cannot_do_goes_to_spark_by_itself(lake: Lake, made: Any, reason: str) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    frame = made(lake, config)
    if reason:
        assert lake.loader().plan(frame, config)[-1].startswith(f"written by Spark: {reason}")
    assert counts(lake.loader("run-2").load(frame, config)) == (1, 1, 0, 0, 0)
    assert writer_of(lake, config) is S3Writer.SPARK
    assert lake.rows(config) == [ONE, NEW_TWO, THREE]


def test_a_table_that_the_package_cannot_read_is_sparks(lake: Lake) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE), config)
    features = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["futures"],
        "writerFeatures": ["futures"],
    }
    path = lake.path(config)
    lake.store.put(f"{path.delta_log_prefix}{1:020d}.json", json.dumps({"protocol": features}).encode())
    assert Snapshot.of(Place.of(lake.spark, lake.settings, config)).is_beyond_us
    assert driver_table(Place.of(lake.spark, lake.settings, config), SMALL) is None


def test_a_plan_says_which_lane_and_why(lake: Lake) -> None:
    frame = lake.frame(ONE)

    def last(**over: Any) -> str:
        return lake.loader().plan(frame, merging(lake, **over))[-1]

    assert last(writer=S3Writer.AUTO) == "written by the driver up to 50000 rows and 32 MiB, above by Spark"
    assert last() == "written by the driver"
    assert last(writer=S3Writer.SPARK) == "written by Spark: writer: spark"
    assert last(path="tests/ä b") == "written by Spark: its path has signs that have to be escaped"
    assert (
        last(format=S3Format.JSON, mode=WriteMode.OVERWRITE, compression="none")
        == "written by Spark: json text is Spark's"
    )


def test_who_commits_in_between_is_not_lost(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two drivers at once: the second to commit looks again, and finds what the first has done."""
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE), config)
    commit, pending = Snapshot.commit, [S3Writer.RUST]

    def after_another(self: Snapshot, *arguments: Any) -> None:
        if pending:
            lake.loader("run-other").load(lake.frame(TWO), by(config, pending.pop()))
        commit(self, *arguments)

    monkeypatch.setattr(Snapshot, "commit", after_another)
    assert counts(lake.loader("run-2").load(lake.frame(NEW_TWO, THREE), config)) == (1, 1, 0, 0, 0)
    assert lake.rows(config) == [ONE, NEW_TWO, THREE]
    pending.append(S3Writer.SPARK)
    assert counts(lake.loader("run-3").load(lake.frame(TWO, FOUR), config)) == (1, 0, 1, 0, 0)
    assert lake.rows(config) == [ONE, TWO, THREE, FOUR]


def test_two_that_create_a_table_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    config = merging(lake)
    commit, pending = Snapshot.commit, [ONE]

    def after_another(self: Snapshot, *arguments: Any) -> None:
        if pending:
            lake.loader("run-other").load(lake.frame(pending.pop(), TWO), config)
        commit(self, *arguments)

    monkeypatch.setattr(Snapshot, "commit", after_another)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, NEW_TWO), config)) == (0, 1, 1, 0, 0)
    assert lake.rows(config) == [ONE, NEW_TWO]


def test_a_commit_whose_answer_was_lost_is_not_made_twice(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    config = merging(lake)
    commit = Snapshot.commit

    def lost(self: Snapshot, *arguments: Any) -> None:
        commit(self, *arguments)
        raise ConnectionLostError("the answer was lost")

    monkeypatch.setattr(Snapshot, "commit", lost)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, TWO), config)) == (2, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE, TWO]
    assert len(versions(lake.store, lake.path(config))) == 1


@pytest.mark.parametrize("step", ["put_many", "commit", "write_manifest"])
@pytest.mark.parametrize("after", [False, True])
def test_killed_around_each_write(lake: Lake, monkeypatch: pytest.MonkeyPatch, step: str, after: bool) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    home: Any = {"put_many": ObjectStore, "commit": Snapshot}.get(step)
    with monkeypatch.context() as patch:
        if home is None:
            home = delta_commit
        write = getattr(home, step)

        def killed(*arguments: Any) -> None:
            if after:
                write(*arguments)
            raise Killed

        patch.setattr(home, step, killed)
        with pytest.raises(Killed):
            lake.loader("run-2").load(lake.frame(NEW_TWO, THREE), config)
    was_committed = (step, after) not in (("put_many", False), ("put_many", True), ("commit", False))
    assert (lake.loader("run-2").published(config) is not None) is was_committed
    assert lake.rows(config) == ([ONE, NEW_TWO, THREE] if was_committed else [ONE, TWO])
    found = counts(lake.loader("run-3").load(lake.frame(NEW_TWO, THREE), config))
    assert found == ((0, 0, 2, 0, 0) if was_committed else (1, 1, 0, 0, 0))
    assert lake.rows(config) == [ONE, NEW_TWO, THREE]


@pytest.mark.parametrize("file_format", [S3Format.DELTA, S3Format.PARQUET])
def test_what_the_store_altered_fails_the_load(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, file_format: S3Format
) -> None:
    config = lake.config(format=file_format, writer=S3Writer.RUST, mode=WriteMode.OVERWRITE)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    frame, encode = lake.frame(ONE, NEW_TWO), driver_delta.encoded

    def altered(piece: Any, form: Any) -> bytes:
        name = piece.rows.column_names.index("name")
        wrong = pa.array(["?"] * piece.rows.num_rows)
        return encode(replace(piece, rows=piece.rows.set_column(name, "name", wrong)), form)

    for module in ("delta", "files"):
        monkeypatch.setattr(f"etl.load.s3.driver.{module}.encoded", altered)
    with pytest.raises(ValidationError, match=r"column name on 2025-11-0\d differs in (1 of 1|2 of 2) rows"):
        lake.loader("run-2").load(frame, config)


def test_a_file_that_is_gone_is_looked_for_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is vacuumed or replaced while it is read."""
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    get_many, refusals = ObjectStore.get_many, [True]

    def first_gone(self: ObjectStore, keys: Any) -> list[bytes | None]:
        found = get_many(self, list(keys))
        return [None for _ in found] if refusals and refusals.pop() else found

    monkeypatch.setattr(ObjectStore, "get_many", first_gone)
    assert counts(lake.loader("run-2").load(lake.frame(ONE, NEW_TWO), config)) == (0, 1, 1, 0, 0)


def test_a_snapshot_takes_no_commit_onto_another_version(lake: Lake) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE), config)
    old = Snapshot.of(Place.of(lake.spark, lake.settings, config))
    lake.loader("run-2").load(lake.frame(TWO), config)
    with pytest.raises(ContentionError, match="somebody else has committed"):
        old.commit([], [], Transaction("run-3:things", 1, "{}"), lake.frame(ONE).schema)


def test_bounds_let_readers_pass_over_files_and_never_over_rows(lake: Lake) -> None:
    long = "x" * 40
    rows = [(n, f"{long}{n}", f"2025-11-0{1 + n % 3}", f"{n}.50") for n in range(9)]
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(*rows), config)
    for n, name, day, price in rows:
        found = lake.read(config).where(f"name = '{name}' AND price = {price} AND day = DATE '{day}'")
        assert [row["id"] for row in found.collect()] == [n]
    assert lake.read(config).where(f"day = DATE '{date(2025, 11, 1)}'").count() == 3

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from etl.config.destinations.s3.load_config import S3Format, S3TableLoadConfig
from etl.config.settings import RunSettings, Settings
from etl.errors import ConflictError, DuplicateKeyError, SchemaMismatchError
from etl.ledger.values import Reject
from etl.load.base import LoaderConfig
from etl.load.s3 import comparison
from etl.load.s3.delta.log import commits_of_run, versions
from etl.load.s3.loader import S3Loader
from etl.model import ConflictResolution, Destination, SchemaContract, WriteMode
from tests.integration.load.s3.conftest import Lake
from tests.integration.load.s3.test_modes import FOUR, NEW_TWO, ONE, THREE, TWO, counts

pytestmark = pytest.mark.stack

MOVED_ONE = (1, "one", "2025-12-24", "1.00")


def merging(lake: Lake, **over: object) -> S3TableLoadConfig:
    return lake.config(format=S3Format.DELTA, mode=WriteMode.MERGE, **over)


def version(lake: Lake, config: S3TableLoadConfig) -> int:
    return max(versions(lake.store, lake.path(config)))


@pytest.fixture(params=["small", "large"])
def extent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of a few rows are compared in another way than large ones, with the same result."""
    if request.param == "large":
        monkeypatch.setattr(comparison, "_SMALL_ROWS", -1)


@pytest.mark.usefixtures("extent")
@pytest.mark.parametrize("partitioned", [True, False])
def test_merge_counts_exactly_and_leaves_equal_rows_alone(lake: Lake, partitioned: bool) -> None:
    config = merging(lake, partitioned=partitioned)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)) == (3, 0, 0, 0, 0)
    assert counts(lake.loader("run-2").load(lake.frame(ONE, NEW_TWO, FOUR), config)) == (1, 1, 1, 0, 0)
    assert lake.rows(config) == [ONE, NEW_TWO, THREE, FOUR]
    last = version(lake, config)
    assert counts(lake.loader("run-3").load(lake.frame(ONE, NEW_TWO, FOUR), config)) == (0, 0, 3, 0, 0)
    assert counts(lake.loader("run-4").load(lake.frame(), config)) == (0, 0, 0, 0, 0)
    assert version(lake, config) == last


def test_a_persisted_frame_is_merged_as_any_other(lake: Lake) -> None:
    """The pipeline persists every frame; Delta refuses cached sources unless told that they hold still."""
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    frame = lake.frame(ONE, NEW_TWO, THREE).persist()
    try:
        assert counts(lake.loader("run-2").load(frame, config)) == (1, 1, 1, 0, 0)
    finally:
        frame.unpersist()
    assert lake.rows(config) == [ONE, NEW_TWO, THREE]


def test_days_of_several_tasks_become_one_file_each(lake: Lake) -> None:
    rows = [(number, "one", f"2025-11-0{1 + number % 2}", "1.00") for number in range(8)]
    config = merging(lake)
    settings = Settings(s3=lake.settings, run=RunSettings(rows_per_partition=2, retry_for_seconds=0))
    loader = S3Loader(lake.spark, LoaderConfig(settings=settings, run_id="run-1", run_number=1))
    assert counts(loader.load(lake.frame(*rows).repartition(4), config)) == (8, 0, 0, 0, 0)
    assert lake.rows(config) == rows
    days = [key.split("partition_date=")[1].split("/")[0] for key in lake.data_keys(config)]
    assert sorted(days) == ["2025-11-01", "2025-11-02"]


@pytest.mark.usefixtures("extent")
def test_a_row_whose_day_changed_leaves_its_old_partition(lake: Lake) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO, THREE), config)
    assert counts(lake.loader("run-2").load(lake.frame(MOVED_ONE, FOUR), config)) == (1, 1, 0, 0, 0)
    assert lake.rows(config) == [MOVED_ONE, TWO, THREE, FOUR]
    days = {str(row[0]): row[1] for row in lake.read(config).groupBy("partition_date").count().collect()}
    assert days == {"2025-11-03": 1, "2025-11-04": 1, "2025-11-05": 1, "2025-12-24": 1}


def test_a_day_that_is_part_of_the_key_makes_another_row(lake: Lake) -> None:
    config = merging(lake, key=("id", "day"))
    lake.loader("run-1").load(lake.frame(ONE), config)
    assert counts(lake.loader("run-2").load(lake.frame(MOVED_ONE, ONE), config)) == (1, 0, 1, 0, 0)
    assert lake.rows(config) == [ONE, MOVED_ONE]


def test_merge_may_skip_or_refuse_what_differs(lake: Lake) -> None:
    config = merging(lake, conflict_resolution=ConflictResolution.SKIP)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    assert counts(lake.loader("run-2").load(lake.frame(ONE, NEW_TWO, THREE), config)) == (1, 0, 1, 1, 0)
    assert lake.rows(config) == [ONE, TWO, THREE]
    refusing = config.model_copy(update={"conflict_resolution": ConflictResolution.ERROR})
    with pytest.raises(ConflictError):
        lake.loader("run-3").load(lake.frame(NEW_TWO, FOUR), refusing)


def test_the_history_proves_run_and_table_of_each_commit(lake: Lake) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    lake.loader("run-2").load(lake.frame(NEW_TWO, THREE), config)
    transactions = []
    for _, key in sorted(versions(lake.store, lake.path(config)).items()):
        lines = (lake.store.get(key) or b"").splitlines()
        actions = [json.loads(line) for line in lines]
        transactions += [(a["txn"]["appId"], a["txn"]["version"]) for a in actions if "txn" in a]
    assert transactions == [("run-1:things", 1), ("run-2:things", 1)]
    (commit,) = commits_of_run(lake.store, lake.path(config), "run-2")
    assert counts(commit.load_result()) == (1, 1, 0, 0, 0)


def test_two_loads_of_one_run_are_both_applied(lake: Lake) -> None:
    config = merging(lake)
    for row in (ONE, TWO, THREE):
        assert counts(lake.loader("run-1").load(lake.frame(row), config)) == (1, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE, TWO, THREE]
    found = commits_of_run(lake.store, lake.path(config), "run-1")
    assert [commit.transaction for commit in found] == [3, 2, 1]


def test_a_commit_known_only_to_the_log_is_found(lake: Lake) -> None:
    """Killed between the commit and its metadata."""
    config = merging(lake)
    result = lake.loader("run-1").load(lake.frame(ONE), config)
    path = lake.path(config)
    lake.store.delete([path.manifest_key, path.load_key("run-1")])
    published = lake.loader("run-1").published(config)
    assert published is not None
    assert counts(published) == counts(result)


def test_a_target_that_holds_a_key_twice_is_not_merged_into(lake: Lake) -> None:
    config = merging(lake)
    twice = lake.frame(ONE, ONE).selectExpr("*", "day as partition_date")
    twice.write.format("delta").partitionBy("partition_date").save(lake.path(config).uri)
    with pytest.raises(DuplicateKeyError, match="found 2 stored rows for 1 keys"):
        lake.loader().load(lake.frame(ONE), config)


@pytest.mark.parametrize("mode", [WriteMode.APPEND, WriteMode.OVERWRITE])
@pytest.mark.parametrize("file_format", list(S3Format))
def test_a_key_that_stands_twice_hides_no_row_that_does_not_stand(
    lake: Lake, file_format: S3Format, mode: WriteMode
) -> None:
    """The stored rows that match are as many as the incoming ones, of which one is new."""
    keyless = lake.config(format=file_format, mode=WriteMode.APPEND, key=())
    lake.loader("run-1").load(lake.frame(ONE, ONE), keyless)
    config = keyless.model_copy(update={"key": ("id",), "mode": mode, "conflict_resolution": ConflictResolution.SKIP})
    if mode is WriteMode.APPEND:
        with pytest.raises(DuplicateKeyError, match="found 2 stored rows for 1 keys"):
            lake.loader("run-2").load(lake.frame(ONE, TWO), config)
    else:
        lake.loader("run-2").load(lake.frame(ONE, TWO), config)
        assert lake.rows(config) == [ONE, TWO]


def test_new_columns_evolve_the_table_and_missing_ones_stay(lake: Lake) -> None:
    config = merging(lake)
    lake.loader("run-1").load(lake.frame(ONE, TWO), config)
    wider = lake.frame(NEW_TWO, THREE).selectExpr("id", "name", "day", "price", "id * 10 as tenfold")
    assert counts(lake.loader("run-2").load(wider, config)) == (1, 1, 0, 0, 0)
    assert counts(lake.loader("run-3").load(lake.frame(ONE, FOUR), config)) == (1, 0, 1, 0, 0)
    found = {row["id"]: row["tenfold"] for row in lake.read(config).select("id", "tenfold").collect()}
    assert found == {1: None, 2: 20, 3: 30, 4: None}


@pytest.mark.parametrize("file_format", list(S3Format))
def test_contracts(lake: Lake, file_format: S3Format) -> None:
    config = lake.config(format=file_format, mode=WriteMode.APPEND, conflict_resolution=ConflictResolution.ERROR)
    lake.loader("run-1").load(lake.frame(ONE), config)
    other = lake.frame(TWO, THREE).selectExpr(
        "id", "name", "day", "if(id = 2, '2.50', 'dear') as price", "if(id = 2, 'extra', null) as extra"
    )

    def load(contract: SchemaContract, run_id: str) -> tuple[int, int]:
        result = lake.loader(run_id).load(other, config.model_copy(update={"schema_contract": contract}))
        return result.rows_inserted, result.rows_rejected

    with pytest.raises(SchemaMismatchError, match="price is decimal\\(10,2\\) in the target and string now"):
        load(SchemaContract.EVOLVE, "run-2")
    with pytest.raises(SchemaMismatchError, match=r"extra is not in the target.*price is decimal"):
        load(SchemaContract.FREEZE, "run-2")
    assert load(SchemaContract.DISCARD_ROW, "run-3") == (0, 2)
    assert load(SchemaContract.DISCARD_VALUE, "run-4") == (2, 0)
    assert lake.rows(config) == [ONE, TWO, (3, "", "2025-11-04", None)]


@pytest.mark.parametrize("file_format", [S3Format.DELTA, S3Format.PARQUET])
def test_rows_that_a_contract_discards_are_kept_with_rule_and_reason(lake: Lake, file_format: S3Format) -> None:
    kept: list[tuple[object, ...]] = []

    def keep(table_name: str, destination: Destination, rows: Iterable[Reject]) -> None:
        kept.extend((table_name, destination, row.rule, row.reason, json.loads(row.row)) for row in rows)

    config = lake.config(format=file_format, mode=WriteMode.OVERWRITE_PARTITIONS, schema_contract="discard_row")
    lake.loader("run-1").load(lake.frame(ONE), config)
    other = lake.frame(ONE, TWO, THREE).selectExpr(
        "id", "name", "day", "if(id = 3, 'dear', '2.50') as price", "if(id = 2, 'extra', null) as extra"
    )
    result = lake.loader("run-2", keep_rejects=keep).load(other, config)
    assert (result.rows_in, result.rows_updated, result.rows_rejected) == (3, 1, 2)
    two = {"id": 2, "name": None, "day": "2025-11-03", "price": "2.50", "extra": "extra"}
    three = {"id": 3, "name": "", "day": "2025-11-04", "price": "dear", "extra": None}
    assert kept == [
        ("things", Destination.S3, "schema:extra", "the target has no column extra", two),
        ("things", Destination.S3, "cast:price", "the value does not fit decimal(10,2)", three),
    ]


def test_names_that_differ_in_case_only_are_refused(lake: Lake) -> None:
    with pytest.raises(SchemaMismatchError, match="'name' and 'NAME' differ in case only"):
        lake.loader().load(lake.frame(ONE).selectExpr("id", "name", "day", "name as NAME"), lake.config())


def test_names_that_delta_refuses_are_named(lake: Lake) -> None:
    spaced = lake.frame(ONE).selectExpr("id", "name as `full name`", "day")
    with pytest.raises(SchemaMismatchError, match="'full name'"):
        lake.loader().load(spaced, merging(lake))


def test_a_create_that_was_killed_before_its_commit_is_no_table(lake: Lake) -> None:
    config = merging(lake)
    lake.store.put(f"{lake.path(config).delta_log_prefix}_staged_commits/", b"")
    assert not lake.loader("run-1").target_exists(config)
    assert counts(lake.loader("run-1").load(lake.frame(ONE, TWO), config)) == (2, 0, 0, 0, 0)
    assert lake.rows(config) == [ONE, TWO]

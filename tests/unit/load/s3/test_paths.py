from datetime import date

import pytest

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.load.s3.paths import (
    TablePath,
    file_name,
    get_s3_path,
    partition_date_of,
    run_hash,
    run_of_file,
)
from etl.model import WriteMode

SETTINGS = S3Settings(bucket="lake")
TABLE = S3TableLoadConfig(table_name="customer_events", path="customer/events", mode=WriteMode.APPEND)
PATH = TablePath.of(SETTINGS, TABLE)


def test_a_table_and_its_days_have_the_layout_of_the_contract() -> None:
    assert get_s3_path(SETTINGS, TABLE) == "s3a://lake/data-lake/customer/events/"
    assert (
        get_s3_path(SETTINGS, TABLE, date(2025, 11, 8))
        == "s3a://lake/data-lake/customer/events/partition_date=2025-11-08/"
    )


def test_slashes_around_prefix_and_path_do_not_matter() -> None:
    settings = S3Settings(bucket="lake", prefix="/data-lake/")
    table = TABLE.model_copy(update={"path": "/customer/events/"})
    assert TablePath.of(settings, table) == PATH


def test_an_empty_prefix_leaves_no_leading_slash() -> None:
    assert TablePath.of(S3Settings(bucket="lake", prefix=""), TABLE).prefix == "customer/events/"


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("part-00000.parquet", True),
        ("partition_date=2025-11-08/part-00000.parquet", True),
        ("_etl/manifest.json", False),
        ("_delta_log/00000000000000000000.json", False),
        ("partition_date=2025-11-08/_temporary/part-0", False),
        (".part-00000.parquet.crc", False),
        ("", False),
        ("partition_date=2025-11-08/", False),
    ],
)
def test_data_is_what_readers_see(below: str, expected: bool) -> None:
    assert PATH.is_data(PATH.prefix + below) is expected


def test_a_neighbour_with_a_longer_name_is_outside_the_prefix() -> None:
    assert not "data-lake/customer/events_archive/part-0.parquet".startswith(PATH.prefix)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("t/partition_date=1969-12-31/part-0.parquet", date(1969, 12, 31)),
        ("t/partition_date=__HIVE_DEFAULT_PARTITION__/part-0.parquet", None),
        ("t/partition_date=2025-13-40/part-0.parquet", None),
        ("t/part-0.parquet", None),
    ],
)
def test_the_day_of_a_key(key: str, expected: date | None) -> None:
    assert partition_date_of(key) == expected


def test_own_files_tell_their_run_and_others_do_not() -> None:
    name = file_name(7, run_hash("run-1"), 12, 0, "zstd.parquet")
    assert run_of_file(f"t/partition_date=2025-11-08/{name}") == run_hash("run-1")
    assert run_of_file("t/part-00000-0b9b5a2c-7f1d-4c7e-9d8e-111111111111.c000.zstd.parquet") is None


def test_different_runs_have_different_hashes() -> None:
    assert run_hash("run-1") != run_hash("run-2")

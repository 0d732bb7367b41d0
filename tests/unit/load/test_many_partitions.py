from __future__ import annotations

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.many_partitions import MANY_PARTITIONS, many_partitions

SHARED = {"table_name": "t", "mode": "append", "key": ("id",), "date_column": "day"}
LAKE = S3TableLoadConfig(path="t", partition_by=("partition_date",), **SHARED)  # type: ignore[arg-type]
DAYS = ClickHouseTableLoadConfig(target_name="t", partition_by=("toYYYYMMDD(day)",), **SHARED)  # type: ignore[arg-type]
MONTHS = ClickHouseTableLoadConfig(target_name="t", partition_by=("toYYYYMM(day)",), **SHARED)  # type: ignore[arg-type]


def test_up_to_the_limit_nothing_is_said() -> None:
    assert [many_partitions(config, MANY_PARTITIONS) for config in (LAKE, DAYS, MONTHS)] == [(), (), ()]


def test_beyond_it_one_sentence_for_every_store() -> None:
    head = "the rows fall into 2500 partitions of day (partition_by: {}), more than 1000: each is at least a file"
    for config, said in (
        (LAKE, "; leave partition_by out or take another date_column"),
        (DAYS, "; partition by month (toYYYYMM(day)), or leave partition_by out or take another date_column"),
        (MONTHS, "; leave partition_by out or take another date_column"),
    ):
        (note,) = many_partitions(config, 2_500)
        assert note.startswith(head.format(config.partition_by[0])) and note.endswith(f"reads slow{said}")

from __future__ import annotations

import datetime as dt

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.extract.partitions import whole_partitions
from etl.model import Destination, TableKind, WriteMode

DAY = dt.date(2026, 2, 10)


def table(partition_by: str, mode: WriteMode) -> TableConfig:
    s3 = S3TableLoadConfig(
        table_name="t", path="t", mode=WriteMode.OVERWRITE_PARTITIONS, date_column="d", partition_by=("partition_date",)
    )
    clickhouse = ClickHouseTableLoadConfig(
        table_name="t", target_name="t", mode=mode, date_column="d", partition_by=(partition_by,)
    )
    return TableConfig(
        name="t",
        domain="x",
        kind=TableKind.EVENT,
        key=("id",),
        date_column="d",
        source=PostgreSQLSource(table="t"),
        loads={Destination.S3: s3, Destination.CLICKHOUSE: clickhouse},
    )


def test_days_stay_days() -> None:
    days = [dt.date(2026, 2, 11), None, DAY]
    expected = (DAY, dt.date(2026, 2, 11))
    assert whole_partitions(table("toYYYYMMDD(d)", WriteMode.REPLACE_PARTITION), days) == expected
    assert whole_partitions(table("toYYYYMM(d)", WriteMode.MERGE), days) == expected


def test_a_replaced_month_is_read_whole() -> None:
    days = whole_partitions(table("toYYYYMM(d)", WriteMode.REPLACE_PARTITION), [DAY])
    assert days == tuple(dt.date(2026, 2, number) for number in range(1, 29))

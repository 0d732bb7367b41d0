"""The ClickHouse destination."""

from etl.load.clickhouse.loader import ClickHouseLoader

__all__ = ["ClickHouseLoader"]

"""The destinations there are."""

from __future__ import annotations

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.errors import UsageError
from etl.model import Destination
from etl.nearest import suggestion

DESTINATION_NAMES = {**{d.value: d for d in Destination}, "minio": Destination.S3}
DESTINATION_NAMES |= {"postgres": Destination.POSTGRESQL, "ch": Destination.CLICKHOUSE}

LOAD_MODELS: dict[Destination, type[TableLoadConfig]] = {
    Destination.S3: S3TableLoadConfig,
    Destination.POSTGRESQL: PostgreSQLTableLoadConfig,
    Destination.CLICKHOUSE: ClickHouseTableLoadConfig,
}


def parse_destination(name: Destination | str) -> Destination:
    """`s3`, `minio`, `postgresql`, `postgres`, `clickhouse` or `ch`, in any case."""
    known = DESTINATION_NAMES.get(name.lower())
    if known is None:
        raise UsageError(f"unknown destination {str(name)!r}; {suggestion(name.lower(), DESTINATION_NAMES)}")
    return known

"""Where ClickHouse is: the environment first, then etl.yaml."""

from __future__ import annotations

from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.server_reader import ServerReader
from etl.config.urls import Fields, address_fields, split_url, tls_fields, url_options


def read_server(reader: ServerReader) -> ClickHouseSettings | None:
    node = reader.server(
        "clickhouse", "ETL_CLICKHOUSE_URL", clickhouse_fields, ClickHouseSettings, kept=("timeout_seconds",)
    )
    if node is None:
        return None
    secure = node.get("secure")
    defaults: Fields = {"port": 8443 if secure is not None and secure.value is True else 8123}
    node = reader.with_ca(node, "ETL_CLICKHOUSE_CA_FILE")
    return reader.settings("clickhouse", ClickHouseSettings, node, defaults)


def clickhouse_fields(url: str) -> Fields:
    """`http(s)://user:password@host:port/database?verify=…&ca_file=…`; the port is 8123, or 8443 over https."""
    parts = split_url(url, ("http", "https"))
    fields = address_fields(parts)
    if "host" not in fields:
        raise ValueError("the URL lacks host; expected https://user:password@host:port/database")
    fields["secure"] = parts.scheme == "https"
    fields.setdefault("port", 8443 if fields["secure"] else 8123)
    return fields | tls_fields(url_options(parts, ("verify", "ca_file")))

"""Where ClickHouse is: the environment first, then etl.yaml."""

from __future__ import annotations

from etl.config.urls import Fields, address_fields, split_url, tls_fields, url_options


def clickhouse_fields(url: str) -> Fields:
    """`http(s)://user:password@host:port/database?verify=…&ca_file=…`; the port is 8123, or 8443 over https."""
    parts = split_url(url, ("http", "https"))
    fields = address_fields(parts)
    if "host" not in fields:
        raise ValueError("the URL lacks host; expected https://user:password@host:port/database")
    fields["secure"] = parts.scheme == "https"
    fields.setdefault("port", 8443 if fields["secure"] else 8123)
    return fields | tls_fields(url_options(parts, ("verify", "ca_file")))

"""ClickHouse as a destination."""
